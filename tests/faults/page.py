"""docs/faults.md, written by the run that it tells of."""

import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from tests.faults.tally import BAD, Outcome, Row, Tally, by_client, by_fault

PAGE: Final = """# Under faults

Three replicas, each a process of its own, on PostgreSQL and {store}, behind haproxy, which sends every request to the
next replica. skopeo, the Docker engine and {ours} clients of our own push and pull all the time; what was pulled is
compared with what was pushed, byte for byte. Meanwhile one thing after another goes wrong, and then several at once.

This page is written by `{command}`: {when}, {machine}, {minutes:.0f} minutes.

- **refused**: answered 401, 403 or 404 although everything was right. It must be 0.
- **failed**: given up after the client's own retries, {why_failed}
- **lost**: acknowledged, and not there any more. **corrupt**: there, with other bytes. Both must be 0.

haproxy looks at each replica's `/readyz` twice a second, asks all when none is ready (as Envoy does), and asks another
one when a replica dies before it answered a GET (as nginx does). Docker needs both: a 502 or 503 to its very first
question makes it go on without its password.

{by_fault}

{by_client}

## What the faults saw

{notes}

## What failed, and why

{examples}

## The control

The same load on replicas that share their database and their store, but each with a signing key of its own, as a
broken Harbor has them. A suite that did not see refusals here would see none anywhere; then it fails.

{control}

{control_examples}
"""

WHY_FAILED: Final = (
    "such as a 503 or a broken connection at a step that the client tries once. skopeo is given `--retry-times`; "
    "docker tries the layers again, but neither its first request nor the manifest."
)


def page(tally: Tally, control: Tally, *, store: str, clients: int, command: str, began: datetime) -> str:
    ended = datetime.now(UTC)
    return PAGE.format(
        store=store,
        ours=clients,
        command=command,
        when=f"{began:%Y-%m-%d %H:%M} UTC",
        machine=machine(),
        minutes=(ended - began).total_seconds() / 60,
        why_failed=WHY_FAILED,
        by_fault=by_fault(tally),
        by_client=by_client(tally),
        notes=_notes(tally.rows),
        examples=_examples(tally.rows) or "Nothing failed.",
        control=by_fault(control),
        control_examples=_examples(control.rows, 2),
    )


def machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {_system()}, Python {platform.python_version()}"


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _notes(rows: Mapping[str, Row]) -> str:
    parts = []
    for fault, row in rows.items():
        lines = [*row.notes, *(f"MISSING: {each}" for each in row.missing)]
        parts += [f"- {fault}: {_indented(line)}" for line in lines if line]
    return "\n".join(parts)


def _examples(rows: Mapping[str, Row], most: int = 5) -> str:
    found = ((fault, text.replace("`", "")) for fault, row in rows.items() for text in row.examples[:most])
    return "\n".join(f"- {fault}: `{text}`" for fault, text in found)


def _indented(text: str) -> str:
    first, *others = text.splitlines()
    return "\n".join([first, "", "  ```text", *(f"  {line}" for line in others), "  ```"]) if others else first


def verdict(tally: Tally, control: Tally | None) -> list[str]:
    """What is wrong with a run, in words; empty for a good one."""
    found = [f"{tally.total(bad)} {bad}" for bad in BAD if tally.total(bad)]
    found += [each for row in tally.rows.values() for each in row.missing]
    found += [f"{client} did nothing" for client in tally.idle()]
    if tally.operations == 0:
        found.append("there was no operation")
    if control is not None and not control.total(Outcome.REFUSED):
        found.append("the control shows no refusals, so this suite sees none")
    return found
