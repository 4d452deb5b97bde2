"""The checks run over what was observed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from mooring.doctor.checks.catalogue import CHECKS
from mooring.doctor.checks.readings import doors, versions
from mooring.doctor.findings import Check, Finding, merged
from mooring.doctor.observations import Observations


@dataclass(frozen=True)
class Looked:
    """One check: what it found, or `missing`, what it would have needed."""

    check: Check
    found: tuple[Finding, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Diagnosis:
    seen: Observations
    findings: tuple[Finding, ...]
    looked: tuple[Looked, ...]


def diagnose(seen: Observations, checks: Sequence[Check] = CHECKS) -> Diagnosis:
    """Reads the observations and nothing else: a bundle gives what the registry itself gave."""
    have = sources(seen)
    looked = []
    for check in checks:
        if set(check.needs) & have:
            found = tuple(replace(finding, check=check.id) for finding in check.find(seen))
            looked.append(Looked(check, found))
        elif ("mooring" in have) == ("mooring" in check.needs):
            looked.append(Looked(check, (), check.needs))
    findings = merged(finding for each in looked for finding in each.found)
    return Diagnosis(seen, tuple(findings), tuple(looked))


def sources(seen: Observations) -> set[str]:
    """What there is to look at, by the names that checks ask for."""
    asked, found = seen.asked, doors(seen)
    if asked is not None and asked.replicas:
        return {"mooring"}
    there: Final = {
        "http": bool(found),
        "entrance": bool(asked and asked.entrance),
        "cores": sum(door.direct for door in found) > 1,
        "credentials": bool(asked and asked.account),
        "login": any(grant.subject for door in found for grant in door.logins),
        "token": any(door.reads or door.uploads for door in found),
        "uploads": any(answer.status == 202 for door in found for answer in door.uploads),
        "mount": any(door.mount for door in found),
        "csrf": bool(asked and any(crossing.kind == "csrf" for crossing in asked.crossings)),
        "projects": any(project.direct_status for door in found for project in door.projects),
        "repository": bool(asked and asked.repository_was_named),
        "versions": bool(versions(seen)),
        "instances": bool(seen.instances),
        "logs": bool(seen.logs_read),
        "kubernetes": seen.kubernetes is not None,
    }
    return {name for name, present in there.items() if present}
