"""Word errors with transcripts and without: another name, another reference, the same recogniser."""

import csv

import numpy as np
import pytest

from codec_cliff.evaluate.command import main
from codec_cliff.metrics import wer
from codec_cliff.metrics.construct import EMBEDDED
from tests.evaluate.folders import RATE, noisy, originals, system


class Listener:
    """Hears a word a half second, which one says how loud it is: clean and noisy speech give words that differ here and there."""

    backend, revision, sample_rate, batch_utterances = "listener", "1", RATE, 1

    def transcribe(self, audio):
        return [
            " ".join(self.word(part) for part in np.array_split(recording, len(recording) // 8000))
            for recording in audio
        ]

    @staticmethod
    def word(part):
        return "abcdefghij"[int(200 * np.abs(part).mean()) % 10] * 3


@pytest.fixture
def folders(tmp_path, monkeypatch):
    def listener(utterances, cache, device, normaliser="plain"):
        return wer.WordErrors(Listener(), normaliser)

    monkeypatch.setitem(wer.BACKENDS, EMBEDDED["wer"], listener)
    originals(tmp_path / "originals")
    system(tmp_path / "same")
    system(tmp_path / "half", lambda audio: noisy(audio) / 2)
    return tmp_path


def evaluate(folder, *options):
    named = [str(folder / name) for name in ("originals", "same", "half")]
    output = folder / "out"
    main([*named, "--output", str(output), "--metrics", "wer", "--jobs", "1", *options])
    return {path.parent.name: list(csv.DictReader(path.open())) for path in output.glob("metrics/*/*.csv")}


def test_without_transcripts_the_originals_own_words_are_the_reference_under_another_name(folders):
    rows = evaluate(folders)
    assert {path.name for path in (folders / "out" / "metrics").glob("*/*")} == {"wer_of_original.csv"}
    assert all(row["errors"] == "0" and int(row["reference_words"]) == 3 for row in rows["same"])
    assert all(row["errors"] == "3" for row in rows["half"])
    table = (folders / "out" / "table.csv").read_text().splitlines()
    assert "wer_of_original" in table[0]
    assert ",wer," not in table[0]
    cells = {line.split(",")[0]: line.split(",")[3] for line in table[1:]}
    assert cells == {"original": "", "same": "0.0", "half": "100.0"}
    page = (folders / "out" / "report.html").read_text(encoding="utf-8")
    assert "It is not comparable with a WER against transcripts" in page
    assert f"“{rows['original'][0]['hypothesis']}”" in page


def test_with_transcripts_it_is_wer_and_recordings_without_one_are_counted(folders, capsys):
    (folders / "said.tsv").write_text("u0\taaa bbb ccc\nu1\tddd\n")
    rows = evaluate(folders, "--transcripts", str(folders / "said.tsv"))
    assert {row["utterance_id"]: row["reference_words"] for row in rows["original"]} == {
        "u0": "3",
        "u1": "1",
        "u2": "",
        "u3": "",
    }
    assert (
        "WER (%), utterances without a score: original 2, same 2, half 2." in (folders / "out" / "table.md").read_text()
    )
    with open(folders / "out" / "problems.csv") as file:
        problems = [(row["utterance_id"], row["kind"], row["measured"]) for row in csv.DictReader(file)]
    assert [row for row in problems if row[1] == "no transcript"] == [
        ("u2", "no transcript", "yes"),
        ("u3", "no transcript", "yes"),
    ]
    said = "original, 4 of 4 files: 2 without a transcript, and so without word errors, measured all the same: u2, u3."
    assert said in capsys.readouterr().out


def test_a_system_of_untranscribed_recordings_costs_the_others_no_figure(folders, capsys):
    for name in ("u0.wav", "u1.wav"):
        (folders / "half" / name).unlink()
    (folders / "said.tsv").write_text("u0\taaa bbb ccc\nu1\tddd\n")
    for _ in range(2):
        rows = evaluate(folders, "--transcripts", str(folders / "said.tsv"))
        assert set(rows) == {"original", "same"}
        with open(folders / "out" / "table.csv") as file:
            table = {row["system"]: row["wer"] for row in csv.DictReader(file)}
        assert table["same"] == table["original"] != ""
        assert table["half"] == ""
        assert "No figure of wer: none of its recordings has a transcript." in capsys.readouterr().out
