"""The processes of one server: workers that come back whatever happens to them, and none that outlives it."""

import asyncio
import ctypes
import multiprocessing
import os
import resource
import signal
import socket
import sys
import time
from importlib import import_module
from multiprocessing import connection
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path

import structlog
import uvloop

from mooring.observe.metrics_directory import VARIABLE, forget_gauges
from mooring.server.shares import Share, Shares
from mooring.server.worker import serve

YOUNG_SECONDS = 30.0
PAUSE_SECONDS = 1.0
KILL_AFTER_SECONDS = 60.0
MOST_FALSE_STARTS = 5
PR_SET_PDEATHSIG = 1
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE_BYTES = 4 * 1024 * 1024
ARENAS = 2
ENDING = (signal.SIGTERM, signal.SIGINT)
log = structlog.get_logger("mooring")


def run_worker(entry: str, listener: socket.socket, share: Share) -> None:
    """What each worker process runs: what `module:function` makes."""
    # Ctrl-C is for the supervisor alone.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    open_many()
    keep_little()
    module, _, create = entry.partition(":")
    served = getattr(import_module(module), create)()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(served, listener, share))


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


def open_many() -> None:
    """As many descriptors as may be: systems begin with 1,024, and each client, upload and connection takes one."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def keep_little() -> None:
    """Have glibc give back what is freed.

    By default each thread gets an arena that keeps what it once had, and a block that was freed once, of a password's
    hash say (19 MiB), raises the size up to which such blocks are kept.
    """
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(M_ARENA_MAX, ARENAS)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)


class Worker:
    """One of the processes, and when it was started."""

    def __init__(self, spawning: SpawnContext, entry: str, listener: socket.socket, share: Share) -> None:
        self.process: SpawnProcess = spawning.Process(target=run_worker, args=(entry, listener, share))
        self._born = time.monotonic()
        self.process.start()

    @property
    def is_old(self) -> bool:
        return time.monotonic() - self._born > YOUNG_SECONDS


class Supervisor:
    """Keeps as many workers as there should be, until SIGTERM or SIGINT; gives up only where none can start."""

    def __init__(self, entry: str, listener: socket.socket, workers: int) -> None:
        self._entry = entry
        self._listener = listener
        # A forked worker would share what this process has open, and find prometheus_client set up for one process.
        self._spawning = multiprocessing.get_context("spawn")
        self._shares = Shares(self._spawning, workers)
        self._signals, self._wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._ending = False
        self._workers: list[Worker | None] = [None] * workers
        self._due: dict[int, float] = dict.fromkeys(range(workers), 0.0)
        """When each missing worker is to be started."""
        self._false_starts = 0
        """Workers in a row that ended by themselves before they were of any use."""
        self._young_deaths = 0

    def run(self) -> int:
        """The exit code."""
        for number in ENDING:
            signal.signal(number, self._end)
        host, port = self._listener.getsockname()[:2]
        log.info("serving", host=host, port=port, workers=len(self._workers))
        try:
            while not self._ending:
                self._start_due()
                self._wait()
                self._bury()
                if self._false_starts >= MOST_FALSE_STARTS and not self._one_serves():
                    log.error("no_worker_can_start")
                    return 1
            return 0
        finally:
            self._stop()

    def _end(self, *_: object) -> None:
        self._ending = True
        os.write(self._wake, b"!")

    def _start_due(self) -> None:
        for index in [index for index, at in self._due.items() if at <= time.monotonic()]:
            del self._due[index]
            try:
                self._workers[index] = Worker(self._spawning, self._entry, self._listener, self._shares.of(index))
            except OSError as error:
                # Memory or processes are short: that is no reason to lose the others too.
                log.warning("worker_not_started", error=str(error))
                self._false_starts += 1
                self._due[index] = time.monotonic() + PAUSE_SECONDS

    def _wait(self) -> None:
        """Until a worker ends, a signal comes or one is due."""
        patience = max(0.0, min(self._due.values()) - time.monotonic()) if self._due else None
        ends = [worker.process.sentinel for worker in self._workers if worker is not None]
        connection.wait([self._signals, *ends], patience)

    def _bury(self) -> None:
        for index, worker in enumerate(self._workers):
            if worker is None or worker.process.is_alive():
                continue
            log.warning("worker_ended", pid=worker.process.pid, exit_code=worker.process.exitcode)
            self._shares.of(index).end()
            if directory := os.environ.get(VARIABLE):
                forget_gauges(Path(directory), worker.process.pid)
            self._due[index] = time.monotonic() + self._pause(worker)
            self._workers[index] = None

    def _pause(self, worker: Worker) -> float:
        """Seconds before a dead worker's successor starts: none, unless more died young than there are."""
        killed = (worker.process.exitcode or 0) < 0
        self._false_starts = 0 if worker.is_old or killed else self._false_starts + 1
        self._young_deaths = 0 if worker.is_old else self._young_deaths + 1
        return PAUSE_SECONDS if self._young_deaths > len(self._workers) else 0.0

    def _one_serves(self) -> bool:
        return any(worker is not None and worker.is_old for worker in self._workers)

    def _stop(self) -> None:
        """Nobody is let in any more; who is in is served to the end."""
        self._listener.close()
        running = [worker.process for worker in self._workers if worker is not None]
        for process in running:
            process.terminate()
        until = time.monotonic() + KILL_AFTER_SECONDS
        for process in running:
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                log.warning("worker_killed", pid=process.pid, after_seconds=KILL_AFTER_SECONDS)
                process.kill()
                process.join()
