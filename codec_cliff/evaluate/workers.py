"""All cores: tasks in processes of one thread each, their results as they come."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from tqdm import tqdm

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def as_they_come(
    work: Callable[[Any], Any], tasks: Sequence[Any], n_workers: int, label: str, weight: Callable[[Any], int]
) -> Iterator[tuple[Any, Any]]:
    """(task, result) in the order in which they finish, with a progress bar counting `weight`; in this process for one worker.

    What a worker raises is raised here. On an interrupt what has not begun is dropped, and nothing waits for the rest.
    """
    if not tasks:
        return
    with tqdm(total=sum(map(weight, tasks)), desc=label, unit="file", disable=None, smoothing=0.05) as bar:
        finished = _here(work, tasks) if n_workers == 1 or len(tasks) == 1 else _there(work, tasks, n_workers)
        for task, result in finished:
            bar.update(weight(task))
            yield task, result


def _here(work: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    for task in tasks:
        yield task, work(task)


def _there(work: Callable[[Any], Any], tasks: Sequence[Any], n_workers: int) -> Iterator[tuple[Any, Any]]:
    with ProcessPoolExecutor(min(n_workers, len(tasks)), get_context("spawn"), _start) as pool:
        futures = {pool.submit(work, task): task for task in tasks}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _start() -> None:
    """One thread a worker, said before it loads a library that asks; Ctrl-C is the parent's."""
    os.environ.update({name: os.environ.get(name, "1") for name in THREADS})
    signal.signal(signal.SIGINT, signal.SIG_IGN)
