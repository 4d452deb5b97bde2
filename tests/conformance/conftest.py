"""The suite's program, and its counts for whoever reads a log."""

from pathlib import Path

import pytest

from tests.conformance.suite import program

PROPERTY = "conformance"


@pytest.fixture(scope="session")
def suite() -> Path:
    """Looked for before anything is started for nothing: a test names it first."""
    return program()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the counts of each run of the suite, also where all passed: a log of CI is read for them."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    lines = [value for report in reports for name, value in report.user_properties if name == PROPERTY]
    if lines:
        terminalreporter.section("conformance")
        for line in lines:
            terminalreporter.line(str(line))
