"""One upload to a bucket: parts as they come, and its state in a text that any replica continues from.

Parts are 5 MiB at least, but for the last (S3's rule), while a client's request may end anywhere. What is left over at
the end of a request is kept as an object of its own, the tail, and read back if more comes. A small upload is nothing
but its tail: one PutObject, and no multipart upload at all.

Two requests may write at once, on two replicas: each takes numbers that no other gets, and names of its own, so neither
can change what the other is acknowledged for. The upload's row decides whose state counts.
"""

from collections.abc import AsyncIterable
from contextlib import closing, suppress
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import ClientError

from mooring.errors import Unavailable
from mooring.storage.s3_appending import Appending
from mooring.storage.s3_client import SEND_SECONDS, code_of, translated_errors
from mooring.storage.s3_state import GONE, State, UploadGone, new_name
from mooring.storage.store import ObjectMissing, OffsetMismatch, Reserve, Watch

if TYPE_CHECKING:
    from mooring.storage.s3 import S3Store


class S3Writer:
    def __init__(self, store: "S3Store", key: str) -> None:
        self._store = store
        self._key = key
        self._state = State()
        self._reserve: Reserve = _nobody_else
        self._spent: dict[str, None] = {}

    @property
    def state(self) -> str:
        return msgspec.json.encode(self._state).decode()

    @property
    def spent(self) -> tuple[str, ...]:
        return tuple(self._spent)

    def resume(self, state: str, reserve: Reserve) -> None:
        self._state = msgspec.json.decode(state, type=State) if state else State()
        self._reserve = reserve

    async def append(
        self, offset: int, chunks: AsyncIterable[bytes], watch: Watch, *, limit: int, last: bool = False
    ) -> int:
        if self._state.size != offset:
            raise OffsetMismatch(self._state.size)
        request = Appending(self._store, self._key, self._state, self._reserve)
        try:
            await request.take(chunks, watch, limit)
            self._moved_to(await request.end(last=last))
        except BaseException:
            await request.give_up()
            raise
        finally:
            request.close()
        return self._state.size

    async def finish(self) -> str:
        state = self._state
        if not state.upload:
            if not state.tail:
                state = self._state = await self._empty()
            return state.tail
        if state.tail:
            self._spent[state.tail] = None
            request = Appending(self._store, self._key, state, self._reserve)
            # Where another try has made the object already, only its size is left to look at.
            with suppress(UploadGone), closing(request):
                await request.take_tail()
                state = await request.end(last=True)
        await self._complete(state)
        return state.name

    def _moved_to(self, state: State) -> None:
        if self._state.tail and self._state.tail != state.tail:
            self._spent[self._state.tail] = None
        self._state = state

    async def _empty(self) -> State:
        name = new_name(self._key)
        await self._store.put(name, b"")
        return State(tail=name)

    async def _complete(self, state: State) -> None:
        """Make the object of its parts. Another request, or an earlier try of this one, may have done it."""
        client, bucket = await self._store.client(), self._store.bucket
        parts = [{"PartNumber": number, "ETag": tag} for number, tag in state.parts]
        async with translated_errors(state.name, SEND_SECONDS):
            try:
                await client.complete_multipart_upload(
                    Bucket=bucket.name,
                    Key=self._store.name(state.name),
                    UploadId=state.upload,
                    MultipartUpload={"Parts": parts},
                )
            except ClientError as error:
                if code_of(error) not in GONE:
                    raise
        try:
            size = await self._store.size(state.name)
        except ObjectMissing:
            size = -1
        if size != state.size:
            raise Unavailable("The registry's store has lost a part of this upload.")


async def _nobody_else(_number: int, above: int) -> int:
    return above + 1
