"""What carries runs out: the processors of this machine, or a cluster of Ray's.

Both take a function and its argument, and give results as they come. A worker that dies takes the
runs it was at along, and these are done again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any

import torch

from ..core.registry import PACKAGE

TRIES = 3  # of a run whose worker dies


class LostError(Exception):
    """A run's worker died, as often as it was tried."""


class Local:
    """A pool of processes, a thread each; they are kept, since a start costs seconds."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool = self._new()
        self._given: dict[Future, tuple[Callable[[Any], Any], Any, int]] = {}

    def _new(self) -> ProcessPoolExecutor:
        one_thread = {"initializer": torch.set_num_threads, "initargs": (1,)}
        return ProcessPoolExecutor(self.workers, get_context("spawn"), **one_thread)

    def submit(self, function: Callable[[Any], Any], argument: Any, tried: int = 1) -> None:
        self._given[self._pool.submit(function, argument)] = function, argument, tried

    def finished(self, seconds: float) -> Iterator[tuple[Any, Any]]:
        """Arguments and their results, or the errors in their place, that come in this time."""
        done, _ = wait(self._given, seconds, FIRST_COMPLETED)
        broken = []
        for future in done:
            function, argument, tried = self._given.pop(future)
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                broken.append((function, argument, tried))
            else:
                yield argument, error or future.result()
        if broken:  # the others are lost as well
            broken += self._given.values()
            self._given.clear()
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = self._new()
        for function, argument, tried in broken:
            if tried == TRIES:
                yield argument, LostError(f"its worker died {TRIES} times")
            else:
                self.submit(function, argument, tried + 1)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class Ray:
    """Tasks of a Ray cluster, a processor each; Ray does those again whose node or worker died.

    Its own pool with the interface of `multiprocessing` does not outlive a node, tasks do.
    """

    def __init__(self, address: str | None, workers: int | None = None) -> None:
        import ray

        self._ray = ray
        # a checkout is on this machine alone, what is installed has to be on all
        own = __name__.partition(".")[0] == PACKAGE.name
        ray.init(
            address=address,
            num_cpus=None if address else workers,
            log_to_driver=False,
            runtime_env={"py_modules": [str(PACKAGE)]} if own else None,
        )
        self.workers = int(ray.cluster_resources().get("CPU", 1))
        self._task = ray.remote(num_cpus=1, max_retries=TRIES)(_alone)
        self._given: dict[Any, Any] = {}

    def submit(self, function: Callable[[Any], Any], argument: Any) -> None:
        self._given[self._task.remote(function, argument)] = argument

    def finished(self, seconds: float) -> Iterator[tuple[Any, Any]]:
        """As `Local.finished`."""
        done, _ = self._ray.wait(list(self._given), timeout=seconds)
        for reference in done:
            argument = self._given.pop(reference)
            try:
                result = self._ray.get(reference)
            except self._ray.exceptions.RayTaskError as error:
                result = error.cause
            except self._ray.exceptions.RayError as error:
                result = LostError(str(error))
            yield argument, result

    def close(self) -> None:
        self._ray.shutdown()


def _alone(function: Callable[[Any], Any], argument: Any) -> Any:
    torch.set_num_threads(1)
    return function(argument)
