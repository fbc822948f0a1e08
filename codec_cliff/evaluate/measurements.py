"""Every metric of every system, by all workers, each finished one in its file at once."""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import DiskError, MetricError, UserError
from codec_cliff.evaluate.backends import WORDS, WORDS_OF_ORIGINAL
from codec_cliff.evaluate.ledger import Ledger, digest
from codec_cliff.evaluate.measuring import Backend, Measured, Row, Task, chunks, empty_row, measure
from codec_cliff.evaluate.pairing import Recordings
from codec_cliff.evaluate.problems import Problem
from codec_cliff.evaluate.workers import as_they_come
from codec_cliff.files import write_csv
from codec_cliff.metrics.construct import EMBEDDED
from codec_cliff.study.config import ORIGINAL

UNTRANSCRIBED = "none of its recordings has a transcript"


def measure_all(recordings: Recordings, backends: Iterable[Backend], ledger: Ledger, n_workers: int) -> dict[str, str]:
    """Fill `metrics/<system>/<metric>.csv`; a backend that cannot be had costs its metric alone: those, with the reason.

    A system that a metric can be measured on no file of has no such CSV, and costs the others nothing.
    """
    unavailable = {}
    for backend in backends:
        try:
            _measure_metric(recordings, backend, ledger, n_workers)
            _check_measured(recordings, backend.metric, ledger)
        except DiskError:
            raise
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
    measured = _run(backend, _tasks(recordings, backend, missing, n_workers), ledger, n_workers)
    for system in missing:
        failures = {name: why for (of, name), why in measured.failures.items() if of == system}
        rows = measured.rows.get(system, [])
        _write(recordings.decoded[system], ledger.csv(system, backend.metric), rows)
        ledger.enter(system, backend.metric, digests[system], failures, len(rows))
    ledger.forget_parts(backend.metric)
    print(
        f"{backend.metric}: {sum(len(recordings.decoded[system]) for system in missing)} files by {backend.name}",
        flush=True,
    )


def _check_measured(recordings: Recordings, metric: str, ledger: Ledger) -> None:
    """MetricError where not even an original could be measured: that is the backend's fault, and no system's."""
    if not any(ledger.csv(system, metric).exists() for system in recordings.decoded):
        reasons = [why for system in recordings.decoded for why in ledger.failures(system, metric).values()]
        raise MetricError(f"no file could be measured: {reasons[0] if reasons else UNTRANSCRIBED}")


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


def _run(backend: Backend, tasks: list[Task], ledger: Ledger, n_workers: int) -> Measured:
    """All rows and failures of a metric; tasks that an earlier run has finished are read, not repeated."""
    whole, waiting = Measured(), []
    for task in tasks:
        if earlier := ledger.part(task):
            _merge(whole, earlier)
        else:
            waiting.append(task)
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


def _write(files: Mapping[str, Utterance], path: Path, measured: list[Row]) -> None:
    """A system's rows in the originals' order; no file, nor an earlier run's, where none could be measured."""
    rows: Mapping[str, Row] = {str(row["utterance_id"]): row for row in measured}
    if not rows:
        path.unlink(missing_ok=True)
        return
    columns = dict.fromkeys(column for row in measured for column in row)
    write_csv(path, [columns | (rows.get(name) or empty_row(files[name], measured[0])) for name in files])


def failed(recordings: Recordings, metrics: Iterable[str], ledger: Ledger) -> list[Problem]:
    """A problem for every file that a metric could not be computed of, and for every system where that is all of them."""
    return [
        problem
        for metric in metrics
        for system, files in recordings.decoded.items()
        for problem in _failed(system, files, metric, ledger)
    ]


def untranscribed(recordings: Recordings, metrics: Iterable[str]) -> list[Problem]:
    """A problem for every recording without a transcript, where word errors are counted against those of the others."""
    text = "has no transcript, so nothing counts its word errors; complete the transcripts"
    return [
        Problem(ORIGINAL, name, file.path, "no transcript", text, measured=True)
        for name, file in recordings.originals.items()
        if WORDS in metrics and not file.transcript
    ]


def _failed(system: str, files: Mapping[str, Utterance], metric: str, ledger: Ledger) -> Iterator[Problem]:
    kept = ledger.failures(system, metric)
    failures = {name: kept[name] for name in files if name in kept}
    if files and not ledger.csv(system, metric).exists():
        reasons = [f"no file could be measured; the first, {name}: {why}" for name, why in failures.items()]
        text = f"no figure of {metric}: {reasons[0] if reasons else UNTRANSCRIBED}"
        folder = os.path.commonpath([file.path for file in files.values()])
        yield Problem(system, "", folder, "no figure", text, measured=False)
    for name, why in failures.items():
        text = f"{metric} could not be measured: {why}"
        yield Problem(system, name, files[name].path, "not measured", text, measured=False)
