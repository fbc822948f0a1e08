"""Every metric of every system, by all workers, each finished one in its file at once."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import UserError
from codec_cliff.evaluate.backends import WORDS, WORDS_OF_ORIGINAL
from codec_cliff.evaluate.ledger import Ledger, digest
from codec_cliff.evaluate.measuring import Backend, Measured, Row, Task, chunks, empty_row, measure
from codec_cliff.evaluate.pairing import Recordings
from codec_cliff.evaluate.problems import Problem
from codec_cliff.evaluate.workers import as_they_come
from codec_cliff.files import write_csv
from codec_cliff.metrics.construct import EMBEDDED
from codec_cliff.study.config import ORIGINAL


def measure_all(recordings: Recordings, backends: Iterable[Backend], ledger: Ledger, n_workers: int) -> dict[str, str]:
    """Fill `metrics/<system>/<metric>.csv`; a backend that cannot be had costs its metric alone: those, with the reason."""
    unavailable = {}
    for backend in backends:
        try:
            _measure_metric(recordings, backend, ledger, n_workers)
        except UserError as error:
            unavailable[backend.metric] = str(error)
            print(f"{backend.metric}: not measured: {error}", flush=True)
    return unavailable


def _measure_metric(recordings: Recordings, backend: Backend, ledger: Ledger, n_workers: int) -> None:
    digests = {system: digest(backend, recordings.originals, files) for system, files in recordings.decoded.items()}
    missing = [system for system in digests if not ledger.has(system, backend.metric, digests[system])]
    if backend.metric == WORDS_OF_ORIGINAL and missing and ORIGINAL not in missing:
        missing.insert(0, ORIGINAL)
    if not missing:
        print(f"{backend.metric}: measured already", flush=True)
        return
    measured = _run(_tasks(recordings, backend, missing, n_workers), ledger, n_workers)
    for system in missing:
        failures = {name: why for (of, name), why in measured.failures.items() if of == system}
        _write(recordings.decoded[system], ledger.csv(system, backend.metric), measured.rows.get(system, []), failures)
        ledger.enter(system, backend.metric, digests[system], failures)
    ledger.forget_parts(backend.metric)
    print(
        f"{backend.metric}: {sum(len(recordings.decoded[system]) for system in missing)} files by {backend.name}",
        flush=True,
    )


def _tasks(recordings: Recordings, backend: Backend, systems: list[str], n_workers: int) -> list[Task]:
    names = [name for name in recordings.originals if any(name in recordings.decoded[system] for system in systems)]
    if backend.metric == WORDS:
        names = [name for name in names if recordings.originals[name].transcript]
    workers = n_workers if backend.name in EMBEDDED.values() else 1
    return [
        Task(backend, {name: _files(recordings, name, systems) for name in chunk}, ORIGINAL in systems)
        for chunk in chunks(names, workers)
    ]


def _files(recordings: Recordings, name: str, systems: Iterable[str]) -> dict[str, object]:
    found = {system: recordings.decoded[system].get(name) for system in (ORIGINAL, *systems)}
    return {system: file for system, file in found.items() if file}


def _run(tasks: list[Task], ledger: Ledger, n_workers: int) -> Measured:
    """All rows and failures of a metric; tasks that an earlier run has finished are read, not repeated."""
    whole, waiting = Measured(), []
    for task in tasks:
        if earlier := ledger.part(task):
            _merge(whole, earlier)
        else:
            waiting.append(task)
    backend = tasks[0].backend
    workers = n_workers if backend.name in EMBEDDED.values() else 1  # large models: one of each, with all threads
    for task, measured in as_they_come(measure, waiting, workers, backend.metric, lambda task: task.n_files):
        ledger.keep(task, measured)
        _merge(whole, measured)
    return whole


def _merge(whole: Measured, part: Measured) -> None:
    whole.failures |= part.failures
    for system, rows in part.rows.items():
        for row in rows:
            whole.add(system, row)


def _write(files: Mapping[str, Utterance], path: Path, measured: list[Row], failures: Mapping[str, str]) -> None:
    """A system's rows in the originals' order; where none could be measured, UserError with the first reason."""
    rows: Mapping[str, Row] = {str(row["utterance_id"]): row for row in measured}
    if not rows:
        raise UserError(f"{path}: {next(iter(failures.values()), 'no file could be measured')}")
    columns = dict.fromkeys(column for row in measured for column in row)
    write_csv(path, [columns | (rows.get(name) or empty_row(files[name], measured[0])) for name in files])


def failed(recordings: Recordings, metrics: Iterable[str], ledger: Ledger) -> list[Problem]:
    """A problem for every file that a metric could not be computed of."""
    return [
        Problem(
            system, name, files[name].path, "not measured", f"{metric} could not be measured: {why}", measured=False
        )
        for metric in metrics
        for system, files in recordings.decoded.items()
        for name, why in ledger.failures(system, metric).items()
        if name in files
    ]
