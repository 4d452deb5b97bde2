"""Scopes of the token specification: `type[(class)]:name:action[,action]` (distribution/docs, spec/auth/scope)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

READABLE = re.compile(r"[!#-\[\]-~]{1,512}")
"""Printable ASCII but for what JSON would escape: a text's length is its length in a token."""

LONGEST = 8192
"""Of all texts together: the token that names them must fit into headers, ours and those of proxies."""

MOST = 64
ACTION = re.compile(r"[a-z*][a-z-]{0,31}|\*")


@dataclass(frozen=True)
class Scope:
    type: str
    name: str
    actions: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.type}:{self.name}:{','.join(self.actions)}"

    def claim(self) -> dict[str, object]:
        return {"type": self.type, "name": self.name, "actions": list(self.actions)}


def parse_scopes(values: Iterable[str]) -> list[Scope]:
    """Each value may hold several scopes apart by spaces. What can't be read grants nothing and is left out."""
    texts = [text for value in values for text in value.split() if READABLE.fullmatch(text)][:MOST]
    fitting = [text for text, total in zip(texts, accumulate(map(len, texts)), strict=True) if total <= LONGEST]
    merged: dict[tuple[str, str], dict[str, None]] = {}
    for scope in filter(None, map(_parse, fitting)):
        merged.setdefault((scope.type, scope.name), {}).update(dict.fromkeys(scope.actions))
    return [Scope(type_, name, tuple(actions)) for (type_, name), actions in merged.items()]


def _parse(text: str) -> Scope | None:
    # The name may hold a colon of its own (host:port), so actions start at the last one.
    type_, first, rest = text.partition(":")
    name, last, actions = rest.rpartition(":")
    if not (first and last and type_ and name):
        return None
    type_ = type_.partition("(")[0]
    wanted = tuple(action for action in actions.split(",") if ACTION.fullmatch(action))
    return Scope(type_, name, wanted)
