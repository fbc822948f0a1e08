"""Measure one reconstruction by one metric: one row an utterance (section 3.2)."""

import argparse
import math
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path

from tqdm import tqdm

from codec_cliff.errors import MetricError, exit_cleanly
from codec_cliff.files import write_csv
from codec_cliff.metrics.pairs import open_pairs
from codec_cliff.metrics.scorer import Scorer, Value

METRICS = ("stoi", "wer", "mcd", "spk_sim", "naturalness")
LEADING = ("utterance_id", "speaker_id", "backend", "revision")


def construct(metric: str, backend: str) -> type[Scorer]:
    """A metric's backend; only that metric's module is imported."""
    backends = import_module(f"codec_cliff.metrics.{metric}").BACKENDS
    if backend not in backends:
        raise MetricError(f"metrics.{metric}: no backend {backend!r}; known: {', '.join(backends)}")
    return backends[backend]


def measure(arguments: argparse.Namespace) -> list[dict[str, Value]]:
    """Score every utterance of the manifest, in its order."""
    pairs = open_pairs(arguments.manifest, arguments.store, arguments.reconstruction)
    scorer = construct(arguments.metric, arguments.backend)(pairs.store.utterances, arguments.cache, arguments.device)
    rows = []
    for utterance, reference, degraded in tqdm(
        pairs.at(scorer.sample_rate), arguments.metric, len(pairs), disable=None
    ):
        leading = (utterance.utterance_id, utterance.speaker_id, scorer.backend, scorer.revision)
        row = dict(zip(LEADING, leading, strict=True)) | checked(
            scorer.score(utterance, reference, degraded), utterance.utterance_id
        )
        rows.append(row)
        if len(rows) % 200 == 0:
            print(f"{arguments.metric}: {len(rows)} of {len(pairs)} utterances", flush=True)
    return rows


def checked(values: Mapping[str, Value], utterance_id: str) -> Mapping[str, Value]:
    """The values; MetricError where one is NaN or infinite, for no table may hold that."""
    for column, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise MetricError(f"{utterance_id}: {column} is {value}; listen to the reconstruction, then report this")
    return values


def write(path: str | Path, rows: list[dict[str, Value]]) -> None:
    """Write the rows; None becomes an empty cell, and how many there are is printed by column."""
    write_csv(path, rows)
    for column in rows[0]:
        if empty := sum(row[column] is None for row in rows):
            print(f"{path}: {column} is undefined for {empty} of {len(rows)} utterances (empty cells)", flush=True)


def parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m codec_cliff.metrics", description=__doc__)
    parser.add_argument("--metric", required=True, choices=METRICS)
    parser.add_argument("--backend", required=True)
    parser.add_argument("--manifest", required=True, help="the split's manifest")
    parser.add_argument("--store", required=True, help="its audio store")
    parser.add_argument("--reconstruction", required=True, help="manifest of the decoded audio")
    parser.add_argument("--output", required=True, help="CSV, one row an utterance")
    parser.add_argument("--cache", help="folder for downloaded weights")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda[:n]")
    return parser


def main(arguments: Iterable[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    write(options.output, measure(options))


if __name__ == "__main__":
    exit_cleanly(main)
