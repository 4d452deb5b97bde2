"""The store that the settings name."""

from mooring.settings import Settings
from mooring.storage.filesystem import FileStore
from mooring.storage.store import Store


def open_store(settings: Settings, cluster_id: str | None = None) -> Store:
    """Raises ConfigurationError. Whether the store answers, and is the cluster's, is for `check` to see."""
    if settings.store is not None and settings.store_is_shared:
        # botocore takes half a second and 40 MB that a store of files has no use for.
        from mooring.storage.s3 import S3Store  # noqa: PLC0415
        from mooring.storage.s3_client import parse_bucket  # noqa: PLC0415

        bucket = parse_bucket(settings.store)
        return S3Store(bucket, cluster_id, redirect=settings.store_redirect, directory=settings.data)
    return FileStore(settings.store_path, cluster_id)
