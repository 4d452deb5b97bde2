"""The processes of one server: workers that come back whatever happens to them, and none that outlives it."""

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from granian import _signals
from granian._granian import WorkerSignal
from granian.log import logger
from granian.server.mp import MPServer, WorkerProcess

from mooring.observe.metrics_directory import VARIABLE, forget_gauges

YOUNG_SECONDS = 30.0
PAUSE_SECONDS = 1.0
MOST_FALSE_STARTS = 5
PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """Have the kernel kill this process when its parent dies, even by SIGKILL.

    Else a worker without its supervisor would serve on, beside those of the next server, for nobody knows how long.
    """
    parent = multiprocessing.parent_process()
    if parent is None or sys.platform != "linux":
        return
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent.pid:
        os._exit(1)


def heed_signals(_loop: object) -> WorkerSignal:
    """Granian's `set_loop_signals`, for a worker: SIGTERM counts whenever it comes, and however often.

    Granian's own hears nothing between the loop's start-up and its serving, and stands still for ever at the third one
    (a service manager and the supervisor may each send one). Ctrl-C is for the supervisor alone.
    """
    ending = WorkerSignal()
    asked = False

    def end(*_: object) -> None:
        nonlocal asked
        if not asked:
            asked = True
            ending.set()

    signal.signal(signal.SIGTERM, end)
    return ending


class Supervisor(MPServer):
    """Granian's, but it gives no server up because workers were killed, and forgets none that died together.

    Granian ends when one worker dies twice within 5.5 seconds, as under the kernel's out-of-memory killer, and takes
    the death of a second worker for handled when it comes in while the first one is.
    """

    _false_starts = 0
    """Workers in a row that ended by themselves before they were of any use."""
    _young_deaths = 0

    @staticmethod
    def _spawn_asgi_lifespan_worker(*arguments: Any) -> None:
        """What each worker process runs."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_with_parent()
        _signals.set_loop_signals = heed_signals
        MPServer._spawn_asgi_lifespan_worker(*arguments)

    def _serve_loop(self, spawn_target: Callable[..., None], target_loader: Callable[..., Any]) -> None:
        due: dict[int, float] = {}
        while True:
            self.main_loop_interrupt.wait(max(0.0, min(due.values()) - time.monotonic()) if due else None)
            # Before looking: whatever happens from now on wakes the next wait.
            self.main_loop_interrupt.clear()
            if self.interrupt_signal:
                return
            if self.reload_signal:
                self._reload(spawn_target, target_loader)  # type: ignore[no-untyped-call]
            while self.interrupt_children:
                index = self.interrupt_children.pop()
                if directory := os.environ.get(VARIABLE):
                    forget_gauges(Path(directory), self.wrks[index].inner.pid)
                due[index] = time.monotonic() + self._pause(index)
            if self._false_starts >= MOST_FALSE_STARTS and not self._one_serves():
                logger.error("No worker can start, giving up")
                self.interrupt_children.append(0)
                return
            for index in [index for index, at in due.items() if at <= time.monotonic()]:
                del due[index]
                self._respawn_workers([index], spawn_target, target_loader)

    def shutdown(self, exit_code: int = 0) -> None:
        if self.interrupt_signal:
            # Ctrl-C reaches the workers too: that they end by it is no failure.
            for worker in self.wrks:
                worker.interrupt_by_parent = True
            self.interrupt_children.clear()
        try:
            super().shutdown(exit_code)  # type: ignore[no-untyped-call]
        except SystemExit:
            # A worker that was killed just before may be reported only now.
            if exit_code or not self.interrupt_signal:
                raise

    def _one_serves(self) -> bool:
        return any(worker.inner.is_alive() and _age(worker) > YOUNG_SECONDS for worker in self.wrks)

    def _pause(self, index: int) -> float:
        """Seconds before a dead worker's successor starts: none, unless more died young than there are."""
        worker = self.wrks[index]
        old = _age(worker) > YOUNG_SECONDS
        killed = (worker.inner.exitcode or 0) < 0
        self._false_starts = 0 if old or killed else self._false_starts + 1
        self._young_deaths = 0 if old else self._young_deaths + 1
        return PAUSE_SECONDS if self._young_deaths > self.workers else 0.0


def _age(worker: WorkerProcess) -> float:
    return time.monotonic() - worker.birth
