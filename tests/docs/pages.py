"""The documentation as tests read it: pages, their headings, links and code."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FENCE: Final = re.compile(r"^(```+)(\w*)\n(.*?)^\1$", re.DOTALL | re.MULTILINE)
HEADING: Final = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Page:
    path: Path

    @property
    def name(self) -> str:
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        return FENCE.sub("", self.text)

    @property
    def anchors(self) -> set[str]:
        """As GitHub makes them from headings."""
        return {_slug(heading) for heading in HEADING.findall(self.prose)}

    @property
    def links(self) -> list[str]:
        return LINK.findall(self.prose)

    @property
    def code(self) -> Iterator[tuple[str, str]]:
        """Language and content of each block."""
        return ((language, content) for _, language, content in FENCE.findall(self.text))

    @property
    def sections(self) -> Mapping[str, str]:
        """What stands under each heading, up to the next one."""
        parts = re.split(r"^#{1,6} +(.+?) *$\n", self.text, flags=re.MULTILINE)
        return dict(zip(map(_slug, parts[1::2]), parts[2::2], strict=True))


PAGES: Final = tuple(
    Page(path) for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")])
)


def page(name: str) -> Page:
    return Page(ROOT / name)


def _slug(heading: str) -> str:
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
