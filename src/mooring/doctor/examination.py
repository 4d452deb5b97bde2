"""The checks run over what was observed."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from mooring.doctor.checks.catalogue import CHECKS
from mooring.doctor.checks.cluster import censuses
from mooring.doctor.checks.readings import doors, versions
from mooring.doctor.findings import Check, Finding, merged
from mooring.doctor.observations import Asked, Door, Observations


@dataclass(frozen=True)
class Looked:
    """One check: what it found, or `missing`, what it would have needed."""

    check: Check
    found: tuple[Finding, ...]
    missing: tuple[str, ...] = ()
    broken: str = ""
    """The error, when what was seen is nothing that this check can make sense of."""


@dataclass(frozen=True)
class Diagnosis:
    seen: Observations
    findings: tuple[Finding, ...]
    looked: tuple[Looked, ...]


OF_A_MOORING: Final = frozenset({"mooring", "crossed", "census", "store"})


def diagnose(seen: Observations, checks: Sequence[Check] = CHECKS) -> Diagnosis:
    """Reads the observations and nothing else: a bundle gives what the registry itself gave."""
    have = sources(seen)
    looked = []
    for check in checks:
        if set(check.needs) & have:
            looked.append(_looked(check, seen))
        elif _concerns(check, have):
            looked.append(Looked(check, (), check.needs))
    findings = merged(finding for each in looked for finding in each.found)
    return Diagnosis(seen, tuple(findings), tuple(looked))


def _looked(check: Check, seen: Observations) -> Looked:
    """A registry that answers as none ever did must not hide what the other checks find."""
    try:
        return Looked(check, tuple(replace(finding, check=check.id) for finding in check.find(seen)))
    except Exception as error:  # noqa: BLE001 - whatever it was, the report tells it
        return Looked(check, (), broken=f"{type(error).__name__}: {error}")


def sources(seen: Observations) -> set[str]:
    """What there is to look at, by the names that checks ask for."""
    asked, found = seen.asked, doors(seen)
    there = {
        "address": bool(asked and asked.doors),
        "https": bool(asked and asked.certificates),
        "mooring": bool(asked and asked.replicas),
        "crossed": bool(asked and asked.replicas and any(crossing.kind == "token" for crossing in asked.crossings)),
        "census": bool(censuses(seen)),
        "store": bool(seen.installation and seen.installation.store),
    }
    if not any(there[need] for need in OF_A_MOORING):
        there |= _of_a_harbor(seen, asked, found)
    return {name for name, present in there.items() if present}


def _concerns(check: Check, have: Set[str]) -> bool:
    """Whether what it would have needed is worth asking for: of a Mooring there is nothing of a Harbor's to see."""
    if "address" in check.needs or "https" in check.needs:
        return "address" in have
    return bool(OF_A_MOORING & have) == bool(OF_A_MOORING & set(check.needs))


def _of_a_harbor(seen: Observations, asked: Asked | None, found: Sequence[Door]) -> dict[str, bool]:
    return {
        "http": bool(found),
        "entrance": bool(asked and asked.entrance),
        "cores": sum(door.direct for door in found) > 1,
        "credentials": bool(asked and asked.account),
        "login": any(grant.subject for door in found for grant in door.logins),
        "token": any(door.reads or door.uploads for door in found),
        "opened": any(door.uploads for door in found),
        "uploads": any(answer.status == 202 for door in found for answer in door.uploads),
        "mount": any(door.mount for door in found),
        "csrf": bool(asked and any(crossing.kind == "csrf" for crossing in asked.crossings)),
        "projects": any(project.direct_status for door in found for project in door.projects),
        "quota": bool(asked and asked.quota),
        "repository": bool(asked and asked.repository_was_named),
        "versions": bool(versions(seen)),
        "instances": bool(seen.instances),
        "logs": bool(seen.logs_read),
        "kubernetes": seen.kubernetes is not None,
    }
