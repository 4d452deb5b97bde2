"""The settings of a project that Harbor calls its metadata: texts by name (handler/project_metadata.go)."""

from collections.abc import Mapping

from mooring.errors import Invalid

PUBLIC = "public"
UNENFORCED = ("enable_content_trust", "enable_content_trust_cosign", "prevent_vul")
"""Settings that keep people from pulling. Nothing here acts on them yet, so nobody is led to believe so."""

SWITCHES = (PUBLIC, *UNENFORCED, "auto_scan", "auto_sbom_generation", "reuse_sys_cve_allowlist")
SEVERITIES = ("none", "low", "medium", "high", "critical")
NAMES = (*SWITCHES, "severity")
OF_OTHER_PROJECTS = (
    "retention_id",
    "proxy_speed_kb",
    "max_upstream_conn",
    "proxy_cache_local_on_not_found",
    "proxy_referrer_api",
    "proxy_cache_filter_pattern",
    "proxy_cache_filter_kind",
)
"""What Harbor ignores too where a project has no such policy and is no proxy cache."""


def checked(given: Mapping[str, str | None]) -> dict[str, str]:
    """What of `given` is kept, in its one spelling. Raises Invalid."""
    return {
        name: _checked(name, value)
        for name, value in given.items()
        if value is not None and name not in OF_OTHER_PROJECTS
    }


def is_public(metadata: Mapping[str, str]) -> bool | None:
    """None where nothing is said of it."""
    return None if PUBLIC not in metadata else metadata[PUBLIC] == "true"


def _checked(name: str, value: str) -> str:
    if name == "severity":
        if value.lower() not in SEVERITIES:
            raise Invalid(f"severity is one of {', '.join(SEVERITIES)}.")
        return value.lower()
    if name not in SWITCHES:
        raise Invalid(f"A project has no metadata {name[:40]!r}; it has {', '.join(NAMES)}.")
    if value.lower() not in ("true", "false", "1", "0"):
        raise Invalid(f"{name} is true or false.")
    on = value.lower() in ("true", "1")
    if on and name in UNENFORCED:
        raise Invalid(f"{name} can't be turned on: this version of Mooring does not enforce it.")
    return "true" if on else "false"
