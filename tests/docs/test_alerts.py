"""The page about alerts has a chapter for each condition, and no other."""

from mooring.observe.alerts.conditions import CONDITIONS
from tests.docs.pages import page

ALERTS = page("docs/alerts.md")


def test_every_condition_has_its_chapter() -> None:
    _, _, chapters = ALERTS.text.partition("## Conditions\n")
    found = {name: text for name, text in ALERTS.sections.items() if f"### {name}\n" in chapters}
    assert set(found) == set(CONDITIONS)
    for name, text in found.items():
        assert text.strip().lower().startswith(CONDITIONS[name].severity), name
