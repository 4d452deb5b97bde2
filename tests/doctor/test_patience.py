"""A door that hangs is waited for less and less, and then left."""

import asyncio
import time
from typing import Any

from mooring.doctor.outside.asking import Line
from mooring.doctor.outside.harbor import Question, examine
from mooring.egress.client import Egress, Policy, Reply


class Hanging(Egress):
    """Takes the network's place: nothing comes but what is asked for at `/quick`."""

    def __init__(self) -> None:
        super().__init__(Policy(private=True))
        self.waited: list[float | None] = []

    async def ask(self, method: str, url: str, *, timeout_seconds: float | None = None, **_: Any) -> Reply:
        self.waited.append(timeout_seconds)
        if url.endswith("/quick"):
            return Reply(200, (), b"", 0, 0.1)
        return Reply(0, (), b"", 0, timeout_seconds or 20, "timeout")


class HangingReplica(Egress):
    """A Mooring that is ready, by its own word, and answers nothing else."""

    async def ask(self, method: str, url: str, **_: Any) -> Reply:
        if url.endswith(("/ping", "/readyz")):
            return Reply(200, (), b'{"replica": "one", "ready": true}', time.time(), 0.1)
        return Reply(0, (), b"", time.time(), 20, "timeout")


def asked(*paths: str) -> tuple[list[str], Hanging, Line]:
    egress = Hanging()
    line = Line(egress, "http://core")

    async def everything() -> list[str]:
        return [(await line.ask("GET", path)).trouble for path in paths]

    return asyncio.run(everything()), egress, line


def test_a_door_that_hangs_is_left_in_the_end() -> None:
    troubles, egress, line = asked(*["/v2/?a=secret"] * 10)
    assert egress.waited == [None, None, 5, 5, 2, 2, 2, 2]
    assert troubles == ["timeout"] * 8 + ["skipped"] * 2
    assert set(line.missed) == {"GET /v2/"}


def test_a_door_that_answers_is_waited_for() -> None:
    troubles, egress, _ = asked("/slow", *["/quick"] * 9)
    assert egress.waited == [None] * 10
    assert troubles == ["timeout", *[""] * 9]


def test_a_replica_that_hangs_is_told_of_as_a_core_is() -> None:
    question = Question(entrance="http://registry", samples=3)
    _, gaps = asyncio.run(examine(HangingReplica(Policy(private=True)), question))
    (told,) = [gap.why.en for gap in gaps if gap.what.en == "entrance (http://registry)"]
    assert told == "3 answers did not come in time, the first to GET /.well-known/jwks.json"
