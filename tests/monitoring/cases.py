"""Each alert: series over which it fires, what it says then, and series like them over which it must not.

Series are in promtool's notation, a value a minute.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

Series = Mapping[str, str]

ONE: Final = 'job="mooring",instance="a:5000"'
TWO: Final = 'job="mooring",instance="b:5000"'
SERVERS: Final = f'mooring_workers{{{ONE},role="server"}}'


@dataclass(frozen=True)
class Case:
    fires: Series
    quiet: Series
    summary: str
    description: str
    labels: Mapping[str, str] = field(default_factory=dict)
    """Beside `severity` and `job`."""
    severity: str = "warning"
    at: str = "15m"
    job: bool = True


CASES: Final[Mapping[str, Case]] = {
    "MooringRefusesTokens": Case(
        {f'mooring_refusals_total{{{ONE},reason="unknown_kid",replica="a"}}': "0x6 4x20"},
        {
            # Those were long ago, and this is what a wrong password makes.
            f'mooring_refusals_total{{{ONE},reason="unknown_kid",replica="a"}}': "4x30",
            f'mooring_refusals_total{{{ONE},reason="bad_credentials",replica="a"}}': "0+9x30",
        },
        "Tokens are refused for unknown_kid",
        "4 requests within 10 minutes came with a token that was not signed by this registry's keys. No client's "
        "mistake does that: another registry's tokens reach this one, or somebody forges them.",
        {"reason": "unknown_kid"},
        "critical",
    ),
    "MooringRefusalsRise": Case(
        {f'mooring_refusals_total{{{ONE},reason="expired",replica="a"}}': "0+1x400 400+30x60"},
        {
            f'mooring_refusals_total{{{ONE},reason="expired",replica="a"}}': "0+30x450",
            # Nobody knows yet what is usual.
            f'mooring_refusals_total{{{ONE},reason="disabled",replica="a"}}': "_x300 0+30x150",
            # Many times as many, and still few.
            f'mooring_refusals_total{{{ONE},reason="revoked",replica="a"}}': "0x400 0+1x15 15x40",
        },
        "Refusals for expired are four times as many as usual",
        "0.50 a second, over the last 10 minutes, compared with the six hours before.",
        {"reason": "expired"},
        at="415m",
    ),
    "MooringCheckFails": Case(
        {f'mooring_check_failed{{{ONE},check="store"}}': "0x10 1x20"},
        {f'mooring_check_failed{{{ONE},check="store"}}': "0x12 1 1 0x20"},
        "The check store of a:5000 fails",
        "This replica is not ready. /readyz of it says why, in words.",
        {"instance": "a:5000", "check": "store"},
    ),
    "MooringNoReplica": Case(
        {
            f"mooring_ready{{{ONE}}}": "0x30",
            SERVERS: "2x30",
            # A worker serves nobody.
            f"mooring_ready{{{TWO}}}": "1x30",
            f'mooring_workers{{{TWO},role="worker"}}': "1x30",
        },
        {
            f"mooring_ready{{{ONE}}}": "0x30",
            SERVERS: "2x30",
            f"mooring_ready{{{TWO}}}": "1x30",
            f'mooring_workers{{{TWO},role="server"}}': "1x30",
        },
        "No replica of the registry is ready",
        "Nobody can push or pull.",
        severity="critical",
        job=False,
    ),
    "MooringNotScraped": Case(
        {f"up{{{ONE}}}": "1x10 0x20", f'mooring_build_info{{{TWO},version="1.0"}}': "1x30"},
        {
            f"up{{{ONE}}}": "1x30",
            'up{job="other",instance="c"}': "0x30",
            f'mooring_build_info{{{ONE},version="1.0"}}': "1x30",
        },
        "a:5000 does not answer /metrics",
        "It is down, or can't be reached from Prometheus.",
        {"instance": "a:5000"},
    ),
    "MooringClockOff": Case(
        {f'mooring_clock_offset_seconds{{{ONE},replica="a"}}': "-120x30"},
        {
            f'mooring_clock_offset_seconds{{{ONE},replica="a"}}': "-12x30",
            f'mooring_clock_error_seconds{{{ONE},replica="a"}}': "0.004x30",
        },
        "The clock of a:5000 is off",
        "2m 0s off, or so uncertain. Tokens are right all the same.",
        {"instance": "a:5000", "replica": "a"},
    ),
    "MooringKeyNotReplaced": Case(
        {
            f'mooring_signing_key_age_seconds{{{ONE},state="active"}}': "2600000+60x30",
            f"mooring_signing_key_life_seconds{{{ONE}}}": "2592000x30",
        },
        {
            f'mooring_signing_key_age_seconds{{{ONE},state="active"}}': "2592000+60x30",
            f'mooring_signing_key_age_seconds{{{ONE},state="retiring"}}': "5592000+60x30",
            f"mooring_signing_key_life_seconds{{{ONE}}}": "2592000x30",
        },
        "The signing key is older than key_life_days",
        "It was made 30d 2h 28m 20s ago, and nothing took its place.",
        {"instance": "a:5000"},
    ),
    "MooringKeyWaits": Case(
        {f'mooring_signing_key_age_seconds{{{ONE},state="pending"}}': "0+60x30"},
        {f'mooring_signing_key_age_seconds{{{ONE},state="pending"}}': "0x30"},
        "A new signing key has been waiting for 15m 0s",
        "A replica that lives has not loaded it. The old one signs on.",
        {"instance": "a:5000", "state": "pending"},
    ),
    "MooringNoKey": Case(
        {f'mooring_signing_keys{{{ONE},state="active",replica="a"}}': "0x30", SERVERS: "2x30"},
        {
            f'mooring_signing_keys{{{ONE},state="active",replica="a"}}': "1x30",
            SERVERS: "2x30",
            # One that only works signs nothing.
            f'mooring_signing_keys{{{TWO},state="active",replica="b"}}': "0x30",
            f'mooring_workers{{{TWO},role="worker"}}': "1x30",
        },
        "a:5000 has no active signing key",
        "It can issue no tokens.",
        {"instance": "a:5000", "state": "active", "replica": "a"},
        "critical",
    ),
    "MooringConfigurationDiffers": Case(
        {
            f"mooring_configuration_version{{{ONE}}}": "3x30",
            f"mooring_configuration_version{{{TWO}}}": "4x30",
            f"mooring_cluster_configuration_version{{{ONE}}}": "4x30",
        },
        {
            f"mooring_configuration_version{{{ONE}}}": "3x14 4x20",
            f"mooring_configuration_version{{{TWO}}}": "4x30",
            f"mooring_cluster_configuration_version{{{ONE}}}": "4x30",
            f"mooring_cluster_configuration_version{{{TWO}}}": "4x30",
        },
        "a:5000 has an older configuration than the database",
        "Version 3 is in force there.",
        {"instance": "a:5000"},
    ),
    "MooringVersionsDiffer": Case(
        {
            f'mooring_build_info{{{ONE},version="1.0"}}': "1x100",
            f'mooring_build_info{{{TWO},version="1.1"}}': "1x100",
        },
        {
            f'mooring_build_info{{{ONE},version="1.1"}}': "1x100",
            f'mooring_build_info{{{TWO},version="1.0"}}': "1x40",
            f'mooring_build_info{{{TWO},version="1.1"}}': "_x40 1x60",
        },
        "Replicas run different versions",
        "2 versions for an hour: an upgrade left a replica behind.",
        at="80m",
    ),
    "MooringQueueLags": Case(
        {f'mooring_queue_lag_seconds{{{ONE},queue="reviews"}}': "0+120x30"},
        {
            f'mooring_queue_lag_seconds{{{ONE},queue="reviews"}}': "0 30 60 0 30 60 0x20",
            f'mooring_queue_lag_seconds{{{ONE},queue="refresh_tokens"}}': "3000x30",
        },
        "Background work lags: reviews",
        "The oldest row has been due for 30m 0s.",
        {"queue": "reviews"},
    ),
    "MooringWorkFails": Case(
        {f'mooring_work_total{{{ONE},work="collection",outcome="failed"}}': "0+1x30"},
        {
            f'mooring_work_total{{{ONE},work="collection",outcome="failed"}}': "0x10 1x20",
            f'mooring_work_total{{{ONE},work="collection",outcome="done"}}': "0+1x30",
        },
        "Background work fails: collection",
        "15 rounds within 15 minutes. The log's lines work_failed say why.",
        {"work": "collection"},
    ),
    "MooringDatabaseFails": Case(
        {f'mooring_database_failures_total{{{ONE},kind="write"}}': "0x5 0+20x20"},
        {f'mooring_database_failures_total{{{ONE},kind="write"}}': "0x12 2x20"},
        "The database fails a:5000",
        "100 transactions within 5 minutes could not be done.",
        {"instance": "a:5000"},
        "critical",
    ),
    "MooringDatabaseSlow": Case(
        {
            f'mooring_database_seconds_bucket{{{ONE},kind="write",le="1.0"}}': "0+1x40",
            f'mooring_database_seconds_bucket{{{ONE},kind="write",le="2.5"}}': "0+10x40",
            f'mooring_database_seconds_bucket{{{ONE},kind="write",le="+Inf"}}': "0+10x40",
        },
        {
            f'mooring_database_seconds_bucket{{{ONE},kind="write",le="1.0"}}': "0+99x40",
            f'mooring_database_seconds_bucket{{{ONE},kind="write",le="2.5"}}': "0+100x40",
            f'mooring_database_seconds_bucket{{{ONE},kind="write",le="+Inf"}}': "0+100x40",
        },
        "The database is slow for a:5000",
        "One write in twenty takes more than 2.417s.",
        {"instance": "a:5000", "kind": "write"},
        at="30m",
    ),
    "MooringStoreFails": Case(
        {f'mooring_store_failures_total{{{ONE},operation="PutObject"}}': "0x5 0+20x20"},
        {f'mooring_store_failures_total{{{ONE},operation="PutObject"}}': "0x12 2x20"},
        "The store fails a:5000",
        "100 operations (PutObject) within 5 minutes could not be done.",
        {"instance": "a:5000", "operation": "PutObject"},
        "critical",
    ),
    "MooringStoreFull": Case(
        {f'mooring_failures_total{{{ONE},code="STORAGE_FULL"}}': "0x12 3x20"},
        {f'mooring_failures_total{{{ONE},code="UNAVAILABLE"}}': "0x12 3x20"},
        "The store is full",
        "Pushes are answered with 507. Pulls go on.",
        severity="critical",
    ),
    "MooringServerErrors": Case(
        {
            f'mooring_requests_total{{{ONE},method="GET",route="manifests",status="200"}}': "0+90x30",
            f'mooring_requests_total{{{ONE},method="GET",route="manifests",status="503"}}': "0+10x30",
        },
        {
            f'mooring_requests_total{{{ONE},method="GET",route="manifests",status="200"}}': "0+990x30",
            f'mooring_requests_total{{{ONE},method="GET",route="manifests",status="503"}}': "0+10x30",
        },
        "Requests end with 500 and above",
        "10% of all, over the last 5 minutes.",
        severity="critical",
    ),
    "MooringFault": Case(
        {f'mooring_failures_total{{{ONE},code="INTERNAL"}}': "0x12 1x20"},
        {f'mooring_failures_total{{{ONE},code="INTERNAL"}}': "1x30"},
        "A fault of the program on a:5000",
        "The log's lines unexpected_error have the stack trace. Please report it.",
        {"instance": "a:5000"},
    ),
    "MooringProbeFails": Case(
        {f"mooring_probe_last_failed{{{ONE}}}": "0x5 1x30"},
        {f"mooring_probe_last_failed{{{ONE}}}": "0x12 1 0x20"},
        "The registry's own push fails",
        "The scheduled probe went a client's way and did not get through. Its log line probe_failed says where.",
        severity="critical",
    ),
    "MooringProbeLate": Case(
        {f"mooring_probe_last_success_timestamp_seconds{{{ONE}}}": "-173000x30"},
        {f"mooring_probe_last_success_timestamp_seconds{{{ONE}}}": "-170000x30"},
        "No probe has succeeded for two days",
        "The last one that did was 2d 0h 18m 20s ago. Nobody runs it, or it fails.",
    ),
}
