"""The store that the settings name."""

from mooring.settings import Settings
from mooring.storage.filesystem import FileStore
from mooring.storage.store import Store


def open_store(settings: Settings, cluster_id: str | None = None) -> Store:
    """Raises ConfigurationError. Whether the store answers, and is the cluster's, is for `check` to see."""
    return FileStore(settings.store_path, cluster_id)
