"""The synthetic corpus: the same bytes each time, levels and lengths that training needs, words that the recogniser knows."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pocketsphinx import get_model_path

from codec_cliff.corpus import synthetic
from codec_cliff.corpus.account import BadFiles
from codec_cliff.corpus.folder import read_folder
from codec_cliff.corpus.synthetic import INDEX, LEVEL_DB, PEAK, VOICES, make_synthetic, readings, sentences, speak
from codec_cliff.errors import CorpusError

RATE = 16000
LONGEST_CLIP_SECONDS = 6.08  # 19 tokens at 3.125 Hz


def make(root: Path) -> Path:
    command = [sys.executable, "-m", "codec_cliff.corpus", "make-synthetic", "--root", str(root)]
    subprocess.run(command, check=True, capture_output=True)
    return root


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make(tmp_path_factory.mktemp("corpus") / "data")


def read(root: Path, split: str):
    return read_folder(root, [split], RATE, BadFiles(skip=False))


def test_two_calls_write_the_same_bytes(root, tmp_path):
    make_synthetic(tmp_path / "again")
    first, again = content(root), content(tmp_path / "again")
    assert list(first) == list(again)
    assert [name for name in first if first[name] != again[name]] == []


def test_reads_back_as_a_folder_with_the_transcripts_of_the_sentences(root):
    for split, expected in (("train", 96), ("test", 32)):
        utterances = read(root, split)
        assert len(utterances) == expected
        transcripts = {reading.utterance_id: reading.transcript for reading in readings(split)}
        assert {utterance.utterance_id: utterance.transcript for utterance in utterances} == transcripts
        assert {utterance.speaker_id for utterance in utterances} == {voice.replace("+", "-") for voice in VOICES}


def test_lengths_fit_training_clips_and_test_sentences(root):
    train = [utterance.seconds for utterance in read(root, "train")]
    assert min(train) >= LONGEST_CLIP_SECONDS
    assert max(train) <= 12
    assert 12 * 60 <= sum(train) <= 15 * 60
    test = read(root, "test")
    assert all(2.5 <= utterance.seconds <= 4.5 for utterance in test)
    assert sum(len(utterance.transcript.split()) for utterance in test) >= 250


def test_level_is_constant_and_nothing_clips(root):
    for utterance in read(root, "test") + read(root, "train"):
        audio, _ = soundfile.read(utterance.path)
        level = 10 * np.log10(np.mean(audio**2))
        peak = np.abs(audio).max()
        assert peak < 1 - 2**-15
        assert level == pytest.approx(LEVEL_DB, abs=0.05) or (
            level < LEVEL_DB and peak == pytest.approx(PEAK, abs=0.01)
        )


def test_the_index_counts_what_was_written(root):
    with open(root / INDEX, newline="") as file:
        rows = {row["split"]: row for row in csv.DictReader(file, delimiter="\t")}
    for split in ("train", "test"):
        utterances = read(root, split)
        assert int(rows[split]["utterances"]) == len(utterances)
        assert float(rows[split]["seconds"]) == pytest.approx(sum(each.seconds for each in utterances), abs=0.01)
        assert int(rows[split]["voices"]) == len(VOICES)


def test_test_sentences_are_not_trained_on():
    trained = " ".join(sentences("train")).lower()
    assert not [sentence for sentence in sentences("test") if sentence.rstrip(".").lower() in trained]


def test_every_test_sentence_is_read_once_and_every_training_text_by_two_or_three_voices():
    test = [reading.text for reading in readings("test")]
    assert sorted(test) == sorted(sentences("test"))
    readers = {
        text: [reading.voice for reading in readings("train") if reading.text == text] for text in sentences("train")
    }
    assert all(2 <= len(voices) <= 3 and len(set(voices)) == len(voices) for voices in readers.values())


def test_the_recogniser_knows_every_word():
    with open(get_model_path("en-us/cmudict-en-us.dict"), encoding="utf-8") as file:
        known = {line.split()[0].upper() for line in file if line.strip()}
    words = {word for split in ("train", "test") for each in readings(split) for word in each.transcript.split()}
    assert words - known == set()


def test_voices_and_settings_sound_different():
    first = readings("test")[0]
    base = speak(first, RATE)
    for change in ({"voice": "en-us+m5"}, {"pitch": first.pitch + 15}, {"rate": first.rate + 20}):
        other = speak(synthetic.Reading(**{**vars(first), **change}), RATE)
        assert len(other) != len(base) or np.abs(other.astype(int) - base).mean() > 100


def test_another_sample_rate_keeps_the_duration():
    reading = readings("test")[0]
    assert len(speak(reading, 24000)) / 24000 == pytest.approx(len(speak(reading, RATE)) / RATE, abs=0.02)


def test_a_folder_of_somebody_else_is_not_replaced(tmp_path):
    recording = tmp_path / "train/1/1/1-1-0000.flac"
    recording.parent.mkdir(parents=True)
    recording.write_bytes(b"precious")
    with pytest.raises(CorpusError, match=r"train: holds files that make-synthetic did not write"):
        make_synthetic(tmp_path)
    assert recording.read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["train"]


def test_its_own_folder_is_replaced_whole(root, tmp_path):
    folder = tmp_path / "test"
    synthetic._claim(folder)
    (folder / "left-over.flac").write_bytes(b"an earlier sentence")
    synthetic._claim(folder)
    assert [path.name for path in folder.iterdir()] == [synthetic.OWNED]


def test_without_espeak_the_message_names_the_remedy_and_nothing_is_written(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CorpusError, match="uv sync --group synthetic"):
        make_synthetic(tmp_path)
    assert list(tmp_path.iterdir()) == []
