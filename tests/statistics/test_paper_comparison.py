"""Ours beside the paper's: every cell has a verdict, and no verdict comes from figures that may not be compared."""

from dataclasses import replace

import pytest

from codec_cliff.statistics.paper_comparison import Cell, cells, verdict_of
from codec_cliff.statistics.results import Results
from codec_cliff.study.load import load_study


def row(value: float, backend: str = "pystoi", half_width: float = 0.01) -> dict:
    return {"value": value, "low": value - half_width, "high": value + half_width, "backend": backend}


@pytest.mark.parametrize(
    ("ours", "obstacle", "verdict", "reason"),
    [
        (row(0.963), "", "reproduced", "within 0.007, inside the interval"),
        (row(0.955), "", "reproduced", "within 0.015"),  # 0.97 is 0.965 to 0.975 before rounding
        (row(0.95), "", "not reproduced", "0.02 off, outside"),
        (row(0.97), "backend differs", "not comparable", "backend differs"),
        ({}, "", "not comparable", "not measured here"),
        ({"value": 0.97, "low": None, "high": None}, "", "not comparable", "no interval"),
    ],
)
def test_verdicts(ours, obstacle, verdict, reason):
    cell = Cell("table1", "dac_16k", "stoi", 0.97, ours, obstacle)
    found = verdict_of(cell, ours.get("value"), ours.get("low"), ours.get("high"))
    assert found[0] == verdict
    assert found[1].startswith(reason)


@pytest.fixture
def results(tmp_path, monkeypatch) -> Results:
    """A study that measured DAC-16k alone, with the paper's value of each metric."""
    mean = {f"{name}{end}": 0.9 for name in ("utilization", "entropy_efficiency") for end in ("", "_low", "_high")}
    monkeypatch.setattr(Results, "codebook", lambda self, codec: mean)
    found = Results(tmp_path)
    backends = {
        "stoi": "pystoi",
        "wer": "mms_1b_all",
        "mcd": "pymcd",
        "spk_sim": "resemblyzer",
        "utmos": "utmos22_strong",
    }
    values = {"stoi": 0.97, "wer": 5.25, "mcd": 2.04, "spk_sim": 0.90, "utmos": 4.00}
    found.__dict__["summary"] = {("dac_16k", name): row(values[name], backend) for name, backend in backends.items()}
    phonemes = {"frame_rate": 6.25, "definition": "rate", "silence": "without", **row(1.95)}
    found.__dict__["phonemes"] = [phonemes, {**phonemes, "frame_rate": None, "definition": "per_second", **row(12.2)}]
    return found


def test_the_papers_study_is_judged_cell_by_cell(paper_config, results):
    judged = {(cell.table, cell.codec, cell.metric): cell.judged() for cell in cells(load_study(paper_config), results)}
    verdicts = {
        metric: judged["table1", "dac_16k", metric]["verdict"] for metric in ("stoi", "wer", "mcd", "spk_sim", "utmos")
    }
    assert verdicts == {
        "stoi": "reproduced",
        "wer": "reproduced",
        "mcd": "not comparable",
        "spk_sim": "not comparable",
        "utmos": "reproduced",
    }
    assert "backend differs: resemblyzer" in judged["table1", "dac_16k", "spk_sim"]["reason"]
    assert "no convention" in judged["table1", "dac_16k", "mcd"]["reason"]
    assert judged["table1", "mimi_32", "stoi"]["paper"] == judged["table1", "mimi_8", "stoi"]["paper"] == 0.96
    assert judged["table4", "6.25hz-fixed-tokens", "wer"]["reason"] == "not measured here"
    assert judged["section 4.3", "a frame at 6.25 Hz", "phonemes, rate"]["verdict"] == "not reproduced"
    assert judged["section 4.3", "a second", "phonemes, per_second"]["verdict"] == "reproduced"
    # Table 3 is judged for either protocol's models; at 50 Hz they are the same one
    assert len(judged) == 9 * 5 + 5 * 5 + 7 * 5 + (5 + 5 - 1) * 2 + 2


def test_a_study_on_other_speech_compares_with_nothing(paper_config, results):
    study = load_study(paper_config)
    other = replace(study, corpus=replace(study.corpus, kind="synthetic", test=("test",)))
    assert {cell.judged()["verdict"] for cell in cells(other, results)} == {"not comparable"}
