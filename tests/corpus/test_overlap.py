"""One recording is not in training and test, and a folder that changed is noticed."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from codec_cliff.corpus.listing import changes, folder_listing, listing_path, write_listing
from codec_cliff.corpus.manifest import Utterance
from codec_cliff.corpus.overlap import refuse_overlap
from codec_cliff.errors import CorpusError
from tests.corpus.test_walk import one

CHANGES = {
    "a new speaker": lambda root: one(root, "8-1-0", folder="train/8/1"),
    "a mended file": lambda root: (root / "train/7/1/7-1-0.wav").write_bytes(b"another"),
    "another transcript of the same length": lambda root: rewrite(root / "train/7/1/x.trans.txt"),
    "a file gone": lambda root: (root / "train/7/1/7-1-1.wav").unlink(),
}


def rewrite(path: Path) -> None:
    text = path.read_text()
    path.write_text(text.replace("WORD", "WARD"))
    os.utime(path, (1e9, 1e9))


@pytest.fixture
def root(tmp_path) -> Path:
    one(tmp_path, "7-1-0", "7-1-1")
    one(tmp_path, "9-1-0", "9-1-1", folder="test/9/1")
    for number, path in enumerate(sorted(tmp_path.rglob("*.wav"))):  # one length, one transcript, other samples
        soundfile.write(path, 0.1 * np.sin(np.arange(400) * (1 + number)), 16000)
    return tmp_path


@pytest.mark.parametrize("kind", CHANGES)
def test_a_folder_that_changed_is_noticed_and_says_what_to_type(root, kind):
    write_listing(root / "m.tsv", folder_listing(root, ["train"]))
    assert changes(root / "m.tsv", root, ["train"]) == ""
    one(root, "9-1-2", folder="test/9/1")
    (root / "train/7/1/.DS_Store").write_text("hidden")
    assert changes(root / "m.tsv", root, ["train"]) == ""  # the other split, and what no reader sees
    CHANGES[kind](root)
    assert "with --forcerun prepare" in changes(root / "m.tsv", root, ["train"])


@pytest.mark.parametrize("content", [None, b"", bytes(40), b"path\tbytes\n"])
def test_without_a_listing_nothing_is_known(root, content):
    if content is not None:
        listing_path(root / "m.tsv").write_bytes(content)
    assert changes(root / "m.tsv", root, ["train"]) == ""
    write_listing(root / "m.tsv", {})
    assert changes(root / "m.tsv", root / "unmounted", ["train"]) == ""


def prepare(root: Path, split: str, other: str, out: Path) -> subprocess.CompletedProcess:
    files = [
        "--manifest",
        out / f"{split}.tsv",
        "--store",
        out / f"{split}.npy",
        "--skipped",
        out / f"{split}.skipped.tsv",
    ]
    line = [
        sys.executable,
        "-m",
        "codec_cliff.corpus",
        "prepare",
        "--root",
        root,
        "--splits",
        split,
        "--sample-rate",
        16000,
    ]
    line += ["--bad-files", "error", *files, "--apart-from", out / f"{other}.tsv", "--other-splits", other]
    return subprocess.run(list(map(str, line)), capture_output=True, text=True)


def link(root: Path) -> None:
    (root / "test/7").symlink_to(root / "train/7")


def hard_links(root: Path) -> None:
    shutil.copytree(root / "train/7", root / "test/7", copy_function=os.link)


def copies(root: Path) -> None:
    shutil.copytree(root / "train/7", root / "test/7")


def renamed_link(root: Path) -> None:
    (root / "test/9/1/9-1-9.wav").symlink_to(root / "train/7/1/7-1-0.wav")
    with open(root / "test/9/1/x.trans.txt", "a") as file:
        file.write("9-1-9 A WORD\n")


def renamed_copy(root: Path) -> None:
    """Of the samples: another file, as one that was written anew."""
    samples, rate = soundfile.read(root / "train/7/1/7-1-0.wav", dtype="int16")
    soundfile.write(root / "test/9/1/9-1-9.flac", samples, rate)
    transcript = (root / "train/7/1/x.trans.txt").read_text().splitlines()[0].split(maxsplit=1)[1]
    with open(root / "test/9/1/x.trans.txt", "a") as file:
        file.write(f"9-1-9 {transcript}\n")


@pytest.mark.parametrize("first", ["train", "test"])
def test_recordings_of_one_length_and_transcript_are_no_overlap(root, first):
    second = {"train": "test", "test": "train"}[first]
    assert prepare(root, first, second, root / "out").returncode == 0
    assert prepare(root, second, first, root / "out").returncode == 0


@pytest.mark.parametrize("share", [link, hard_links, copies, renamed_link, renamed_copy])
@pytest.mark.parametrize("first", ["train", "test"])
def test_recordings_of_training_in_test_are_refused_whatever_their_paths(root, share, first):
    share(root)
    second = {"train": "test", "test": "train"}[first]
    assert prepare(root, first, second, root / "out").returncode == 0
    refused = prepare(root, second, first, root / "out")
    assert refused.returncode == 2
    assert "test on speech that was not trained on" in refused.stderr
    assert not (root / f"out/{second}.tsv").exists()


def test_the_copy_is_named_and_one_whose_original_is_gone_is_not_known(root):
    renamed_copy(root)
    copy, original = utterance(root / "test/9/1/9-1-9.flac"), utterance(root / "train/7/1/7-1-0.wav")
    another = utterance(root / "train/7/1/7-1-1.wav")
    with pytest.raises(CorpusError, match=r"^1 recordings are in m\.tsv too: .*9-1-9\.flac \(there .*7-1-0\.wav\)"):
        refuse_overlap([copy], [another, original], "m.tsv")
    refuse_overlap([copy], [another, replace(original, path="gone.wav")], "m.tsv")


def utterance(path: Path) -> Utterance:
    header = soundfile.info(path)
    return Utterance(path.stem, "s", str(path), header.frames, header.samplerate, "A WORD")


def test_a_manifest_of_an_earlier_choice_of_splits_is_no_overlap(root):
    assert prepare(root, "train", "test", root / "out").returncode == 0
    (root / "out/train.tsv").rename(root / "out/test.tsv")  # as if test had been the split `train` before
    (root / "out/x").mkdir()
    assert prepare(root, "train", "test", root / "out").returncode == 0
