"""From the probes' measurements to their answers: one table a question, and verdicts.csv with a computed sentence for each."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from codec_cliff.errors import exit_cleanly
from codec_cliff.files import atomic_path
from codec_cliff.probes import causes, curve, decoders, dose, load, matched_audio, rate, where
from codec_cliff.probes.answer import Answer, Verdict
from codec_cliff.probes.arms import arms, measured_runs, plain, read_scores
from codec_cliff.statistics.bootstrap import Resampling
from codec_cliff.statistics.summary import read_rows
from codec_cliff.study.arguments import study_arguments
from codec_cliff.study.config import Study

QUESTIONS = ("repair", "drift", "chunks", "positions", "dose", "audio", "load", "causes", "along", "bitrate")
COLLAPSE = "Did every model's training take off?"


def answers(study: Study, results: Path, codecs: Sequence[str] | None = None) -> dict[str, Answer]:
    """Every question's answer from the runs that are asked for, or from all that are measured."""
    runs = measured_runs(study, results, codecs)
    found, scores, by = arms(runs), read_scores(study, results, runs), Resampling.of(study)
    position_rows, drift_rows = (
        pd.concat([read_rows(results / "probes" / kind / f"{codec}.csv") for codec in runs])
        for kind in ("positions", "drift")
    )
    return {
        "repair": decoders.repair(found, scores),
        "drift": where.drift(drift_rows, found),
        "chunks": decoders.chunked(found, scores),
        "positions": where.positions(position_rows, runs, found, by),
        "dose": dose.answer(plain(found), scores, study),
        "audio": matched_audio.answer(plain(found), scores),
        "load": load.answer(
            study, results, scores.rows, {codec: run for codec, run in runs.items() if not run.variant}
        ),
        "causes": causes.answer(study, found, scores),
        "along": curve.answer(study, results, scores, drift_rows),
        "bitrate": rate.answer(found, runs, scores),
        "training": Answer([], [_training(runs, scores.collapsed)]),
    }


def _training(runs: Sequence[str], collapsed: Sequence[str]) -> Verdict:
    verdict = f"no: {len(collapsed)} of {len(runs)} collapsed" if collapsed else "yes"
    evidence = f"{len(runs)} models; codebooks out of use at the end of training: {', '.join(collapsed) or 'none'}."
    return Verdict(COLLAPSE, verdict, evidence)


def main() -> None:
    parser = study_arguments(__doc__)
    parser.add_argument("--codecs", nargs="+", help="default: every probe run that has been scored")
    args = parser.parse_args()
    found = answers(args.study, args.results, args.codecs)
    folder = args.results / "probes"
    for question in QUESTIONS:
        _write(folder / f"{question}.csv", found[question].rows)
    _write(folder / "verdicts.csv", [asdict(verdict) for answer in found.values() for verdict in answer.verdicts])
    print(f"{folder}/verdicts.csv: {sum(len(answer.verdicts) for answer in found.values())} verdicts", flush=True)


def _write(path: Path, rows: list[dict[str, object]]) -> None:
    """An answer without rows is an empty table: its file says that it was asked."""
    with atomic_path(path) as temporary:
        pd.DataFrame(rows or {"empty": []}).to_csv(temporary, index=False, lineterminator="\n", float_format="%.8g")


if __name__ == "__main__":
    exit_cleanly(main)
