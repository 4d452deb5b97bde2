"""How long fuzzing may take, and that a run in CI can be repeated."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings

F = TypeVar("F", bound=Callable[..., Any])


def bounded(examples: int) -> Callable[[F], F]:
    """New examples each time, but for CI: there the same ones."""
    found: Callable[[F], F] = settings(
        max_examples=examples,
        deadline=None,
        derandomize=os.environ.get("CI") == "true",
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )
    return found
