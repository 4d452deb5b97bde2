"""How much memory the bodies that come in may take together: many get less each than few."""

LARGEST = 256 * 1024
LEAST = 32 * 1024
ROOM = 4 * 1024 * 1024
"""Read at once by all together, where each gets more than the least."""


class Room:
    def __init__(self) -> None:
        self.bodies = 0
        """That are under way."""
        self._buffer = memoryview(bytearray(LARGEST))

    @property
    def share(self) -> int:
        """Bytes that one connection is read at once."""
        return max(LEAST, min(LARGEST, ROOM // max(1, self.bodies)))

    def buffer(self) -> memoryview:
        """One for all: what is read is parsed, and copied where it is kept, before the next one is read."""
        return self._buffer[: self.share]
