"""What one request adds to an upload in a bucket: nothing counts before it has ended."""

import asyncio
from collections.abc import AsyncIterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from mooring.errors import TooLarge, Unavailable
from mooring.storage.s3_client import SEND_SECONDS, abort, code_of, translated_errors
from mooring.storage.s3_spool import LEAST_PIECE, Part, apart
from mooring.storage.s3_state import GONE, LEAST_PART, MOST_PARTS, State, UploadGone, new_name, part_size
from mooring.storage.store import ObjectMissing, Reserve, Watch

if TYPE_CHECKING:
    from mooring.storage.s3 import S3Store

MOST_RESERVED = 32


class Appending:
    def __init__(self, store: "S3Store", key: str, state: State, reserve: Reserve) -> None:
        self._store = store
        self._key = key
        self._before = state
        self._reserve = reserve
        self._name, self._upload = state.name, state.upload
        self._parts = list(state.parts)
        self._sent = state.sent
        self._part = Part(store.spool)
        self._read_tail = False
        self._highest = state.parts[-1][0] if state.parts else 0
        self._numbers = range(0)
        self._sending: list[asyncio.Task[tuple[int, str]]] = []
        self._new_tail = ""

    async def take(self, chunks: AsyncIterable[bytes], watch: Watch, limit: int) -> None:
        gathered: list[bytes] = []
        size, held = self._before.size, 0
        async for chunk in chunks:
            size += len(chunk)
            if size > limit:
                raise TooLarge(f"A blob may have {limit} bytes at most.")
            if not self._read_tail:
                await self.take_tail()
            gathered.append(chunk)
            held += len(chunk)
            # Else it is held on until the next one comes, which may take a slow client a while.
            del chunk
            if held >= self._store.spool.piece():
                await self._keep(gathered, watch)
                held = 0
        if gathered:
            await self._keep(gathered, watch)

    async def take_tail(self) -> None:
        """Bytes that an earlier request left over come first."""
        self._read_tail = True
        if self._before.tail:
            try:
                async for chunk in self._store.read(self._before.tail, 0, self._before.tail_size):
                    await self._keep([chunk], _ignore)
            except ObjectMissing as error:
                raise Unavailable("Another request moved this upload on meanwhile.") from error

    async def end(self, *, last: bool) -> State:
        """Everything is durable when this answers."""
        before = self._before
        if not self._read_tail:
            return before
        if self._upload and self._part and (last or len(self._part) >= LEAST_PART):
            await self._send()
        while self._sending:
            await self._one_sent()
        tail, tail_size = "", len(self._part)
        if tail_size:
            tail = self._new_tail = new_name(self._key)
            small = tail_size <= LEAST_PIECE
            await self._store.put(tail, self._part.read() if small else self._part)
        return State(self._name, self._upload, tuple(self._parts), self._sent, tail, tail_size)

    async def give_up(self) -> None:
        """Take away what only this request knows of. What can't be had now goes with the upload, at its end."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        with suppress(Exception):
            client = await self._store.client()
            if self._upload and not self._before.upload:
                await abort(client, self._store.bucket, self._store.name(self._name), self._upload)
            if self._new_tail:
                await self._store.delete([self._new_tail])

    def close(self) -> None:
        self._part.close()

    async def _keep(self, chunks: list[bytes], watch: Watch) -> None:
        content = b"".join(chunks)
        chunks.clear()
        while content:
            room = part_size(self._highest + 1) - len(self._part)
            await apart(_add, self._part, content[:room], watch)
            content = content[room:]
            if len(self._part) == part_size(self._highest + 1):
                await self._send()

    async def _send(self) -> None:
        number = self._highest = await self._next_number()
        while len(self._sending) >= self._store.spool.in_flight(self._part):
            await self._one_sent()
        part, self._part = self._part, Part(self._store.spool)
        task = asyncio.create_task(self._upload_part(number, part))
        # One that is cancelled before it has begun would close nothing itself.
        task.add_done_callback(lambda _: part.close())
        self._sending.append(task)
        self._sent += len(part)

    async def _one_sent(self) -> None:
        self._parts.append(await self._sending[0])
        self._sending.pop(0)

    async def _upload_part(self, number: int, part: Part) -> tuple[int, str]:
        client = await self._store.client()
        async with translated_errors(self._key, SEND_SECONDS), self._store.spool.sending:
            try:
                answer: Any = await client.upload_part(
                    Bucket=self._store.bucket.name,
                    Key=self._store.name(self._name),
                    UploadId=self._upload,
                    PartNumber=number,
                    Body=part,
                )
            except ClientError as error:
                if code_of(error) in GONE:
                    raise UploadGone("This upload has ended, or the registry's store has lost it.") from error
                raise
        return number, str(answer["ETag"])

    async def _next_number(self) -> int:
        if not self._upload:
            await self._begin()
        if not self._numbers:
            if self._before.upload:
                count = min(MOST_RESERVED, max(1, 2 * (len(self._parts) - len(self._before.parts))))
                first = await self._reserve(count, self._highest)
                self._numbers = range(first, first + count)
            else:
                # Nobody else knows of this multipart upload yet.
                self._numbers = range(self._highest + 1, MOST_PARTS + 2)
        number, self._numbers = self._numbers[0], self._numbers[1:]
        if number > MOST_PARTS:
            raise TooLarge(f"A blob may have {MOST_PARTS} parts at most: send it in fewer requests.")
        return number

    async def _begin(self) -> None:
        name = new_name(self._key)
        client = await self._store.client()
        sending = self._store.spool.sending
        async with translated_errors(name, SEND_SECONDS), sending, translated_errors(name):
            made = await client.create_multipart_upload(
                Bucket=self._store.bucket.name, Key=self._store.name(name), ContentType="application/octet-stream"
            )
        self._name, self._upload = name, str(made["UploadId"])


def _add(part: Part, content: bytes, watch: Watch) -> None:
    watch(content)
    part.add(content)


def _ignore(_chunk: bytes) -> None:
    return None
