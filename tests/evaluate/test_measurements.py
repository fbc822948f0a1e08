"""A system that cannot be measured costs no other one its figures, and is named."""

import csv

import numpy as np
import pytest

from codec_cliff.errors import CorpusError, DiskError, MetricError
from codec_cliff.evaluate.command import main
from codec_cliff.metrics.stoi import Pystoi
from tests.evaluate.folders import noisy, originals, recording, save, system


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def evaluate(folder, *systems, more=()):
    output = folder / "out"
    named = [str(folder / name) for name in systems]
    options = ["--output", str(output), "--metrics", "stoi", "--jobs", "1", "--bootstrap-samples", "100", *more]
    main([str(folder / "originals"), *named, *options])
    return output


def failing(monkeypatch, fails):
    """STOI raises on the audio that `fails` is true of."""
    whole = Pystoi.score

    def score(self, utterance, reference, degraded):
        if fails(degraded):
            raise ValueError("of all things")
        return whole(self, utterance, reference, degraded)

    monkeypatch.setattr(Pystoi, "score", score)


@pytest.fixture
def folders(tmp_path):
    originals(tmp_path / "originals")
    system(tmp_path / "good", noisy)
    system(tmp_path / "bad", lambda audio: noisy(audio) / 64)
    return tmp_path


def test_a_system_that_a_metric_fails_on_has_empty_cells_and_a_problem(folders, monkeypatch, capsys):
    failing(monkeypatch, lambda degraded: np.abs(degraded).max() < 0.1)
    for _ in range(2):  # the second time from what is kept
        output = evaluate(folders, "good", "bad")
        table = {row["system"]: row for row in rows(output / "table.csv")}
        assert float(table["good"]["stoi"]) > 0.5
        assert table["bad"]["stoi"] == ""
        problems = [row for row in rows(output / "problems.csv") if row["kind"] == "no figure"]
        assert [(row["system"], row["problem"]) for row in problems] == [
            ("bad", "no figure of stoi: no file could be measured; the first, u0: ValueError: of all things")
        ]
        said = capsys.readouterr().out
        assert "bad, 4 of 4 files: 4 without some of the figures: u0, u2, u1 and 1 more. No figure of stoi:" in said
        assert "STOI, utterances without a score: bad 4." in said


def test_what_was_measured_before_a_system_went_wrong_is_not_shown(folders, monkeypatch):
    output = evaluate(folders, "good", "bad")
    system(folders / "bad", lambda audio: noisy(audio) / 65)
    failing(monkeypatch, lambda degraded: np.abs(degraded).max() < 0.1)
    evaluate(folders, "good", "bad")
    assert rows(output / "table.csv")[-1]["stoi"] == ""
    assert not (output / "metrics" / "bad" / "stoi.csv").exists()


def test_a_metric_that_fails_on_everything_is_not_available(folders, monkeypatch):
    failing(monkeypatch, lambda degraded: True)
    for _ in range(2):
        with pytest.raises(SystemExit, match="1"):
            evaluate(folders, "good", "bad")
        page = (folders / "out" / "report.html").read_text(encoding="utf-8")
        assert "stoi was not measured:</b> no file could be measured: ValueError: of all things" in page
        assert page.count("No metric could be measured; the reasons are above.") == 2
        assert "Nothing to remark" not in page
        assert "intervals over" not in (folders / "out" / "table.md").read_text()


def test_a_full_disk_is_no_fault_of_a_metric(folders, monkeypatch):
    def full(*_):
        raise DiskError("out")

    monkeypatch.setattr("codec_cliff.evaluate.ledger.Ledger.keep", full)
    with pytest.raises(DiskError):
        evaluate(folders, "good")


def test_floats_at_integer_scale_are_named_and_left_out(folders):
    for number in range(4):
        save(folders / "integers" / f"u{number}.wav", 32768 * recording(number), subtype="FLOAT")
    output = evaluate(folders, "integers", "good")
    table = {row["system"]: row for row in rows(output / "table.csv")}
    assert float(table["good"]["stoi"]) > 0.5
    assert (table["integers"]["stoi"], table["integers"]["files"]) == ("", "0")
    problems = {row["utterance_id"]: row for row in rows(output / "problems.csv")}
    assert problems["u0"]["kind"] == "unusable"
    assert "times full scale; floats belong between -1 and 1: divide integers by their" in problems["u0"]["problem"]
    assert problems[""]["problem"].startswith("none of its files can be measured; the first, ")
    with pytest.raises(
        CorpusError, match=r"integers: none of its files can be measured; the first, .*u0\.wav: peaks at"
    ):
        evaluate(folders, "integers")


def test_a_backend_that_cannot_be_had_is_not_available(folders, monkeypatch):
    def nowhere(*_):
        raise MetricError("not installed")

    monkeypatch.setattr("codec_cliff.evaluate.measuring.scorer_of", nowhere)
    with pytest.raises(SystemExit, match="1"):
        evaluate(folders, "good")
    assert "stoi was not measured:</b> not installed" in (folders / "out" / "report.html").read_text(encoding="utf-8")
