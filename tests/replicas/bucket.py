"""A cluster's bucket, as somebody looks into it who is no part of the cluster."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from unittest import mock

from mooring.storage.s3 import S3Store
from mooring.storage.s3_client import parse_bucket
from mooring.storage.store import Begun
from tests.replicas.cluster import Cluster

T = TypeVar("T")


def begun(cluster: Cluster) -> Sequence[Begun]:
    """Multipart uploads that have not become objects."""
    return _asked(cluster, S3Store.begun)


def objects(cluster: Cluster) -> set[str]:
    async def listed(store: S3Store) -> set[str]:
        return set(await asyncio.to_thread(lambda: list(store.keys())))

    return _asked(cluster, listed)


def _asked(cluster: Cluster, work: Callable[[S3Store], Awaitable[T]]) -> T:
    async def run() -> T:
        store = S3Store(parse_bucket(cluster.environment["MOORING_STORE"]))
        try:
            return await work(store)
        finally:
            await store.disconnect()

    assert cluster.store is not None
    with mock.patch.dict("os.environ", cluster.store.environment):
        return asyncio.run(run())
