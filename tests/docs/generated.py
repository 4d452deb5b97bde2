"""The parts of the documentation that the code writes. `python -m tests.docs.generated` brings them up to date."""

import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic.fields import FieldInfo

from mooring import errors
from mooring.access.permissions import PUBLIC, ROLES, SYSTEM, TABLE, Role
from mooring.api.access import Access, Level
from mooring.api.app import declared
from mooring.cli.serve import serve
from mooring.cluster.configuration import CHANGEABLE
from mooring.errors import MooringError
from mooring.observe import catalogue
from mooring.refusals import RULINGS
from mooring.registry.endpoints.routes import ROUTES
from mooring.settings import Settings

DOCS: Final = Path(__file__).parents[2] / "docs"
MIB: Final = 1024 * 1024
OPTIONS: Final = frozenset(inspect.signature(serve).parameters)

COMPUTED: Final = {"workers": ("one for each core, at most 4", 2)}
"""Defaults that the machine gives: in words, and as an example."""

EXAMPLES: Final[dict[str, object]] = {
    "replica": "registry-1",
    "address": "http://10.0.0.11:5000",
    "alert_webhook": "https://hooks.example/T0/B0/secret",
    "alert_mail_server": "smtp://mail.example:587",
    "alert_mail_username": "mooring",
    "alert_mail_password": "Secret-of-the-mail-1",
    "alert_mail_from": "Mooring <registry@mail.example>",
    "alert_mail_to": "oncall@mail.example, ops@mail.example",
    "probe_url": "https://registry.example",
    "admin_password": "Change-This-1",
    "external_url": "https://registry.example",
    "database_url": "sqlite:////var/lib/mooring/mooring.db",
    "store": "file:///var/lib/mooring/objects",
    "master_key": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "master_key_file": "/etc/mooring/master.key",
    "master_key_previous": "Zm9ydHktdHdvIGlzIG5vdCBhIGdvb2Qgc2VjcmV0LiE=",
    "master_key_previous_file": "/etc/mooring/master.key.previous",
}
"""What a setting without a default may look like."""

ANSWERED_ELSEWHERE: Final = frozenset({"CLIENT_CLOSED"})
"""Codes that no client ever reads."""


def settings() -> Iterator[str]:
    yield from _head("setting", "variable", "option", "default", "while serving", "meaning")
    for name, field in Settings.model_fields.items():
        yield _row(
            f"`{name}`",
            f"`MOORING_{name.upper()}`",
            f"`--{name.replace('_', '-')}`" if name in OPTIONS else "",
            _default_text(name, field),
            "yes" if name in CHANGEABLE else "",
            field.description or "",
        )


def configuration_file() -> Iterator[str]:
    """A whole `mooring.toml`: each setting at its default, those without one as a comment."""
    yield "```toml"
    for number, (name, field) in enumerate(Settings.model_fields.items()):
        value = _default(name, field)
        yield from [""] * (number > 0)
        yield f"# {field.description}"
        yield f"# {name} = {_toml(EXAMPLES[name])}" if value is None else f"{name} = {_toml(value)}"
    yield "```"


def reasons() -> Iterator[str]:
    yield from _head("reason", "HTTP", "code", "in short")
    for reason, ruling in RULINGS.items():
        yield _row(f"[`{reason}`](#{reason})", str(ruling.status), f"`{ruling.code}`", ruling.explanation)


def codes() -> Iterator[str]:
    yield from _head("HTTP", "code", "message")
    found = {(kind.status, kind.code): kind.message for kind in reversed(list(_kinds(MooringError)))}
    for (status, code), message in sorted(found.items()):
        if code not in ANSWERED_ELSEWHERE:
            yield _row(str(status), f"`{code}`", message)


def registry_routes() -> Iterator[str]:
    yield from _head("path", "methods, and what each needs in the repository")
    for route in ROUTES:
        template = route.template.removesuffix("?")
        yield _row(f"`{template}`", ", ".join(f"{name} `{method.action}`" for name, method in route.methods.items()))


def management_routes() -> Iterator[str]:
    yield from _head("path", "methods, and what each needs")
    paths: dict[str, list[str]] = {}
    for route, access in declared():
        if route.include_in_schema:
            for method in sorted(route.methods or ()):
                paths.setdefault(route.path, []).append(f"{method} {_needed(access)}")
    for path, methods in paths.items():
        yield _row(f"`{path}`", ", ".join(methods))


def roles() -> Iterator[str]:
    strongest_first = (Role.PROJECT_ADMIN, Role.MAINTAINER, Role.DEVELOPER, Role.GUEST, Role.LIMITED_GUEST)
    columns: dict[Role | None, str] = {role: role.harbor_name for role in strongest_first}
    columns[PUBLIC] = "anybody, if public"
    yield from _head("resource and action", *columns.values())
    for permission in TABLE:
        yield _row(f"`{permission}`", *("yes" if permission in ROLES[role] else "" for role in columns))


def system_permissions() -> Iterator[str]:
    yield ", ".join(f"`{permission}`" for permission in sorted(SYSTEM))


def metrics() -> Iterator[str]:
    yield from _head("metric", "type", "labels", "unit", "is", "what to do")
    for each in catalogue.METRICS:
        labels = ", ".join(f"`{label}`" for label in each.labels)
        yield _row(f"`{each.name}`", each.kind, labels, each.unit, f"{each.meaning}.", each.advice)


BLOCKS: Final[Mapping[str, Mapping[str, Callable[[], Iterator[str]]]]] = {
    "settings.md": {"settings": settings, "file": configuration_file},
    "metrics.md": {"metrics": metrics},
    "refusals.md": {"reasons": reasons, "codes": codes},
    "api.md": {
        "registry": registry_routes,
        "management": management_routes,
        "roles": roles,
        "system": system_permissions,
    },
}


def rendered(name: str) -> str:
    """A page with its generated parts as the code has them now. Raises ValueError where it has no place for one."""
    page = (DOCS / name).read_text(encoding="utf-8")
    for block, write in BLOCKS[name].items():
        begin, end = f"<!-- {block}: generated -->\n", f"<!-- {block}: end -->"
        before, _, rest = page.partition(begin)
        _, found, after = rest.partition(end)
        if not found:
            raise ValueError(f"docs/{name} has no place for {block}")
        page = "\n".join([f"{before}{begin}", *write(), "", f"{end}{after}"])
    return page


def _kinds(kind: type[MooringError]) -> Iterator[type[MooringError]]:
    """What `errors` declares: a refusal is a chapter of its own."""
    if kind.__module__ == errors.__name__:
        yield kind
    for each in kind.__subclasses__():
        yield from _kinds(each)


def _needed(access: Access) -> str:
    if access.level is Level.OPEN:
        return "anybody"
    if access.level is Level.LOGIN or access.permission is None:
        return "a login"
    own = " or the account itself" if access.level is Level.SELF else ""
    where = " in the system" if access.level in (Level.SYSTEM, Level.SELF) else ""
    return f"`{access.permission}`{where}{own}"


def _head(*columns: str) -> list[str]:
    return [_row(*columns), "|" + "---|" * len(columns)]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(name: str, field: FieldInfo) -> object:
    return COMPUTED[name][1] if name in COMPUTED else field.default


def _default_text(name: str, field: FieldInfo) -> str:
    if name in COMPUTED:
        return COMPUTED[name][0]
    value: Any = field.default
    if value is None:
        return "unset"
    if name.endswith("_limit") and value % MIB == 0:
        return f"`{value}` ({value // MIB // 1024} GiB)" if value >= 1024 * MIB else f"`{value}` ({value // MIB} MiB)"
    return f"`{_plain(value)}`"


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else str(value)


def _toml(value: object) -> str:
    return json.dumps(str(value)) if isinstance(value, str | Path) else _plain(value)


if __name__ == "__main__":
    for page in BLOCKS:
        (DOCS / page).write_text(rendered(page), encoding="utf-8")
