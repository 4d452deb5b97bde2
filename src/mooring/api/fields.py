"""What the bodies of requests and answers are made of."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

LARGEST = 2**63 - 1
NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"

Line = Annotated[str, StringConstraints(max_length=255, pattern=NO_CONTROLS)]
Note = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]
Secret = Annotated[str, StringConstraints(max_length=1024, pattern=r"^[^\x00]*$")]
Number = Annotated[int, Field(ge=-LARGEST, le=LARGEST)]
Id = Annotated[int, Field(ge=1, le=LARGEST)]


def named(names: str) -> frozenset[str]:
    return frozenset(names.split())


class Body(BaseModel):
    """What a client sends. Only what is declared is ever taken (CVE-2019-16097), and a misspelt name is refused.

    `dropped` names what Harbor's clients send back because they read it, and what Harbor ignores there as well.
    """

    model_config = ConfigDict(extra="forbid")
    dropped: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def drop(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        return {name: value for name, value in given.items() if name not in cls.dropped}


class Shape(BaseModel):
    """What an answer has. What is None is left out, as in Harbor."""
