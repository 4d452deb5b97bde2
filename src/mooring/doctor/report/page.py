"""A report as one HTML file that needs nothing else."""

from collections.abc import Iterator
from html import escape
from typing import Any, Final

from mooring.doctor.report.words import CONFIDENCE, HEADINGS, STATES, summary
from mooring.doctor.texts import Language

STYLE: Final = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733; }
article { border: 1px solid #cdd5dd; border-left: .4rem solid #8a97a5; padding: .2rem 1rem 1rem; margin: 1rem 0; }
article.certain { border-left-color: #b3261e; } article.likely { border-left-color: #c77700; }
li { overflow-wrap: anywhere; } small { color: #566473; } table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #e1e6eb; padding: .25rem .5rem; text-align: left; vertical-align: top; }
@media (prefers-color-scheme: dark) { body { background: #14191f; color: #e4e9ee; } small { color: #9fb0c0; }
article, td, th { border-color: #36424e; } }
"""


def rendered(report: dict[str, Any], language: Language) -> str:
    code = "zh-CN" if language == "zh" else "en"
    title = escape(HEADINGS["title"].of(language).format(target=report["target"]))
    return (
        f'<!doctype html>\n<html lang="{code}"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head>\n<body><h1>{title}</h1>\n"
        + "\n".join(_body(report, language))
        + "\n</body></html>\n"
    )


def _body(report: dict[str, Any], language: Language) -> Iterator[str]:
    def tell(word: str, **values: object) -> str:
        return escape(HEADINGS[word].of(language).format(**values))

    findings = report["findings"]
    yield f"<p>{escape(summary(len(findings), language))}</p>"
    for finding in findings:
        cause = escape(finding["cause"] or HEADINGS["unknown"].of(language))
        sure = escape(CONFIDENCE[finding["confidence"]].of(language))
        yield f'<article class="{finding["confidence"]}"><h2>{cause} {escape(finding["title"])}</h2>'
        harmless = f" {tell('harmless')}" if finding["harmless"] else ""
        yield f"<p><small>{sure}.{harmless}</small></p><h3>{tell('evidence')}</h3><ul>"
        yield from (f"<li>{escape(line)}</li>" for line in finding["evidence"])
        related = (
            f"<br><small>{tell('related')}: {escape(', '.join(finding['related']))}</small>"
            if finding["related"]
            else ""
        )
        yield f"</ul><h3>{tell('remedy')}</h3><p>{escape(finding['remedy'])}{related}<br>"
        yield f"<small>{tell('more')}: {escape(finding['more'])}</small></p></article>"
    yield f"<h2>{tell('checks')}</h2><table>"
    for check in report["checks"]:
        state = escape(" ".join([STATES[check["state"]].of(language), " / ".join(check["needs"])]).strip())
        causes = escape(" ".join(check["causes"]))
        yield f"<tr><td>{escape(check['question'])}</td><td>{causes}</td><td>{state}</td></tr>"
    yield "</table>"
    if report["refusals"]:
        yield f"<h2>{tell('refusals')}</h2><ul>"
        yield from (f"<li>{escape(line)}</li>" for line in report["refusals"])
        yield "</ul>"
    if report["gaps"]:
        yield f"<h2>{tell('gaps')}</h2><ul>"
        yield from (f"<li>{escape(gap['what'])}: {escape(gap['why'])}</li>" for gap in report["gaps"])
        yield "</ul>"
    credentials = report["credentials"]
    if credentials is None:
        sent = tell("anonymous")
    else:
        places = ", ".join(credentials["sent_to"])
        sent = tell("sent", name=credentials["name"], source=credentials["source"], places=places)
    yield f"<p>{sent} {tell('made', time=report['made_at'], tool=report['tool'])}</p>"
