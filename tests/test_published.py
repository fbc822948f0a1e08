"""What the repository publishes in results/pilot: it follows from its own records, and from the study that it names."""

import io
import json
import subprocess
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
import yaml
from snakemake.utils import update_config

from codec_cliff.probes import quality
from codec_cliff.probes.answers import QUESTIONS, answers
from codec_cliff.probes.arms import arms
from codec_cliff.report import cost
from codec_cliff.report import quality as tables
from codec_cliff.report.layout import write_table
from codec_cliff.report.mechanism import table3
from codec_cliff.report.probes import LAYOUTS, probe_table
from codec_cliff.statistics.bootstrap import Resampling
from codec_cliff.statistics.claims import verdicts
from codec_cliff.statistics.results import Results
from codec_cliff.statistics.summary import comparisons, default_codecs, phonemes, read_rows, summary
from codec_cliff.study.config import digest
from codec_cliff.study.load import load_study
from tests.paths import ROOT

PILOT = ROOT / "results" / "pilot"
PUBLISHED = {".csv", ".md", ".json", ".png", ".html"}  # no recordings, no weights


@pytest.fixture(scope="module")
def study():
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(values, yaml.safe_load((ROOT / "profiles" / "pilot" / "study.yaml").read_text()))
    return load_study(values)


def same(found: pd.DataFrame, path: Path) -> None:
    """The same rows as the published file holds."""
    read_again = pd.read_csv(io.StringIO(found.to_csv(index=False)))
    pd.testing.assert_frame_equal(read_again, pd.read_csv(path), rtol=1e-5, atol=1e-7, check_dtype=False)


def test_neither_recordings_nor_weights_are_published():
    listed = subprocess.run(["git", "ls-files", "results"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not in a git checkout")
    assert {Path(name).suffix for name in listed.stdout.split()} <= PUBLISHED
    assert "data:audio" not in (PILOT / "published.html").read_text(encoding="utf-8")


def test_every_model_has_the_record_of_its_training(study):
    for codec, run in {**study.probe_runs, **{name: study.runs[name] for name in study.trained}}.items():
        record = json.loads((PILOT / "runs" / codec / "run.json").read_text())
        assert record["digest"] == digest(run), f"{codec} was trained under other settings than profiles/pilot has"
        assert record["steps"] == run.training.steps
        curve = pd.read_csv(PILOT / "runs" / codec / "train.csv")
        assert curve["step"].iloc[-1] == study.training.steps
        assert record["audio_seconds"] == pytest.approx(curve["audio_seconds"].iloc[-1])


def test_corpus_figures_follow_from_the_utterances(study):
    codecs = default_codecs(study, PILOT)
    same(summary(study, PILOT, codecs), PILOT / "summary.csv")
    same(comparisons(study, PILOT, codecs), PILOT / "comparisons.csv")
    same(pd.DataFrame(verdicts(study, PILOT)), PILOT / "claims.csv")
    counts = read_rows(PILOT / "alignment" / "phonemes_per_frame.csv")
    same(phonemes(counts, Resampling.of(study)), PILOT / "phonemes.csv")


def test_the_probes_answers_follow_from_their_scores(study):
    found = answers(study, PILOT, list(study.probe_runs))
    for question in QUESTIONS:
        same(pd.DataFrame(found[question].rows or {"empty": []}), PILOT / "probes" / f"{question}.csv")
    told = [asdict(verdict) for answer in found.values() for verdict in answer.verdicts]
    same(pd.DataFrame(told), PILOT / "probes" / "verdicts.csv")
    scores = quality.metric_scores(study, PILOT, list(study.probe_runs))
    answer = quality.answer(study, arms(study.probe_runs), scores)
    same(pd.DataFrame(answer.rows), PILOT / "probes" / "quality.csv")
    same(pd.DataFrame(asdict(verdict) for verdict in answer.verdicts), PILOT / "probes" / "quality_verdicts.csv")


def test_the_tables_print_those_figures(study, tmp_path):
    results = Results(PILOT)
    for build in (tables.table1, tables.table2, table3, tables.table4, cost.cost):
        write_table(build(study, results), tmp_path / build.__name__)
    for name in LAYOUTS:
        write_table(probe_table(name, study, results), tmp_path / f"probe_{name}")
    for path in tmp_path.glob("*.md"):
        assert path.read_text() == (PILOT / "tables" / path.name).read_text(), path.name


CAUSES = ROOT / "results" / "pilot-causes"


@pytest.fixture(scope="module")
def causes_study():
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    for name in ("study", "causes"):
        update_config(values, yaml.safe_load((ROOT / "profiles" / "pilot" / f"{name}.yaml").read_text()))
    return load_study(values)


def test_the_answers_about_the_cause_follow_from_their_scores(causes_study):
    found = answers(causes_study, CAUSES)
    for question in QUESTIONS:
        same(pd.DataFrame(found[question].rows or {"empty": []}), CAUSES / "probes" / f"{question}.csv")
    for path in sorted((CAUSES / "runs").glob("*/run.json")):
        record, run = json.loads(path.read_text()), causes_study.probe_runs[path.parent.name]
        assert record["digest"] == digest(run), path
        assert record["steps"] == run.training.steps


def test_the_tables_about_the_cause_print_those_figures(causes_study, tmp_path):
    published = sorted((CAUSES / "tables").glob("*.md"))
    assert {"probe_along.md", "probe_causes.md", "probe_verdicts.md"} <= {path.name for path in published}
    for path in published:
        write_table(probe_table(path.stem.removeprefix("probe_"), causes_study, Results(CAUSES)), tmp_path / path.stem)
        assert (tmp_path / path.name).read_text() == path.read_text(), path.name
