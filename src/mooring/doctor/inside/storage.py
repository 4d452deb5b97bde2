"""Where a registry keeps its bytes, so that two can be compared."""

from collections.abc import Mapping
from typing import Any, Final

import yaml

SHOWN: Final = (
    "rootdirectory",
    "bucket",
    "region",
    "regionendpoint",
    "container",
    "accountname",
    "chunksize",
    "prefix",
)
NO_DRIVERS: Final = frozenset({"cache", "delete", "maintenance", "redirect", "readonly", "tag"})


def described(config: bytes | None, environment: Mapping[str, str]) -> tuple[str, str]:
    """The storage in words without any secret, and the secret that signs uploads."""
    try:
        found: Any = yaml.safe_load(config) if config else {}
    except yaml.YAMLError:
        found = {}
    settings = found if isinstance(found, dict) else {}
    http = settings.get("http")
    secret = environment.get("REGISTRY_HTTP_SECRET") or str((http or {}).get("secret") or "")
    storage = settings.get("storage")
    for name, values in (storage if isinstance(storage, dict) else {}).items():
        if name not in NO_DRIVERS:
            shown = values if isinstance(values, dict) else {}
            return " ".join([name, *(f"{key}={shown[key]}" for key in SHOWN if key in shown)]), secret
    return "", secret
