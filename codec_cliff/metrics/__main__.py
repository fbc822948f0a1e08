"""Measure one reconstruction by one metric: one row an utterance (section 3.2)."""

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from codec_cliff.errors import MetricError, exit_cleanly
from codec_cliff.files import write_csv
from codec_cliff.metrics.construct import METRICS, construct
from codec_cliff.metrics.pairs import Pairs, open_pairs
from codec_cliff.metrics.references import References
from codec_cliff.metrics.rows import metric_rows
from codec_cliff.metrics.scorer import Item, Reference, Scorer, Value, referenced

SHOWN_EVERY = 200  # utterances


def measure(metric: str, scorer: Scorer, pairs: Pairs, references: str | Path | None) -> list[dict[str, Value]]:
    """Score every utterance of the manifest, in its order; `references` is the study's file of features, if any."""
    features = References(references, pairs.store, scorer) if references else None
    items = tqdm(paired(pairs, scorer, features), metric, len(pairs), disable=None)
    rows = []
    for row in metric_rows(scorer, items):
        rows.append(row)
        if len(rows) % SHOWN_EVERY == 0:
            print(f"{metric}: {len(rows)} of {len(pairs)} utterances", flush=True)
    if [row["utterance_id"] for row in rows] != [utterance.utterance_id for utterance in pairs.store.utterances]:
        raise MetricError(f"{metric}: scored {len(rows)} of {len(pairs)} utterances, or others; please report this")
    return rows


def paired(pairs: Pairs, scorer: Scorer, references: References | None) -> Iterator[Item]:
    """Each utterance with its recording's features, read from the study's file or computed on the way."""
    for index, (utterance, audio, degraded) in enumerate(pairs.at(scorer.sample_rate)):
        if references is None:
            yield utterance, referenced(scorer, utterance, audio), degraded
        else:
            yield utterance, Reference(audio, references.features(index)), degraded


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
    parser.add_argument("--references", help="what codec_cliff.metrics.references wrote for this metric and manifest")
    parser.add_argument("--normaliser", default="plain", help="of transcripts, for the headline: plain or whisper")
    parser.add_argument("--output", required=True, help="CSV, one row an utterance")
    parser.add_argument("--cache", help="folder for downloaded weights")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda[:n]")
    return parser


def main(arguments: Iterable[str] | None = None) -> None:
    options = parser().parse_args(arguments)
    pairs = open_pairs(options.manifest, options.store, options.reconstruction)
    more = {"normaliser": options.normaliser} if options.metric == "wer" else {}
    backend = construct(options.metric, options.backend)
    scorer = backend(pairs.store.utterances, options.cache, options.device, **more)
    write(options.output, measure(options.metric, scorer, pairs, options.references))


if __name__ == "__main__":
    exit_cleanly(main)
