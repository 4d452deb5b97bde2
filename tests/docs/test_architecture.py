"""The diagram shows the parts that there are, and the code's imports follow its arrows."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.docs.pages import ROOT, page

SOURCE: Final = ROOT / "src" / "mooring"
ENTRY_POINTS: Final = frozenset({"__init__", "__main__"})


def layers() -> list[set[str]]:
    """The diagram's boxes, from the top down."""
    (diagram,) = (content for language, content in page("docs/architecture.md").code if language == "mermaid")
    found = re.findall(r"^    subgraph (\w+)\n(.*?)^    end$", diagram, re.MULTILINE | re.DOTALL)
    names = [name for name, _ in found]
    assert f"{' --> '.join(names)}\n" in diagram, "the boxes stand in the order of their arrows"
    return [set(re.findall(r'^        (\w+)\["', body, re.MULTILINE)) for _, body in found]


def parts() -> set[str]:
    return {path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}


def imports(path: Path) -> Iterator[str]:
    """The parts of Mooring that a module imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "mooring":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("mooring."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("mooring."))


def test_shows_every_part() -> None:
    assert set.union(*layers()) == parts() - ENTRY_POINTS


@pytest.mark.parametrize("part", sorted(parts() - ENTRY_POINTS))
def test_imports_point_down(part: str) -> None:
    order = {name: number for number, layer in enumerate(layers()) for name in layer}
    modules = (SOURCE / part).rglob("*.py") if (SOURCE / part).is_dir() else [SOURCE / f"{part}.py"]
    for module in modules:
        above = {name for name in imports(module) if name in order and order[name] < order[part]}
        assert not above, f"{module.relative_to(ROOT)} imports {above} from above itself"
