"""Sentences in both languages of a report."""

from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]


@dataclass(frozen=True)
class Text:
    en: str
    zh: str

    def of(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


def counted(number: int, one: str, many: str = "") -> str:
    """In English alone, `1 time` and `2 times`: a Chinese noun is the same for one and for many."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def same(text: str) -> Text:
    """What reads alike in every language: a log line, an address."""
    return Text(text, text)
