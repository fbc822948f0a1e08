"""The paper's study from an empty clone, on the stand-in for the internet: what the main environment can run of it.

`make rehearsal` runs the whole, the stacks with an environment of their own included.
"""

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pandas as pd
import pytest

from tests.internet import rehearsal as rehearsals
from tests.internet.rehearsal import DOWNLOAD, ENVIRONMENTS, SMALL, STATUS, STUDY, Rehearsal
from tests.internet.server import ASSETS, HUB, LARGE, OPENSLR

# Fewer runs and codecs, and of metrics with an environment of their own the embedded backends.
PART = SMALL | {
    "  fixed_duration: [100, 50, 25, 12.5, 6.25]": "  fixed_duration: [50]",
    "  fixed_tokens: [100, 50, 25, 12.5, 6.25, 3.125, 1.6]": "  fixed_tokens: [50]",
    "  repaired: [6.25]": "  repaired: []",
    "    - dac_24k\n    - qwen3_tts_12hz\n": "",
    "    - mimi_32\n": "",
    "    - wavtokenizer_40\n": "",
    "  mcd: pymcd": "  mcd: mel_cepstral_distance",
    "  spk_sim: espnet_wavlm": "  spk_sim: resemblyzer",
}
PUBLISHED = ["dac_16k", "bigcodec", "mimi_8", "snac_24k", "wavtokenizer_75"]
WRONG = f"{ASSETS}/descriptinc/descript-audio-codec/releases/download/0.0.5/weights_16khz.pth"
KILLED = f"{LARGE}/Blinorot/UTMOS-PyTorch/utmos_state_dict.pt"


def kill_fetch(name: str, clone: Path) -> None:
    """End the job that downloads `name`, as an administrator or the lack of memory does."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            here = (entry / "cwd").resolve() == clone
        except OSError:
            continue
        if here and words[1:5] == [b"-m", b"codec_cliff.downloads", b"fetch", name.encode()]:
            os.kill(int(entry.name), signal.SIGKILL)


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    rehearsal = Rehearsal(tmp_path_factory.mktemp("paper"), PART)
    with rehearsal.internet:
        yield rehearsal


@pytest.fixture(scope="module")
def broken(rehearsal) -> subprocess.CompletedProcess[str]:
    """`downloads` with a wrong byte, a mirror that hangs up, a job killed in its midst, and a hub that goes away for good."""
    internet = rehearsal.internet
    internet.wrong.add(WRONG)
    internet.cuts[f"{OPENSLR[0]}/resources/12/test-clean.tar.gz"] = 1000
    internet.stalls[KILLED] = 1 << 20
    internet.answers[HUB] = 24

    def killer() -> None:
        internet.stalled.wait(600)
        kill_fetch("utmos22_strong", rehearsal.clone.folder)
        internet.stalls.clear()
        internet.go_on.set()

    threading.Thread(target=killer, daemon=True).start()
    return rehearsal.online(DOWNLOAD)


def test_what_went_wrong_is_said_plainly(broken, rehearsal):
    said = broken.stdout
    assert broken.returncode != 0
    assert "Traceback" not in said
    assert rehearsal.internet.stalled.is_set()
    assert "weights_16khz.pth: its SHA-256 is " in said
    assert "the file was removed, run again to fetch it anew" in said
    assert "is neither in cache/huggingface nor to be had" in said
    assert (rehearsal.clone.folder / "data/LibriSpeech/test-clean.complete").exists()  # from the next mirror
    assert not (rehearsal.clone.folder / "cache/downloads/dac_16k.complete").exists()


@pytest.fixture(scope="module")
def downloaded(broken, rehearsal) -> list:
    """The same command again, nothing broken any more; what it asked for."""
    internet = rehearsal.internet
    internet.wrong.clear(), internet.cuts.clear(), internet.answers.clear()
    before = len(internet.asked)
    finished = rehearsal.online(DOWNLOAD)
    assert finished.returncode == 0, finished.stdout[-4000:]
    return internet.asked[before:]


def test_the_same_command_goes_on_where_it_stopped(downloaded, rehearsal):
    markers = {path.stem for path in (rehearsal.clone.folder / "cache/downloads").iterdir()}
    assert markers == {*rehearsal.names}
    assert not [one for one in downloaded if one.host in OPENSLR]  # the corpora were whole
    assert not list(rehearsal.clone.folder.rglob("*.incomplete"))  # what the killed job left
    cut = [one.range for one in rehearsal.internet.asked if one.host == OPENSLR[1] and "test-clean" in one.path]
    assert cut == ["bytes=1000-"]  # the next mirror went on where the first hung up


def test_every_file_is_the_published_one_by_its_checksum(downloaded, rehearsal):
    fetched = set(rehearsal.fetched().values())
    for published, stand_in in rehearsal.swap.items():
        assert published not in fetched
        if len(published) == 64:
            assert stand_in in fetched


def test_nobody_was_asked_whom_no_pin_names(downloaded, rehearsal):
    assert rehearsal.internet.unknown == []


def test_folders_are_evaluated_by_the_papers_backends_with_what_was_downloaded(downloaded, rehearsal):
    folder = rehearsal.clone.folder
    shutil.copytree(folder / "data/LibriSpeech/test-clean", folder / "mine")
    command = (
        "uv run codec-cliff evaluate data/LibriSpeech/test-clean mine --backends paper --metrics stoi,wer,naturalness"
    )
    finished = rehearsal.offline(f"{command} --output results/evaluated --without-recordings")
    assert finished.returncode == 0, finished.stdout[-4000:]
    assert rehearsal.tried == []
    table = (folder / "results/evaluated/table.md").read_text()
    assert f"| mine | {rehearsals.TEST} of {rehearsals.TEST} |" in table
    for backend in ("pystoi", "mms_1b_all", "utmos22_strong"):
        assert backend in table
    assert (folder / "results/evaluated/report.html").exists()


@pytest.fixture(scope="module")
def study(downloaded, rehearsal) -> Rehearsal:
    if "CODEC_CLIFF_OFFLINE_STUDY" not in os.environ:
        pytest.skip("some minutes: make offline-study")
    made = rehearsal.clone.run(ENVIRONMENTS)
    assert made.returncode == 0, made.stdout[-4000:]
    finished = rehearsal.offline(STUDY)
    assert finished.returncode == 0, finished.stdout[-6000:]
    return rehearsal


def test_offline_the_study_runs_to_its_page_and_asks_nobody(study):
    assert study.tried == []
    assert (study.results / "report.html").stat().st_size > 1_000_000
    assert (study.results / "figures/figure1.pdf").exists()
    assert "1 trainings: 1 done" in study.clone.run(STATUS).stdout


def test_the_tables_hold_every_codec_and_name_the_papers_backends(study):
    table = pd.read_csv(study.results / "tables/table1.csv")
    assert table["codec"].tolist() == ["original", *PUBLISHED]
    text = (study.results / "tables/table1.md").read_text()
    for backend in ("mms_1b_all", "utmos22_strong", "pystoi"):
        assert backend in text
    for name in ("table2", "table3", "table4"):
        assert (study.results / f"tables/{name}.tex").exists()


def test_an_utterance_that_mfa_dropped_is_counted_and_the_others_are_measured(study):
    index = pd.read_csv(study.results / "alignment/textgrids.tsv", sep="\t")
    assert index["reason"].notna().sum() == 1
    assert len(index) == rehearsals.TEST
    phonemes = pd.read_csv(study.results / "alignment/phonemes_per_frame.csv")
    assert phonemes["unknown"].sum() > 0
    assert phonemes["utterance_id"].nunique() == rehearsals.TEST - 1


def test_the_same_command_again_does_nothing(study):
    assert "Nothing to be done" in study.offline(STUDY).stdout
