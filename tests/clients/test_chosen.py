"""What is chosen to run over replicas by its name: one that was renamed would silently not run there any more."""

import re
from pathlib import Path

from tests.clients.conftest import OVER_REPLICAS


def test_every_chosen_test_is_there() -> None:
    texts = [path.read_text() for path in Path(__file__).parent.glob("test_*.py")]
    assert {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)} >= OVER_REPLICAS
