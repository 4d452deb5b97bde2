"""Objects in a bucket of S3, or of any server that speaks its protocol."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TypeVar

from botocore.exceptions import ClientError

from mooring.errors import Unavailable
from mooring.measuring import Observe, unobserved
from mooring.storage.s3_client import (
    ANSWER_SECONDS,
    SEND_SECONDS,
    Bucket,
    Client,
    abort,
    code_of,
    connected,
    timed,
    translated_errors,
)
from mooring.storage.s3_spool import Part, Spool
from mooring.storage.s3_upload import S3Writer
from mooring.storage.store import Begun, ObjectMissing, Watch, require_own

MARKER = "cluster-id"
READ_BYTES = 1024 * 1024
READ_ATTEMPTS = 4
KEY_LENGTH = 32
KEY = re.compile(r"[0-9a-f]{32}(-[0-9a-f]{8})?")
ADDRESS_SECONDS = 20 * 60
LIST_SECONDS = 300.0
DELETED_AT_ONCE = 8
T = TypeVar("T")


class S3Store:
    """An upload's objects are named after it, `KEY-xxxxxxxx`; a finished one is never written again, nor copied."""

    def __init__(
        self, bucket: Bucket, cluster_id: str | None = None, *, redirect: bool = False, directory: Path | None = None
    ) -> None:
        """Parts wait in files below `directory`, if there is one."""
        self.bucket = bucket
        self.spool = Spool(directory)
        self.cluster_id = cluster_id
        self._redirect = redirect
        self._connecting = asyncio.Lock()
        self._client: Client = None
        self._stack = AsyncExitStack()
        self._observe: Observe = unobserved

    def observed_by(self, observe: Observe) -> None:
        self._observe = observe

    async def client(self) -> Client:
        if self._client is not None:
            return self._client
        async with self._connecting:
            if self._client is None:
                async with translated_errors():
                    self._client = await connected(self.bucket, self._stack)
                    timed(self._client, self._observe)
        return self._client

    def name(self, key: str) -> str:
        """In 256 folders, for those who look with a browser; the bucket itself knows none."""
        if not KEY.fullmatch(key):
            raise ValueError("not an object key")
        return f"{self.bucket.prefix}{key[:2]}/{key}"

    @asynccontextmanager
    async def writing(self, key: str) -> AsyncIterator[S3Writer]:
        self.name(key)
        with self.spool.upload():
            yield S3Writer(self, key)

    async def size(self, key: str) -> int:
        client = await self.client()
        async with translated_errors(key):
            found = await client.head_object(Bucket=self.bucket.name, Key=self.name(key))
        return int(found["ContentLength"])

    async def read(self, key: str, start: int, length: int) -> AsyncGenerator[bytes]:
        """What breaks off is taken up again where it broke."""
        end = start + length
        if not length:
            await self.size(key)
        for left in reversed(range(READ_ATTEMPTS)):
            try:
                async with translated_errors(key, seconds=None):
                    async for chunk in self._stream(key, start, end):
                        start += len(chunk)
                        yield chunk
            except Unavailable:
                if not left:
                    raise
            if start == end:
                return
        raise Unavailable("The registry's store holds less of this blob than it should.")

    async def digest(self, key: str, size: int, watch: Watch) -> None:
        async for chunk in self.read(key, 0, size):
            await asyncio.to_thread(watch, chunk)

    async def put(self, key: str, content: bytes | Part) -> None:
        client = await self.client()
        async with translated_errors(key, SEND_SECONDS):
            await client.put_object(Bucket=self.bucket.name, Key=self.name(key), Body=content)

    async def delete(self, keys: Sequence[str]) -> None:
        """Objects; or, by the key of an upload, all that the upload has left anywhere."""
        left = iter(keys)

        async def some() -> None:
            for key in left:
                await self._delete(key)

        ended = await asyncio.gather(*(some() for _ in range(DELETED_AT_ONCE)), return_exceptions=True)
        for error in filter(None, ended):
            raise error

    async def _delete(self, key: str) -> None:
        client = await self.client()
        async with translated_errors(key, SEND_SECONDS):
            if len(key) == KEY_LENGTH:
                await self._abort_all(client, key)
                for name in [name async for name in self._names(client, self.name(key))]:
                    await client.delete_object(Bucket=self.bucket.name, Key=name)
            else:
                await client.delete_object(Bucket=self.bucket.name, Key=self.name(key))

    async def begun(self) -> Sequence[Begun]:
        client = await self.client()
        async with translated_errors(seconds=LIST_SECONDS):
            try:
                found = [each async for each in self._multiparts(client, self.bucket.prefix)]
            except ClientError as error:
                if code_of(error) not in ("NotImplemented", "501"):
                    raise
                found = []
        # Others may keep what they like in the bucket, also below our prefix.
        keys = [(name.removeprefix(self.bucket.prefix).partition("/")[2], name, number) for name, number in found]
        known = [(key, name, number) for key, name, number in keys if KEY.fullmatch(key) and name == self.name(key)]
        return [Begun(key[:KEY_LENGTH], name, number) for key, name, number in known]

    async def abandon(self, begun: Begun) -> None:
        client = await self.client()
        async with translated_errors(begun.key, SEND_SECONDS):
            await abort(client, self.bucket, begun.name, begun.id)

    async def address(self, key: str) -> str | None:
        if not self._redirect:
            return None
        client = await self.client()
        where = {"Bucket": self.bucket.name, "Key": self.name(key)}
        async with translated_errors(key):
            return str(await client.generate_presigned_url("get_object", Params=where, ExpiresIn=ADDRESS_SECONDS))

    async def check(self) -> None:
        """Raises Foreign when the bucket is not this cluster's."""
        await self._require_marker(await self.client())

    def prepare(self, cluster_id: str) -> None:
        if self.marker() is None:
            self.mark(cluster_id)
        self.cluster_id = cluster_id
        self._apart(self._require_marker)

    def marker(self) -> str | None:
        return self._apart(self._marker)

    def mark(self, cluster_id: str) -> None:
        async def put(client: Client) -> None:
            async with translated_errors():
                await client.put_object(**self._marked, Body=f"{cluster_id}\n".encode())

        self._apart(put)
        self.cluster_id = cluster_id

    def keys(self) -> Iterator[str]:
        async def listed(client: Client) -> list[str]:
            async with translated_errors(seconds=None):
                return [name async for name in self._names(client, self.bucket.prefix)]

        names = (name.rpartition("/")[2] for name in self._apart(listed))
        return (name for name in names if name != MARKER)

    async def disconnect(self) -> None:
        async with self._connecting:
            self._client = None
            await self._stack.aclose()

    def close(self) -> None:
        """Connections belong to an event loop: `disconnect` closes them."""

    async def _stream(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        if start == end:
            return
        client = await self.client()
        asked = f"bytes={start}-{end - 1}"
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await client.get_object(Bucket=self.bucket.name, Key=self.name(key), Range=asked)
        async with answer["Body"] as body:
            while chunk := await body.read(READ_BYTES):
                yield chunk

    async def _require_marker(self, client: Client) -> None:
        place = f"s3://{self.bucket.name}/{self.bucket.prefix}"
        require_own(await self._marker(client), self.cluster_id, place)

    async def _marker(self, client: Client) -> str | None:
        try:
            async with translated_errors():
                answer = await client.get_object(**self._marked)
                async with answer["Body"] as body:
                    return str((await body.read()).decode(errors="replace").strip())
        except ObjectMissing:
            return None

    @property
    def _marked(self) -> dict[str, str]:
        return {"Bucket": self.bucket.name, "Key": self.bucket.prefix + MARKER}

    async def _names(self, client: Client, prefix: str) -> AsyncIterator[str]:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket.name, Prefix=prefix)
        async for page in pages:
            for found in page.get("Contents", []):
                yield found["Key"]

    async def _abort_all(self, client: Client, key: str) -> None:
        for name, number in [each async for each in self._multiparts(client, self.name(key))]:
            await abort(client, self.bucket, name, number)

    async def _multiparts(self, client: Client, prefix: str) -> AsyncIterator[tuple[str, str]]:
        """Name and id of each multipart upload that was neither completed nor aborted."""
        pages = client.get_paginator("list_multipart_uploads").paginate(Bucket=self.bucket.name, Prefix=prefix)
        async for page in pages:
            for found in page.get("Uploads", []):
                yield found["Key"], found["UploadId"]

    def _apart(self, work: Callable[[Client], Awaitable[T]]) -> T:
        """Run in a thread with an event loop and a client of its own: the caller may have a loop already."""

        async def run() -> T:
            async with AsyncExitStack() as stack:
                return await work(await connected(self.bucket, stack))

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, run()).result()
