"""What `/metrics` shows, as Prometheus' own client reads it."""

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Shown:
    families: Mapping[str, Metric]

    def sum(self, name: str, **labels: str) -> float:
        """Of the samples with this name that have these labels; 0 where there is none."""
        return sum(value for _, value in self._samples(name, labels))

    def labels(self, name: str) -> list[Mapping[str, str]]:
        return [labels for labels, _ in self._samples(name, {})]

    def _samples(self, name: str, labels: Mapping[str, str]) -> list[tuple[Mapping[str, str], float]]:
        found = [sample for family in self.families.values() for sample in family.samples if sample.name == name]
        return [(each.labels, each.value) for each in found if labels.items() <= each.labels.items()]


def shown(text: bytes) -> Shown:
    """Fails where a family comes twice, which Prometheus refuses."""
    families = list(text_string_to_metric_families(text.decode()))
    by_name = {family.name: family for family in families}
    assert len(by_name) == len(families)
    # A process without others beside it says of each counter when it began; no server does.
    return Shown({name: family for name, family in by_name.items() if not name.endswith("_created")})
