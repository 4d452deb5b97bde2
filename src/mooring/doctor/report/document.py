"""A diagnosis as plain data: what the three forms of a report say."""

from typing import Any, Final

from mooring.doctor.checks.cluster import censuses
from mooring.doctor.checks.refusals import told
from mooring.doctor.examination import Diagnosis, Looked
from mooring.doctor.findings import Finding
from mooring.doctor.report.words import NEEDS
from mooring.doctor.texts import Language
from mooring.doctor.times import shown

PAGE: Final = "docs/doctor.md"


def document(diagnosis: Diagnosis, language: Language) -> dict[str, Any]:
    seen = diagnosis.seen
    account = seen.asked.account if seen.asked else None
    return {
        "target": seen.target,
        "made_at": shown(seen.made_at),
        "tool": seen.tool,
        "credentials": None
        if account is None
        else {"name": account.name, "source": account.source, "sent_to": list(account.sent_to)},
        "findings": [_finding(finding, language) for finding in diagnosis.findings],
        "checks": [_check(looked, language) for looked in diagnosis.looked],
        "refusals": [told(each).of(language) for census in censuses(seen) for each in census.refusals],
        "gaps": [{"what": gap.what.of(language), "why": gap.why.of(language)} for gap in seen.gaps],
    }


def _finding(finding: Finding, language: Language) -> dict[str, Any]:
    return {
        "cause": finding.cause,
        "title": finding.title.of(language),
        "evidence": [text.of(language) for text in finding.evidence],
        "confidence": finding.confidence,
        "remedy": finding.remedy.of(language),
        "related": list(finding.related),
        "harmless": finding.harmless,
        "check": finding.check,
        "more": f"{PAGE}#{finding.cause.lower()}" if finding.cause else PAGE,
    }


def _check(looked: Looked, language: Language) -> dict[str, Any]:
    state = "broken" if looked.broken else "missing" if looked.missing else "found" if looked.found else "clear"
    broken = [looked.broken] if looked.broken else []
    return {
        "id": looked.check.id,
        "question": looked.check.question.of(language),
        "causes": list(looked.check.causes),
        "state": state,
        "needs": [NEEDS[need].of(language) for need in looked.missing] or broken,
    }
