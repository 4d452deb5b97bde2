"""The Dockerfile's rules, read from its text: no image is pulled or built here (`test_image.py` does that)."""

import fnmatch
import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from tests.programs import ROOT

KNOWN: Final = {
    *("FROM", "ARG", "ENV", "LABEL", "RUN", "COPY", "WORKDIR"),
    *("USER", "EXPOSE", "VOLUME", "ENTRYPOINT", "CMD"),
}


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        return shlex.split(self.rest)


def instructions(text: str) -> list[Instruction]:
    """With continued lines joined and comments gone."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines()
    return [Instruction(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined)]


def stages() -> list[list[Instruction]]:
    found: list[list[Instruction]] = []
    for instruction in instructions((ROOT / "Dockerfile").read_text()):
        if instruction.word == "FROM":
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


def everything() -> list[Instruction]:
    return instructions((ROOT / "Dockerfile").read_text())


def last(word: str) -> Instruction:
    return [instruction for instruction in stages()[-1] if instruction.word == word][-1]


def test_it_uses_plain_instructions_only() -> None:
    """No ADD, which unpacks and fetches; no HEALTHCHECK, since probes ask; no ONBUILD, SHELL or MAINTAINER."""
    assert {instruction.word for instruction in everything()} <= KNOWN


def test_two_stages_of_one_pinned_base() -> None:
    assert [stage[0].rest for stage in stages()] == ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"]
    default = everything()[0]
    assert default.word == "ARG"
    name, _, image = default.rest.partition("=")
    assert name == "PYTHON_IMAGE"
    assert re.fullmatch(r"docker\.io/library/python:3\.1[1-4]-slim-\w+", image), image


def test_nobody_is_root_at_run_time() -> None:
    words = [instruction.word for instruction in stages()[-1]]
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", last("USER").rest)
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert "RUN" not in words[words.index("USER") :]


def test_the_chart_runs_the_same_user() -> None:
    values = (ROOT / "deploy" / "helm" / "mooring" / "values.yaml").read_text()
    user, group = last("USER").rest.split(":")
    assert f"runAsUser: {user}\n" in values
    assert f"runAsGroup: {group}\n" in values


def test_it_starts_without_a_shell() -> None:
    assert json.loads(last("ENTRYPOINT").rest) == ["mooring"]
    assert json.loads(last("CMD").rest) == ["serve"]
    assert json.loads(last("VOLUME").rest) == ["/var/lib/mooring"]


def test_everything_installed_is_pinned_and_hashed_and_no_cache_is_left() -> None:
    commands = [part for item in everything() if item.word == "RUN" for part in item.rest.split("&&")]
    installs = [command for command in commands if re.search(r"\bpip install\b", command)]
    assert len(installs) == 3
    for command in installs:
        assert "--no-cache" in command
        offline = "--offline" in command and "--no-deps" in command
        assert offline or "--require-hashes" in command, command
        assert offline or "--no-build" in command or "--only-binary :all:" in command, command
    for command in commands:
        assert not re.search(r"\b(curl|wget|apt-get|apk|git|sudo)\b", command), command


def test_the_last_stage_only_copies_what_was_built() -> None:
    copies = [item for item in stages()[-1] if item.word == "COPY"]
    assert [item.rest for item in copies] == ["--from=build /opt/mooring /opt/mooring"]


def test_it_says_what_it_is() -> None:
    labels = dict(word.partition("=")[::2] for item in stages()[-1] if item.word == "LABEL" for word in item.words)
    assert {"title", "description", "licenses", "version", "revision"} <= {
        name.removeprefix("org.opencontainers.image.") for name in labels
    }


def test_the_version_is_the_programs() -> None:
    from mooring import __version__

    assert Instruction("ARG", f"VERSION={__version__}") in stages()[-1]


def test_no_secret_is_part_of_it() -> None:
    for item in everything():
        if item.word in ("ARG", "ENV"):
            assert not re.search("PASSWORD|SECRET|KEY|TOKEN", item.rest), item


def test_what_is_removed_is_what_came_to_build_with() -> None:
    """Nothing that runs needs it: every removed package is there for hatchling alone."""
    lock = (ROOT / "requirements" / "serve.txt").read_text()
    command = next(item.rest for item in everything() if "pip uninstall" in item.rest)
    removed = set(command.partition("pip uninstall")[2].partition("&&")[0].split()[2:])
    needed = {
        name: set(re.findall(r"^    #(?: via|  ) +([\w-]+)", comment, re.MULTILINE))
        for name, comment in re.findall(r"^([\w.-]+)==.*?\n((?:    .*\n)+)", lock, re.MULTILINE)
    }
    assert removed == {"hatchling"} | {name for name, users in needed.items() if users == {"hatchling"}}


def copied() -> list[str]:
    return [source for item in stages()[0] if item.word == "COPY" for source in item.words[:-1]]


@pytest.mark.parametrize("source", copied())
def test_what_is_copied_is_there_and_not_ignored(source: str) -> None:
    assert (ROOT / source).exists()
    assert let_through(source)


@pytest.mark.parametrize(
    "path",
    [".git/config", ".env", "data/master.key", ".venv/bin/python", "deploy/compose/.env", "tests/api.py", "Dockerfile",
     "src/mooring/__pycache__/app.cpython-311.pyc"],
)  # fmt: skip
def test_what_has_no_place_in_an_image_is_ignored(path: str) -> None:
    assert not let_through(path)


def let_through(path: str) -> bool:
    """Docker's rule: of the lines of .dockerignore that fit the path or a folder it is in, the last decides."""
    through = True
    places = [Path(path), *Path(path).parents][:-1]
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        kept = pattern.startswith("!")
        text = pattern.lstrip("!").removeprefix("**/")
        anywhere = "**/" in pattern
        if any(fnmatch.fnmatch(str(place.name if anywhere else place), text) for place in places):
            through = kept
    return through
