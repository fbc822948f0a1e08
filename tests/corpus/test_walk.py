"""Random trees of good, broken, linked, hidden, doubled and unreadable entries: what is found is taken or left out, and once."""

import os
import unicodedata
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from codec_cliff.corpus import walk
from codec_cliff.corpus.account import BadFiles
from codec_cliff.corpus.audio_files import audio_files
from codec_cliff.corpus.folder import OTHER_AUDIO, read_folder
from codec_cliff.corpus.manifest import read_manifest, write_manifest
from codec_cliff.corpus.store import decode_into_store, open_store
from codec_cliff.errors import CorpusError

RATE = 16000
FOLDERS = [
    "train/7/1",
    "train/7/2",
    "train/12/5",
    "train/NA",
    "train",
    "train/.snapshot/7/1",
    "train/7/.AppleDouble",
    "train/René/1",
]
NAMES = ["7-1-0", "7-1-1", "12-5-0", "NA-0", "nan", "Rene\u0301-1", "Ren\u00e9-1", "._7-1-0"]
KINDS = [
    "good",
    "good",
    "good",
    "float",
    "nan",
    "loud",
    "stereo",
    "rate",
    "broken",
    "empty",
    "cut",
    "mp3",
    "mute",
    "pipe",
    "text",
]
LINKS = ["above", "sibling", "itself", "nowhere", "file", "hard", "root", "other split"]

entries = st.lists(
    st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES), st.sampled_from(KINDS)), min_size=1, max_size=12
)
links = st.lists(st.tuples(st.sampled_from(FOLDERS), st.sampled_from(LINKS), st.sampled_from(FOLDERS)), max_size=6)


def audio(n_samples: int = 400) -> np.ndarray:
    return 0.3 * np.sin(np.arange(n_samples) * 0.3)


def write(folder: Path, name: str, kind: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.wav"
    if kind == "mp3":
        (folder / f"{name}.mp3").write_bytes(b"ID3")
        return
    if kind == "text":
        (folder / f"{name}.txt").write_text("notes")
        return
    if path.exists():
        return
    if kind == "pipe":
        os.mkfifo(path)
    elif kind in ("broken", "empty"):
        path.write_bytes(b"no audio" if kind == "broken" else b"")
    else:
        samples = audio()
        samples[10] = {"nan": np.nan, "loud": 1e29}.get(kind, samples[10])
        subtype = "FLOAT" if kind in ("float", "nan", "loud") else "PCM_16"
        channels = np.stack([samples] * 2, 1) if kind == "stereo" else samples
        soundfile.write(path, channels, 8000 if kind == "rate" else RATE, subtype=subtype)
        if kind == "cut":
            path.write_bytes(path.read_bytes()[:-200])
    if kind != "mute":
        with open(folder / "x.trans.txt", "a", encoding="utf-8") as file:
            file.write(f"{name} A WORD\n")


def link(root: Path, folder: str, kind: str, other: str) -> None:
    place = root / folder
    place.mkdir(parents=True, exist_ok=True)
    (root / other).mkdir(parents=True, exist_ok=True)
    name = place / f"link-{kind}-{other.replace('/', '_')}"
    targets = {"above": "..", "sibling": root / other, "itself": name.name, "nowhere": root / "gone", "root": root}
    files = [path for path in sorted((root / other).iterdir()) if path.is_file()]
    if name.is_symlink() or name.exists():
        return
    if kind in ("file", "hard"):
        if not files:
            return
        name = name.with_suffix(files[0].suffix)
        if not name.exists() and not name.is_symlink():
            name.symlink_to(files[0]) if kind == "file" else name.hardlink_to(files[0])
    else:
        name.symlink_to(targets.get(kind, root / "test"))


def real_recordings(folder: Path) -> set[tuple[int, int]]:
    """What lies below, found in another way than the reader's: no link followed but to files."""
    found = set()
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        shown = (Path(parent, name) for name in names if not name.startswith("."))
        found |= {walk.identity(path) for path in shown if path.suffix == ".wav"}
    return found


@given(entries, links)
@settings(max_examples=120, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
def test_found_is_taken_plus_left_out_and_nothing_twice(entries, links):
    with TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "train").mkdir()
        for where, name, kind in entries:
            write(root / where, name, kind)
        for where, kind, other in links:
            link(root, where, kind, other)
        bad_files = BadFiles(skip=True)
        write(root / "train/99/1", "99-1-0", "good")
        listed = read_folder(root, ["train"], RATE, bad_files)
        taken = decode_into_store(root / "s.npy", listed, bad_files)
        bad_files.check_sums(taken)
        left_out = {path for path, _ in bad_files.skipped}
        assert len(bad_files.found) == len(set(bad_files.found))
        assert set(bad_files.found) == {each.path for each in taken} | (left_out & set(bad_files.found))
        identities = [walk.identity(Path(each.path)) for each in taken]
        assert len(set(identities)) == len({each.utterance_id for each in taken}) == len(taken)
        assert real_recordings(root / "train") <= {walk.identity(Path(path)) for path in bad_files.found}
        assert not any(part.startswith(".") for path in bad_files.found for part in Path(path).relative_to(root).parts)
        write_manifest(root / "m.tsv", taken)
        assert open_store(root / "m.tsv", root / "s.npy").utterances == read_manifest(root / "m.tsv") == taken


def one(root: Path, *names: str, folder: str = "train/7/1", kind: str = "good") -> None:
    for name in names:
        write(root / folder, name, kind)


def taken_and_left_out(root: Path, skip: bool = True) -> tuple[list[str], dict[str, str]]:
    bad_files = BadFiles(skip)
    taken = decode_into_store(root / "s.npy", read_folder(root, ["train"], RATE, bad_files), bad_files)
    return [each.utterance_id for each in taken], {Path(path).name: reason for path, reason in bad_files.skipped}


def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path, monkeypatch):
    one(tmp_path, "7-1-0")
    scandir = os.scandir

    def refusing(path):
        if Path(path).name == "1":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    with pytest.raises(CorpusError, match=r"train/7/1: cannot be listed \(Permission denied\)"):
        read_folder(tmp_path, ["train"], RATE, BadFiles(skip=True))


@pytest.mark.parametrize("suffix", OTHER_AUDIO)
def test_recordings_in_other_formats_are_named(tmp_path, suffix):
    one(tmp_path, "7-1-0", "7-1-1")
    (tmp_path / f"train/7/1/7-1-9{suffix.upper()}").write_bytes(b"x")
    (tmp_path / f"train/7/1/7-1-1{suffix}").write_bytes(b"what the WAV was made of")
    taken, left_out = taken_and_left_out(tmp_path)
    assert taken == ["7-1-0", "7-1-1"]
    assert list(left_out) == [f"7-1-9{suffix.upper()}"]


def test_a_second_name_of_a_file_is_named_and_the_real_one_taken(tmp_path):
    one(tmp_path, "7-1-5", "7-1-6")
    (tmp_path / "train/7/1/7-1-0.wav").symlink_to("7-1-5.wav")
    (tmp_path / "train/7/1/7-1-7.wav").hardlink_to(tmp_path / "train/7/1/7-1-6.wav")
    taken, left_out = taken_and_left_out(tmp_path)
    assert taken == ["7-1-5", "7-1-6"]
    assert left_out["7-1-0.wav"].endswith("7-1-5.wav under another name")
    assert left_out["7-1-7.wav"].endswith("7-1-6.wav under another name")


def test_a_linked_speaker_is_read_under_the_name_of_the_real_folder(tmp_path):
    one(tmp_path, "7-1-0", folder="train/zz/1")
    (tmp_path / "train/aa").symlink_to(tmp_path / "train/zz")
    one(tmp_path, "8-1-0", folder="elsewhere/8/1")
    (tmp_path / "train/8").symlink_to(tmp_path / "elsewhere/8")
    utterances = read_folder(tmp_path, ["train"], RATE, BadFiles(skip=False))
    assert [(each.utterance_id, each.speaker_id) for each in utterances] == [("7-1-0", "zz"), ("8-1-0", "8")]


def test_links_to_folders_above_do_not_bring_the_other_split_in(tmp_path):
    one(tmp_path, "7-1-0")
    one(tmp_path, "9-1-0", folder="test/9/1")
    for place in ("train", "train/7", "train/7/1"):
        for number, target in enumerate((tmp_path, tmp_path / "train", tmp_path.parent)):
            (tmp_path / place / f"up{number}").symlink_to(target)
    assert [each.utterance_id for each in read_folder(tmp_path, ["train"], RATE, BadFiles(skip=False))] == ["7-1-0"]
    assert [path.stem for path in audio_files(tmp_path / "train")] == [
        "7-1-0"
    ]  # a folder of reconstructions is read so too


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("nan", "holds 1 samples of 400 that are not finite numbers"),
        ("loud", "peaks at 1e\\+29 times full scale"),
        ("cut", "cut short: its header promises 800 bytes of samples, it holds 600"),
        ("pipe", "is no regular file"),
    ],
)
def test_what_is_no_whole_recording_is_named(tmp_path, kind, reason):
    one(tmp_path, "7-1-0")
    one(tmp_path, "7-1-1", kind=kind)
    with pytest.raises(CorpusError, match=f"7-1-1.wav: (is )?{reason}"):
        taken_and_left_out(tmp_path, skip=False)
    taken, left_out = taken_and_left_out(tmp_path)
    assert (taken, list(left_out)) == (["7-1-0"], ["7-1-1.wav"])


def test_floats_a_little_beyond_full_scale_are_recordings(tmp_path):
    one(tmp_path, "7-1-0")
    soundfile.write(tmp_path / "train/7/1/7-1-0.wav", 4 * audio(), RATE, subtype="FLOAT")
    assert taken_and_left_out(tmp_path) == (["7-1-0"], {})


def test_a_name_that_is_no_utf8_is_named(tmp_path):
    one(tmp_path, "7-1-0")
    os.rename(tmp_path / "train/7/1/7-1-0.wav", os.fsencode(tmp_path) + b"/train/7/1/7-1-\xe9.wav")
    one(tmp_path, "7-1-1")
    bad_files = BadFiles(skip=True)
    assert [each.utterance_id for each in read_folder(tmp_path, ["train"], RATE, bad_files)] == ["7-1-1"]
    bad_files.write(tmp_path / "skipped.tsv")
    assert "7-1-\\xe9.wav\thas a name that is no UTF-8" in (tmp_path / "skipped.tsv").read_text()


LINES = {  # what may stand within a line, and what ends it
    "line separator": ("A\u2028B", "A B"),
    "next line": ("A\x85B", "A B"),
    "form feed": ("A\x0cB", "A B"),
    "file separator": ("A\x1cB", "A B"),
    "tab": ("A\tB", "A B"),
    "no-break space": ("A\xa0B", "A B"),
    "quotes": ("A \"B\" 'C'", "A \"B\" 'C'"),
    "decomposed": ("CAFE\u0301", "CAF\xc9"),
    "NA": ("NA", "NA"),
}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("kind", LINES)
def test_a_line_ends_at_a_line_feed_or_carriage_return_alone(tmp_path, kind, end):
    one(tmp_path, "7-1-0", "7-1-1")
    text, expected = LINES[kind]
    (tmp_path / "train/7/1/x.trans.txt").write_bytes(f"7-1-0 {text}{end}7-1-1 SECOND{end}".encode())
    utterances = read_folder(tmp_path, ["train"], RATE, BadFiles(skip=False))
    assert [each.transcript for each in utterances] == [expected, "SECOND"]
    write_manifest(tmp_path / "m.tsv", utterances)
    assert read_manifest(tmp_path / "m.tsv") == utterances


@pytest.mark.parametrize(("audio_form", "line_form"), [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_ids_meet_in_one_unicode_form(tmp_path, audio_form, line_form):
    name, line = (unicodedata.normalize(form, "René-1") for form in (audio_form, line_form))
    one(tmp_path, name, folder="train/" + unicodedata.normalize(audio_form, "René"))
    next((tmp_path / "train").iterdir()).joinpath("x.trans.txt").write_text(f"{line} HELLO\n")
    (utterance,) = read_folder(tmp_path, ["train"], RATE, BadFiles(skip=False))
    assert (utterance.utterance_id, utterance.speaker_id) == ("Ren\xe9-1", "Ren\xe9")


def test_the_sums_are_checked(tmp_path):
    one(tmp_path, "7-1-0", "7-1-1")
    bad_files = BadFiles(skip=True)
    utterances = read_folder(tmp_path, ["train"], RATE, bad_files)
    bad_files.check_sums(utterances)
    for wrong in (utterances[:1], [*utterances, utterances[0]]):
        with pytest.raises(CorpusError, match="2 recordings were found"):
            bad_files.check_sums(wrong)


@pytest.mark.parametrize("content", [b"", bytes(500), b"\x93NUMPY", b"text"])
def test_a_damaged_store_or_manifest_is_one_sentence(tmp_path, content):
    one(tmp_path, "7-1-0")
    bad_files = BadFiles(skip=False)
    taken = decode_into_store(tmp_path / "s.npy", read_folder(tmp_path, ["train"], RATE, bad_files), bad_files)
    write_manifest(tmp_path / "m.tsv", taken)
    good = (tmp_path / "s.npy").read_bytes()
    (tmp_path / "s.npy").write_bytes(content)
    with pytest.raises(CorpusError, match=r"s\.npy: .*delete"):
        open_store(tmp_path / "m.tsv", tmp_path / "s.npy")
    (tmp_path / "s.npy").write_bytes(good[:-2])
    with pytest.raises(CorpusError, match=r"s\.npy: .*delete"):
        open_store(tmp_path / "m.tsv", tmp_path / "s.npy")
    (tmp_path / "m.tsv").write_bytes(content)
    with pytest.raises(CorpusError, match=r"m\.tsv"):
        read_manifest(tmp_path / "m.tsv")
