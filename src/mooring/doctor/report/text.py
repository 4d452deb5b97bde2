"""A report for a terminal."""

from collections.abc import Iterator
from typing import Any

from mooring.doctor.report.words import CONFIDENCE, HEADINGS, STATES, summary
from mooring.doctor.texts import Language


def rendered(report: dict[str, Any], language: Language) -> str:
    return "\n".join(_lines(report, language)) + "\n"


def _lines(report: dict[str, Any], language: Language) -> Iterator[str]:
    def tell(word: str, **values: object) -> str:
        return HEADINGS[word].of(language).format(**values)

    findings = report["findings"]
    yield tell("title", target=report["target"])
    yield summary(len(findings), language)
    for finding in findings:
        yield ""
        cause = finding["cause"] or tell("unknown")
        yield f"{cause}  {finding['title']}  ({CONFIDENCE[finding['confidence']].of(language)})"
        if finding["harmless"]:
            yield f"  {tell('harmless')}"
        yield from (f"  - {line}" for line in finding["evidence"])
        yield f"  {tell('remedy')}: {finding['remedy']}"
        if finding["related"]:
            yield f"  {tell('related')}: {', '.join(finding['related'])}"
        yield f"  {tell('more')}: {finding['more']}"
    yield ""
    yield f"{tell('checks')}:"
    for check in report["checks"]:
        state = STATES[check["state"]].of(language)
        needs = f" {' / '.join(check['needs'])}" if check["needs"] else ""
        causes = f" [{' '.join(check['causes'])}]" if check["causes"] else ""
        yield f"  {check['question']}{causes}: {state}{needs}"
    if report["refusals"]:
        yield ""
        yield f"{tell('refusals')}:"
        yield from (f"  {line}" for line in report["refusals"])
    if report["gaps"]:
        yield ""
        yield f"{tell('gaps')}:"
        yield from (f"  {gap['what']}: {gap['why']}" for gap in report["gaps"])
    yield ""
    credentials = report["credentials"]
    if credentials is None:
        yield tell("anonymous")
    else:
        places = ", ".join(credentials["sent_to"])
        yield tell("sent", name=credentials["name"], source=credentials["source"], places=places)
    yield tell("made", time=report["made_at"], tool=report["tool"])
