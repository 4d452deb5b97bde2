"""`mooring`'s commands, as an operator runs them beside the replicas."""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests import programs
from tests.server import inherited


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


def run(environment: Mapping[str, str], directory: Path, *words: str, module: str = "mooring", typed: str = "") -> Said:
    """With settings of this environment alone, and a data directory of its own."""
    done = subprocess.run(
        [sys.executable, "-m", module, *words],
        env={**inherited(), "MOORING_DATA": str(directory / "operator"), **environment},
        cwd=programs.ROOT,
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)
