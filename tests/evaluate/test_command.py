"""The command as a user gives it: what is measured, what is said of wrong files, and what a second run leaves alone."""

import csv
import json

import numpy as np
import pytest

from codec_cliff.errors import CorpusError, MetricError
from codec_cliff.evaluate.command import main
from codec_cliff.evaluate.ledger import Ledger
from codec_cliff.evaluate.measuring import measure
from codec_cliff.metrics.stoi import Pystoi
from tests.evaluate.folders import RATE, noisy, originals, recording, save, system


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def evaluate(folder, *systems, metrics="stoi", more=()):
    output = folder / "out"
    named = [str(folder / name) for name in systems]
    options = ["--output", str(output), "--metrics", metrics, "--jobs", "1", "--bootstrap-samples", "100", *more]
    main([str(folder / "originals"), *named, *options])
    return output


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    originals(folder / "originals")
    system(folder / "clean", noisy)
    system(folder / "late", lambda audio: np.concatenate([np.zeros(320, np.float32), audio]))
    system(folder / "quiet", lambda audio: np.repeat(noisy(audio), 2) / 2, rate=2 * RATE, suffix=".flac")
    system(folder / "faulty", noisy)
    save(folder / "faulty" / "u1.wav", noisy(recording(2)))
    save(folder / "faulty" / "u2.wav", 0 * recording(2))
    (folder / "faulty" / "u3.wav").unlink()
    save(folder / "faulty" / "stray.wav", recording(7))
    output = evaluate(folder, "clean", "late", "quiet", "faulty", metrics="stoi,mcd")
    return folder, output


def test_every_system_and_the_originals_have_a_row(evaluated):
    _, output = evaluated
    table = {row["system"]: row for row in rows(output / "table.csv")}
    assert list(table) == ["original", "clean", "late", "quiet", "faulty"]
    assert float(table["original"]["stoi"]) == pytest.approx(1)
    assert float(table["late"]["lag_ms"]) == pytest.approx(20, abs=0.1)
    assert float(table["quiet"]["level_difference_db"]) == pytest.approx(-6, abs=0.3)
    assert table["quiet"]["sample_rates_khz"] == "32"
    assert [row["files"] for row in table.values()] == ["4", "4", "4", "4", "2"]


def test_every_wrong_file_is_named_and_left_out_or_counted(evaluated):
    _, output = evaluated
    found = {(row["utterance_id"], row["kind"]): row for row in rows(output / "problems.csv")}
    assert {key: row["measured"] for key, row in found.items()} == {
        ("u1", "another recording"): "no",
        ("u2", "silence"): "yes",
        ("u3", "missing"): "no",
        ("", "no recording"): "no",
    }
    assert found["u1", "another recording"]["problem"].startswith("sounds like u2")
    assert {row["system"] for row in found.values()} == {"faulty"}


def test_differences_are_to_the_first_system_over_shared_recordings(evaluated):
    _, output = evaluated
    found = rows(output / "comparisons.csv")
    assert {row["codec_a"] for row in found} == {"clean"}
    assert {row["codec_b"]: row["n_utterances"] for row in found if row["metric"] == "stoi"}["faulty"] == "2"


def test_the_page_says_it_all_and_the_files_are_there(evaluated):
    _, output = evaluated
    page = (output / "report.html").read_text(encoding="utf-8")
    for text in ("20.0 ms late in 4 of 4 files", "sounds like u2", "2 of 4 files", "Worst STOI", "data:audio/ogg"):
        assert text in page
    for name in ("table.md", "table.tex", "figure.pdf", "figure.svg", "worst.csv", "differences.md"):
        assert (output / name).stat().st_size > 0


def test_a_second_run_measures_nothing_and_a_new_system_alone(evaluated):
    folder, output = evaluated
    before = {path: path.stat().st_mtime_ns for path in (output / "metrics").rglob("*.csv")}
    system(folder / "more", noisy)
    evaluate(folder, "clean", "late", "quiet", "faulty", "more", metrics="stoi,mcd")
    after = {path: path.stat().st_mtime_ns for path in (output / "metrics").rglob("*.csv")}
    assert {path: after[path] for path in before} == before
    assert {path.parent.name for path in after.keys() - before.keys()} == {"more"}


def test_a_changed_file_is_measured_anew(tmp_path):
    originals(tmp_path / "originals")
    system(tmp_path / "mine", noisy)
    output = evaluate(tmp_path, "mine")
    before = rows(output / "metrics" / "mine" / "stoi.csv")
    save(tmp_path / "mine" / "u0.wav", noisy(noisy(recording(0))))
    after = rows(evaluate(tmp_path, "mine") / "metrics" / "mine" / "stoi.csv")
    assert [a == b for a, b in zip(before, after, strict=True)] == [False, True, True, True]


def test_what_an_interrupted_run_finished_is_not_measured_again(tmp_path, monkeypatch):
    originals(tmp_path / "originals")
    system(tmp_path / "mine", noisy)
    calls = []

    def interrupted(task):
        calls.append(sorted(task.recordings))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return measure(task)

    monkeypatch.setattr("codec_cliff.evaluate.measurements.measure", interrupted)
    with pytest.raises(SystemExit):
        evaluate(tmp_path, "mine")
    output = evaluate(tmp_path, "mine")
    assert calls == [["u0", "u2"], ["u1", "u3"], ["u1", "u3"]]
    assert len(rows(output / "metrics" / "mine" / "stoi.csv")) == 4
    assert not (output / "parts").exists()


def test_a_file_that_a_metric_fails_on_is_named_and_stops_no_other(tmp_path, monkeypatch):
    originals(tmp_path / "originals")
    system(tmp_path / "mine", noisy)
    whole = Pystoi.score

    def score(self, utterance, reference, degraded):
        if utterance.utterance_id == "u1" and not np.array_equal(reference.audio, degraded):
            raise ValueError("of all things")
        return whole(self, utterance, reference, degraded)

    monkeypatch.setattr(Pystoi, "score", score)
    for _ in range(2):  # the second time from what is kept
        output = evaluate(tmp_path, "mine")
        (problem,) = rows(output / "problems.csv")
        assert problem["problem"] == "stoi could not be measured: ValueError: of all things"
    cells = [row["stoi"] for row in rows(output / "metrics" / "mine" / "stoi.csv")]
    assert [bool(cell) for cell in cells] == [True, True, False, True]


def test_a_backend_that_cannot_be_had_costs_its_metric_alone(tmp_path):
    originals(tmp_path / "originals")
    system(tmp_path / "mine", noisy)
    with pytest.raises(SystemExit, match="1"):
        evaluate(tmp_path, "mine", metrics="stoi,spk_sim", more=("--backends", "spk_sim=espnet_wavlm"))
    assert "spk_sim was not measured" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert list(json.loads((tmp_path / "out" / "measured.json").read_text())) == ["mine/stoi", "original/stoi"]


def test_what_the_user_names_is_checked_before_anything_runs(tmp_path):
    originals(tmp_path / "originals")
    system(tmp_path / "mine")
    save(tmp_path / "strange" / "x.wav", recording(0))
    with pytest.raises(MetricError, match=r"no metric 'stoy' .did you mean stoi"):
        evaluate(tmp_path, "mine", metrics="stoy")
    with pytest.raises(CorpusError, match="nowhere: no such folder"):
        evaluate(tmp_path, "nowhere")
    with pytest.raises(CorpusError, match=r"strange: no file has the name of a recording.*here x\.wav"):
        evaluate(tmp_path, "strange")
    with pytest.raises(CorpusError, match="original: this name is taken"):
        main([str(tmp_path / "originals"), f"original={tmp_path / 'mine'}", "--output", str(tmp_path / "out")])


def test_an_output_among_the_recordings_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(CorpusError, match="--output originals/results would change what is read from originals"):
        main(["originals", "mine", "--output", "originals/results"])


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--confidence", "95", "95 is no share between 0 and 1"),
        ("--bootstrap-samples", "0", "0 are too few; 100 or more"),
        ("--seed", "-1", "-1 is too small; 0 or more"),
        ("--jobs", "0", "0 is too small; 1 or more"),
        ("--codebook-size", "1", "1 is too small; 2 or more"),
    ],
)
def test_options_that_no_run_can_have_are_refused_at_once(tmp_path, capsys, option, value, said):
    with pytest.raises(SystemExit, match="2"):
        evaluate(tmp_path, "mine", more=(option, value))
    assert f"argument {option}: {said}" in capsys.readouterr().err


def test_codes_that_are_none_cost_no_figure(tmp_path, capsys):
    originals(tmp_path / "originals")
    np.save(system(tmp_path / "mine", noisy) / "u0.npy", np.zeros((80, 300), np.float32))
    output = evaluate(tmp_path, "mine")
    assert float(rows(output / "table.csv")[1]["stoi"]) > 0.5
    assert "No use of codebooks: " in (output / "report.html").read_text(encoding="utf-8")
    assert "u0.npy: holds (80, 300) float32, expected integers" in capsys.readouterr().out


def test_recordings_whose_names_grow_are_still_shared(tmp_path):
    """Another recording of the same name lengthens the names of those that were there."""
    for folder, made in (("originals", np.copy), ("first", noisy), ("second", noisy)):
        save(tmp_path / folder / "a" / "x" / "1.wav", made(recording(0)))
        save(tmp_path / folder / "b" / "x" / "2.wav", made(recording(1)))
    evaluate(tmp_path, "first", "second")
    save(tmp_path / "originals" / "c" / "x" / "1.wav", recording(4))
    save(tmp_path / "first" / "c" / "x" / "1.wav", noisy(recording(4)))
    output = evaluate(tmp_path, "first", "second")
    assert [row["utterance_id"] for row in rows(output / "metrics" / "second" / "stoi.csv")] == ["a-x-1", "2"]
    assert {row["n_utterances"] for row in rows(output / "comparisons.csv")} == {"2"}


def test_what_this_run_does_not_write_is_gone(tmp_path):
    originals(tmp_path / "originals")
    codes = system(tmp_path / "mine", noisy) / "u0.npy"
    np.save(codes, np.array([[0, 4, 2]]))
    system(tmp_path / "theirs", noisy)
    output = evaluate(tmp_path, "mine", "theirs")
    written = {path.name for path in output.iterdir()}
    codes.unlink()
    evaluate(tmp_path, "mine")
    gone = {f"{name}.{suffix}" for name in ("codes", "differences") for suffix in ("csv", "md", "tex")} | {"codebook"}
    assert written - {path.name for path in output.iterdir()} == gone
    assert "Use of the codebooks" not in (output / "report.html").read_text(encoding="utf-8")


def test_the_table_says_whether_speakers_are_known(evaluated, tmp_path):
    _, output = evaluated
    assert "95% bootstrap intervals over utterances (1 to 2 speakers)" in (output / "table.md").read_text()
    system(tmp_path / "originals")
    system(tmp_path / "mine", noisy)
    notes = (evaluate(tmp_path, "mine") / "table.md").read_text()
    assert "95% bootstrap intervals over utterances, speakers unknown; they say nothing of other speakers." in notes


def test_folders_of_one_name_are_told_apart_by_their_parents(tmp_path):
    originals(tmp_path / "originals")
    system(tmp_path / "a" / "wav", noisy)
    system(tmp_path / "b" / "wav", noisy)
    output = evaluate(tmp_path, "a/wav", "b/wav")
    assert [row["system"] for row in rows(output / "table.csv")] == ["original", "a-wav", "b-wav"]


def test_ledger_knows_only_what_it_was_told(tmp_path):
    assert not Ledger(tmp_path).has("mine", "stoi", "x")
