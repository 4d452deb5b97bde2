"""Names, and what is said of those that can't be."""

import pytest

from mooring.errors import ManifestUnknown, NameInvalid, NameUnknown, TagInvalid
from mooring.registry.names import known_tag, require_repository, require_tag


@pytest.mark.parametrize("name", ["library/app", "a/b/c/d", "team/app__one.two-three", "a/0"])
def test_takes_names_with_a_project(name: str) -> None:
    assert require_repository(name) == name


def test_a_name_without_a_project_is_unknown_rather_than_invalid() -> None:
    """The name itself is a good one, and docker tries a 400 again for 50 seconds before it shows the message."""
    with pytest.raises(NameUnknown, match="Write PROJECT/app, such as library/app"):
        require_repository("app")


@pytest.mark.parametrize("name", ["", "Library/app", "library//app", "library/app/", "library/-app", "a/" + "b" * 254])
def test_refuses_what_is_no_name(name: str) -> None:
    with pytest.raises(NameInvalid):
        require_repository(name)


@pytest.mark.parametrize("name", [".INVALID_MANIFEST_NAME", "-x", "", "t" * 129, "a b", "a\0"])
def test_what_is_no_tag_can_not_be_set_and_is_not_found(name: str) -> None:
    with pytest.raises(TagInvalid):
        require_tag(name)
    with pytest.raises(ManifestUnknown):
        known_tag(name)
