"""Names of repositories and tags (distribution-spec, "Pulling manifests")."""

import re

from mooring.errors import ManifestUnknown, NameInvalid, NameUnknown, TagInvalid

COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
REPOSITORY = re.compile(rf"{COMPONENT}(?:/{COMPONENT})*")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
PROJECT = re.compile(COMPONENT)
LONGEST = 255


def require_repository(name: str) -> str:
    """A whole name with its project. Raises NameInvalid, and NameUnknown where it has none: docker retries a 400."""
    if len(name) > LONGEST or not REPOSITORY.fullmatch(name):
        raise NameInvalid(f"This is not a repository name: {name[:LONGEST]!r}.")
    if "/" not in name:
        raise NameUnknown(f"The name {name!r} has no project. Write PROJECT/{name}, such as library/{name}.")
    return name


def require_tag(name: str) -> str:
    """Raises TagInvalid."""
    if not TAG.fullmatch(name):
        raise TagInvalid(
            f"This is not a tag: {name[:140]!r}. A tag has 1 to 128 letters, digits, _ . - and starts with no . or -."
        )
    return name


def known_tag(name: str) -> str:
    """Of a manifest that is asked for. Raises ManifestUnknown: the suite of 1.1.1 asks by what can't be a tag."""
    if not TAG.fullmatch(name):
        raise ManifestUnknown(f"No manifest has the tag {name[:140]!r}: this can't be one.")
    return name
