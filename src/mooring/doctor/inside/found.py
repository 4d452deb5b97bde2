"""What a way of looking adds to the observations."""

from dataclasses import dataclass, field, replace

from mooring.doctor.observations import Door, Gap, Instance, Kubernetes, LogHit, Observations


@dataclass
class Found:
    instances: list[Instance] = field(default_factory=list)
    logs: list[LogHit] = field(default_factory=list)
    logs_read: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    doors: list[Door] = field(default_factory=list)
    kubernetes: Kubernetes | None = None


def added(seen: Observations, found: Found) -> Observations:
    """All but the doors, which belong to what was asked over HTTP."""
    return replace(
        seen,
        instances=(*seen.instances, *found.instances),
        logs=(*seen.logs, *found.logs),
        logs_read=(*seen.logs_read, *found.logs_read),
        kubernetes=seen.kubernetes or found.kubernetes,
        gaps=(*seen.gaps, *found.gaps),
    )
