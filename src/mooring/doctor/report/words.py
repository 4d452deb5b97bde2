"""The words around findings, in both languages."""

from typing import Final

from mooring.doctor.texts import Language, Text

HEADINGS: Final = {
    "title": Text("Diagnosis of {target}", "{target} 的诊断"),
    "nothing": Text("Nothing was found that refuses pushes.", "没有发现会导致推送被拒的原因。"),
    "one": Text("One finding.", "1 项发现。"),
    "found": Text("{count} findings, the likeliest to refuse pushes first.", "{count} 项发现，最可能导致推送被拒的在前。"),
    "evidence": Text("Evidence", "证据"),
    "remedy": Text("Remedy", "处理"),
    "more": Text("More", "更多"),
    "related": Text("Also known as", "另见"),
    "harmless": Text("Pushes go through all the same, so far.", "目前推送仍可正常进行。"),
    "checks": Text("What was looked at", "检查内容"),
    "refusals": Text("Refused in the last day, by reason", "最近一天的拒绝，按原因"),
    "gaps": Text("What could not be looked at", "未能检查的内容"),
    "sent": Text("The credentials of {name} (from {source}) were sent to {places} and nowhere else.",
                 "{name} 的凭据 (来自 {source}) 只发送给了 {places}。"),
    "anonymous": Text("No credentials were used.", "未使用任何凭据。"),
    "unknown": Text("unknown", "未知"),
    "made": Text("Made at {time} by {tool}. Nothing was changed there.", "由 {tool} 于 {time} 生成。未对目标做任何更改。"),
}  # fmt: skip

CONFIDENCE: Final = {
    "certain": Text("certain", "确定"),
    "likely": Text("likely", "很可能"),
    "possible": Text("possible", "可能"),
}

STATES: Final = {
    "found": Text("found", "有发现"),
    "clear": Text("clear", "正常"),
    "broken": Text("could not be judged:", "无法判断："),
    "missing": Text("not looked at, needs", "未检查，需要"),
}

NEEDS: Final = {
    "http": Text("an address", "地址"),
    "entrance": Text("the entrance's address", "入口地址"),
    "cores": Text("the addresses of two cores", "两个 core 的地址"),
    "credentials": Text("credentials", "凭据"),
    "login": Text("credentials that are taken", "可用的凭据"),
    "token": Text("a project that may be read", "可读取的项目"),
    "opened": Text("credentials that may push", "可推送的凭据"),
    "uploads": Text("credentials that may push", "可推送的凭据"),
    "mount": Text("--mount-from and credentials that may push", "--mount-from 与可推送的凭据"),
    "csrf": Text("the portal's CSRF token", "门户的 CSRF 令牌"),
    "quota": Text("credentials that may read the project", "可读取该项目的凭据"),
    "projects": Text("a list of projects", "项目列表"),
    "repository": Text("--repository", "--repository"),
    "versions": Text("credentials, or the pods' images", "凭据或 Pod 的镜像"),
    "instances": Text("--compose, --namespace or a bundle", "--compose、--namespace 或收集的文件"),
    "logs": Text("logs", "日志"),
    "mooring": Text("the address of a Mooring", "Mooring 的地址"),
    "crossed": Text("credentials that are taken", "可用的凭据"),
    "census": Text("credentials of an administrator, or --here", "管理员凭据，或 --here"),
    "store": Text("--here", "--here"),
    "address": Text("an address", "地址"),
    "https": Text("an address with https", "https 地址"),
    "kubernetes": Text("--namespace", "--namespace"),
}


def summary(count: int, language: Language) -> str:
    """The first sentence of a report: how much was found."""
    word = "found" if count > 1 else "one" if count else "nothing"
    return HEADINGS[word].of(language).format(count=count)
