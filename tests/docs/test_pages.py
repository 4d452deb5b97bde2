"""What the documentation names is there: pages, headings, commands, make targets, settings."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from mooring.cli.main import application
from mooring.settings import Settings, load
from tests.docs import generated
from tests.docs.pages import PAGES, ROOT, Page, page

OTHER_VARIABLES = {
    "MOORING_CONFIG",
    "MOORING_DOCTOR_PASSWORD",
    "MOORING_DOCTOR_USERNAME",
    "MOORING_PROBE_PASSWORD",
    "MOORING_PROBE_USERNAME",
    "MOORING_PROT",
    "MOORING_REQUIRE_TOOLS",
    "MOORING_TOOLS",
}

MEASURED = {ROOT / "docs" / name for name in ("conformance.md", "benchmarks.md", "sizing.md")}
"""Pages that a measurement writes: until the first one they are not there."""

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda each: each.name)


def commands() -> Iterator[tuple[Page, list[str]]]:
    """Every command line of every page, as words."""
    for each in PAGES:
        for language, content in each.code:
            shown = content.replace("\\\n", " ").splitlines()
            lines = [line.removeprefix("$ ") for line in shown if language == "sh" or line.startswith("$ ")]
            for line in lines:
                yield each, line.split()
        for code in re.findall(r"`([^`\n]+)`", each.prose):
            yield each, code.split()


@each_page
def test_links_lead_somewhere(page: Page) -> None:
    for link in page.links:
        if re.match(r"https?:", link):
            continue
        name, _, anchor = link.partition("#")
        target = Page((page.path.parent / name).resolve() if name else page.path)
        if target.path in MEASURED and not target.path.exists():
            continue
        assert target.path.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in target.anchors, f"{page.name} links to {link}, but there is no such heading"


def test_every_page_is_in_the_index() -> None:
    index = page("docs/README.md")
    linked = {(index.path.parent / link).resolve() for link in index.links}
    missing = {
        each.name for each in PAGES if each.path.parent.name == "docs" and each.path not in linked | {index.path}
    }
    assert not missing


@pytest.mark.parametrize("name", generated.BLOCKS)
def test_generated_tables_are_current(name: str) -> None:
    assert page(f"docs/{name}").text == generated.rendered(name), "run: python -m tests.docs.generated"


def test_the_example_configuration_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = (content for language, content in page("docs/settings.md").code if language == "toml")
    everything = re.sub(r"^# (\w+ = )", r"\1", example, flags=re.MULTILINE)
    assert set(tomllib.loads(everything)) == set(Settings.model_fields)
    for text in (example, everything):
        path = tmp_path / "mooring.toml"
        path.write_text(text)
        monkeypatch.setenv("MOORING_CONFIG", str(path))
        load()


def test_variables_are_settings() -> None:
    known = {f"MOORING_{name.upper()}" for name in Settings.model_fields} | OTHER_VARIABLES
    for each in PAGES:
        named = set(re.findall(r"\bMOORING_[A-Z_]+[A-Z]\b", each.text))
        assert named <= known, f"{each.name} names {named - known}"


def test_make_targets_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    found = {(each.name, words[1]) for each, words in commands() if words[:1] == ["make"] and len(words) > 1}
    assert {target for _, target in found} >= {"serve", "test"}
    assert not {(name, target) for name, target in found if target not in targets}


def test_commands_are_there() -> None:
    group = typer.main.get_command(application)
    # The chart's page speaks of a command that is to come.
    pages = [each for each in PAGES if not each.name.startswith("deploy/")]
    lines = [
        (each, words) for each, words in commands() if each in pages and Path((words or [""])[0]).name == "mooring"
    ]
    assert len(lines) > 10
    for each, words in lines:
        _require(group, shlex.split(" ".join(words))[1:], f"{each.name}: {' '.join(words)}")


def _require(command: object, words: list[str], where: str) -> None:
    if isinstance(command, TyperGroup):
        default = getattr(command, "default", None)
        if default and (words[:1] or ["--"])[0] not in command.commands:
            _require(command.commands[default], words, where)
        elif words and not words[0].startswith("-") and words[0] != "…":
            assert words[0] in command.commands, where
            _require(command.commands[words[0]], words[1:], where)
        return
    options = {option for parameter in getattr(command, "params", []) for option in parameter.opts}
    for word in words:
        if word in ("|", ">", "&&"):
            return
        if word.startswith("--"):
            assert word.partition("=")[0] in options, where


def test_both_readmes_say_the_same() -> None:
    english, chinese = page("README.md"), page("README.zh-CN.md")
    assert [re.sub(r"#.*", "", code) for _, code in english.code] == [
        re.sub(r"#.*", "", code) for _, code in chinese.code
    ]
    assert len(english.anchors) == len(chinese.anchors)


def test_the_first_start_prints_what_the_readme_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mooring.cli.serve import greet
    from mooring.installation import Installed

    greet(load(data=Path("data")), Installed(first=True, admin_password="U7_YIdOlgcRTKDaDd18k"))
    assert f"$ make serve\n{capsys.readouterr().out}" in page("README.md").text
