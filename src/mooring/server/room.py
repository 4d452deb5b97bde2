"""How much memory the bodies that come in may take together: many get less each than few."""

LARGEST = 256 * 1024
LEAST = 32 * 1024
ROOM = 4 * 1024 * 1024
"""Read at once by all together, where each gets more than the least."""


class Room:
    def __init__(self) -> None:
        self._bodies = 0
        self._whole = memoryview(bytearray(LARGEST))
        self._share_out()

    def enter(self) -> None:
        """A body is under way."""
        self._bodies += 1
        self._share_out()

    def leave(self) -> None:
        self._bodies -= 1
        self._share_out()

    def _share_out(self) -> None:
        self.share = max(LEAST, min(LARGEST, ROOM // max(1, self._bodies)))
        """Bytes that one connection is read at once."""
        self.buffer = self._whole[: self.share]
        """One for all: what is read is parsed, and copied where it is kept, before the next one is read."""
