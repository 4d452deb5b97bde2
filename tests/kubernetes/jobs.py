"""Runs the Jobs of a namespace, one after another, as processes here, and reports as the Job controller would."""

import itertools
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.kubernetes.api import Answered, Kubernetes, Object
from tests.kubernetes.pods import Pod

DEADLINE = 60


@dataclass(frozen=True)
class Done:
    job: str
    code: int
    output: str


@dataclass
class Runner:
    api: Kubernetes
    namespace: str
    directory: Path
    overrides: Mapping[str, str]
    module: str = "mooring"
    """The version that the image of the Jobs has."""
    done: list[Done] = field(default_factory=list)
    failure: BaseException | None = None
    _stop: threading.Event = field(default_factory=threading.Event)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @property
    def names(self) -> list[str]:
        """The Jobs that ran, in their order."""
        return [done.job for done in self.done]

    def work(self) -> None:
        try:
            while not self._stop.wait(0.1):
                for job in self.api.items(self._jobs):
                    if not job.get("status", {}).get("conditions"):
                        self._run(job)
        except Exception as error:  # noqa: BLE001 - shown by the test that waits
            self.failure = error

    @property
    def _jobs(self) -> str:
        return f"/apis/batch/v1/namespaces/{self.namespace}/jobs"

    def _run(self, job: Object) -> None:
        name, spec = job["metadata"]["name"], job["spec"]["template"]["spec"]
        begun = datetime.now(UTC)
        directory = self.directory / f"{name}-{next(self._numbers)}"
        process = Pod(self.api, self.namespace, name, spec, directory, self.overrides, self.module).start()
        output, _ = process.communicate(timeout=DEADLINE)
        self.done.append(Done(name, process.returncode, output.decode()))
        try:
            self.api.merge(f"{self._jobs}/{name}/status", {"status": status(process.returncode == 0, begun)})
        except Answered as answered:
            # helm deletes a Job that it no longer waits for.
            if answered.status != 404:
                raise


def status(succeeded: bool, begun: datetime) -> Object:
    now = _time(datetime.now(UTC))
    kinds = ("SuccessCriteriaMet", "Complete") if succeeded else ("FailureTarget", "Failed")
    conditions = [{"type": kind, "status": "True", "lastTransitionTime": now} for kind in kinds]
    found: Object = {"startTime": _time(begun), "conditions": conditions, "uncountedTerminatedPods": {}}
    return found | ({"succeeded": 1, "completionTime": now} if succeeded else {"failed": 1})


@contextmanager
def running(
    api: Kubernetes, namespace: str, directory: Path, overrides: Mapping[str, str] | None = None
) -> Iterator[Runner]:
    runner = Runner(api, namespace, directory, overrides or {})
    thread = threading.Thread(target=runner.work, name=f"jobs of {namespace}")
    thread.start()
    try:
        yield runner
    finally:
        runner._stop.set()
        thread.join(DEADLINE)
    if runner.failure is not None:
        raise runner.failure


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
