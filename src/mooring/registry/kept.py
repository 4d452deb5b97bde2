"""Answers with manifests by their digests: they never change, so they may be kept as long as there is room."""

from collections import OrderedDict

from mooring.http.prepared import Answer

MOST_BYTES = 16 * 1024 * 1024
LARGEST = 256 * 1024


class Kept:
    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[str, str], Answer] = OrderedDict()
        self._bytes = 0

    def get(self, digest: str, media_type: str) -> Answer | None:
        return self._answers.get((digest, media_type))

    def keep(self, digest: str, media_type: str, answer: Answer) -> Answer:
        if len(answer.body) <= LARGEST and (digest, media_type) not in self._answers:
            self._answers[digest, media_type] = answer
            self._bytes += _size(answer)
            while self._bytes > MOST_BYTES:
                _, oldest = self._answers.popitem(last=False)
                self._bytes -= _size(oldest)
        return answer


def _size(answer: Answer) -> int:
    """With what Python needs to hold it."""
    return len(answer.fields) + len(answer.body) + 500
