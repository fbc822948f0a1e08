"""A folder in LibriSpeech's layout becomes utterances, and each kind of bad file is named, or left out and listed."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codec_cliff.corpus.account import BadFiles
from codec_cliff.corpus.folder import read_folder, spread
from codec_cliff.corpus.manifest import Utterance, read_manifest
from codec_cliff.corpus.store import decode_into_store, open_store
from codec_cliff.errors import CorpusError
from tests.paths import LIBRISPEECH

RATE = 16000


def tone(n_samples: int = 800) -> np.ndarray:
    return (8000 * np.sin(np.arange(n_samples) * 0.3)).astype(np.int16)


def add(
    chapter: Path, utterance_id: str, transcript: str | None = "A WORD", audio=None, rate: int = RATE, suffix=".flac"
):
    chapter.mkdir(parents=True, exist_ok=True)
    path = chapter / f"{utterance_id}{suffix}"
    soundfile.write(path, tone() if audio is None else audio, rate)
    if transcript is not None:
        with open(chapter / f"{chapter.parent.name}-{chapter.name}.trans.txt", "a") as file:
            file.write(f"{utterance_id} {transcript}\n")
    return path


@pytest.fixture
def root(tmp_path):
    """Two speakers, three good utterances."""
    add(tmp_path / "train/7/1", "7-1-0001", "THE SECOND")
    add(tmp_path / "train/7/1", "7-1-0000", "IT'S THE FIRST")
    add(tmp_path / "train/12/5", "12-5-0000", "ANOTHER SPEAKER", suffix=".wav")
    return tmp_path


GOOD = ["12-5-0000", "7-1-0000", "7-1-0001"]


def read(root, skip=False, splits=("train",), **arguments):
    bad_files = BadFiles(skip)
    return read_folder(root, list(splits), RATE, bad_files, **arguments), bad_files.skipped


def test_reads_ids_speakers_transcripts_and_lengths(root):
    utterances, skipped = read(root)
    assert [utterance.utterance_id for utterance in utterances] == GOOD
    assert [utterance.speaker_id for utterance in utterances] == ["12", "7", "7"]
    assert utterances[1].transcript == "IT'S THE FIRST"
    assert all((utterance.n_samples, utterance.sample_rate) == (800, RATE) for utterance in utterances)
    assert skipped == []


def test_the_path_stays_relative_where_the_root_is(root, monkeypatch):
    monkeypatch.chdir(root.parent)
    utterances, _ = read(root.name)
    assert utterances[1].path == f"{root.name}/train/7/1/7-1-0000.flac"


def test_other_depths_and_stray_files(root):
    add(root / "train/9/2/deep", "9-2-0000")
    add(root / "train", "8-3-0000")
    (root / "train/7/1/._7-1-0000.flac").write_bytes(b"left by another file system")
    (root / "train/7/README").write_text("not a recording")
    utterances, _ = read(root)
    assert {utterance.utterance_id: utterance.speaker_id for utterance in utterances} == {
        "12-5-0000": "12", "7-1-0000": "7", "7-1-0001": "7", "8-3-0000": "8", "9-2-0000": "9",
    }  # fmt: skip


def test_splits_follow_one_another_in_the_order_given(root):
    add(root / "other/1/1", "1-1-0000")
    assert [utterance.utterance_id for utterance in read(root, splits=("train", "other"))[0]] == [*GOOD, "1-1-0000"]
    assert [utterance.utterance_id for utterance in read(root, splits=("other", "train"))[0]] == ["1-1-0000", *GOOD]


def broken(root):
    path = add(root / "train/7/1", "7-1-0009")
    path.write_bytes(b"this is no audio")
    return path


def empty_file(root):
    path = add(root / "train/7/1", "7-1-0009")
    path.write_bytes(b"")
    return path


def no_transcript(root):
    return add(root / "train/7/1", "7-1-0009", transcript=None)


def no_audio_for_a_transcript(root):
    add(root / "train/7/1", "7-1-0009").unlink()
    return root / "train/7/1/7-1.trans.txt"


def duplicate(root):
    add(root / "train/7/2", "7-1-0000", transcript=None)
    return root / "train/7/2/7-1-0000.flac"


def transcribed_twice(root):
    path = root / "train/7/1/x.trans.txt"
    path.write_text("7-1-0000 SOMETHING ELSE\n")
    return path


def not_utf8(root):
    path = root / "train/7/1/x.trans.txt"
    path.write_bytes(b"7-1-0009 CAF\xe9\n")
    return path


def nameless_speaker(root):
    add(root / "train/7/1", "lonely").unlink()
    soundfile.write(root / "train/lonely.flac", tone(), RATE)
    return root / "train/lonely.flac"


BAD = {
    "broken": (broken, "cannot be read"),
    "empty file": (empty_file, "cannot be read"),
    "no samples": (lambda root: add(root / "train/7/1", "7-1-0009", audio=tone(0), suffix=".wav"), "holds no samples"),
    "rate": (lambda root: add(root / "train/7/1", "7-1-0009", rate=22050), "has 22050 Hz.* 16000 Hz"),
    "stereo": (lambda root: add(root / "train/7/1", "7-1-0009", audio=np.stack([tone()] * 2, 1)), "has 2 channels"),
    "no transcript": (no_transcript, "has no line in any"),
    "empty transcript": (lambda root: add(root / "train/7/1", "7-1-0009", transcript=""), "empty transcript"),
    "no audio": (no_audio_for_a_transcript, "transcribes 7-1-0009, of which there is no audio"),
    "duplicate": (duplicate, "7-1-0000 is taken by .*7/1/7-1-0000.flac"),
    "transcribed twice": (transcribed_twice, "transcribes 7-1-0000, as .*7-1.trans.txt does"),
    "not UTF-8": (not_utf8, "cannot be read as UTF-8"),
    "no speaker": (nameless_speaker, "does not begin with a speaker's id"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_an_error_that_names_it(root, kind):
    make, message = BAD[kind]
    path = make(root)
    with pytest.raises(CorpusError, match=message) as error:
        read(root)
    assert str(path) in str(error.value)
    assert "corpus.bad_files" in str(error.value)


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_can_be_left_out_and_the_others_stay(root, kind):
    path = BAD[kind][0](root)
    utterances, skipped = read(root, skip=True)
    assert [utterance.utterance_id for utterance in utterances] == GOOD
    assert [skipped_path for skipped_path, _ in skipped] == [str(path)]


def test_an_id_that_two_splits_share(root):
    add(root / "other/7/1", "7-1-0000")
    with pytest.raises(CorpusError, match=r"7-1-0000 is taken by .*train"):
        read(root, splits=("train", "other"))


@pytest.mark.parametrize("skip", [False, True])
def test_missing_folders_and_splits_without_usable_audio_are_always_errors(root, skip):
    with pytest.raises(CorpusError, match=r"nowhere: no such folder.*train"):
        read(root / "nowhere", skip)
    with pytest.raises(CorpusError, match=r"train-clean: no such folder.*corpus\.root"):
        read(root, skip, splits=("train-clean",))
    (root / "bare").mkdir()
    with pytest.raises(CorpusError, match=r"bare: holds no \.flac or \.wav"):
        read(root, skip, splits=("bare",))
    add(root / "mute/1/1", "1-1-0000", transcript=None)
    with pytest.raises(CorpusError, match=r"1-1-0000\.flac"):
        read(root, skip, splits=("mute",))


def test_a_subset_is_spread_over_the_speakers():
    counts = {"a": 5, "b": 1, "c": 3}
    utterances = [
        Utterance(f"{speaker}-{number}", speaker, "", 1, RATE, "X")
        for speaker in counts
        for number in range(counts[speaker])
    ]
    chosen = [utterance.utterance_id for utterance in spread(utterances, 6)]
    assert chosen == ["a-0", "a-1", "a-2", "b-0", "c-0", "c-1"]
    assert spread(utterances, None) == utterances
    assert spread(utterances, 100) == utterances
    smaller = {utterance.utterance_id for utterance in spread(utterances, 4)}
    assert smaller < set(chosen)


def corrupt(path: Path, truncate: bool) -> None:
    """A header that reads, and samples that do not."""
    content = path.read_bytes()
    cut = len(content) // 2
    path.write_bytes(content[:cut] if truncate else content[:cut] + bytes(len(content) - cut))


@pytest.mark.parametrize("truncate", [True, False])
def test_a_file_that_does_not_decode_is_found_by_the_store(root, truncate):
    noise = np.random.default_rng(0).integers(-9000, 9000, 32000).astype(np.int16)
    path = add(root / "train/7/1", "7-1-0005", audio=noise)
    corrupt(path, truncate)
    utterances, skipped = read(root)
    assert len(utterances) == 4
    assert skipped == []
    with pytest.raises(CorpusError, match=r"7-1-0005\.flac: .*decode"):
        decode_into_store(root / "store.npy", utterances, BadFiles(skip=False))
    assert not (root / "store.npy").exists()
    bad_files = BadFiles(skip=True)
    kept = decode_into_store(root / "store.npy", utterances, bad_files)
    assert [utterance.utterance_id for utterance in kept] == GOOD
    assert [skipped_path for skipped_path, _ in bad_files.skipped] == [str(path)]
    assert np.load(root / "store.npy").shape == (2400,)


def prepare(root: Path, out: Path, *more: str, bad_files: str = "skip") -> subprocess.CompletedProcess:
    command = f"-m codec_cliff.corpus prepare --splits train --sample-rate 16000 --bad-files {bad_files}".split()
    files = ["--root", root, "--manifest", out / "t.tsv", "--store", out / "t.npy", "--skipped", out / "t.skipped.tsv"]
    return subprocess.run([sys.executable, *command, *map(str, files), *more], capture_output=True, text=True)


def test_prepare_writes_manifest_store_and_the_list_of_skipped_files(root, tmp_path):
    path = broken(root)
    result = prepare(root, tmp_path / "out", "--max-utterances", "2")
    assert result.returncode == 0, result.stderr
    store = open_store(tmp_path / "out/t.tsv", tmp_path / "out/t.npy")
    assert [utterance.utterance_id for utterance in store.utterances] == ["12-5-0000", "7-1-0000"]
    assert read_manifest(tmp_path / "out/t.tsv") == store.utterances
    with open(tmp_path / "out/t.skipped.tsv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [row["path"] for row in rows] == [str(path)]
    assert rows[0]["reason"].startswith("cannot be read")


def test_prepare_fails_in_one_line_and_leaves_nothing(root, tmp_path):
    broken(root)
    result = prepare(root, tmp_path / "out", bad_files="error")
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert "7-1-0009.flac" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out/t.tsv").exists()


def test_nothing_skipped_leaves_a_list_with_its_header_alone(tmp_path):
    BadFiles(skip=True).write(tmp_path / "skipped.tsv")
    assert (tmp_path / "skipped.tsv").read_text() == "path\treason\n"


def test_real_speech_reads_as_its_own_transcripts_say():
    if not LIBRISPEECH.is_dir():
        pytest.skip(f"no LibriSpeech under {LIBRISPEECH}")
    utterances, skipped = read(LIBRISPEECH, splits=("test-clean",))
    assert skipped == []
    assert len(utterances) == len(list((LIBRISPEECH / "test-clean").rglob("*.flac")))
    for utterance in utterances:
        assert utterance.utterance_id.startswith(f"{utterance.speaker_id}-")
        assert utterance.transcript == utterance.transcript.upper()
