"""The progress of a study, from its folder alone."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from codec_cliff import status
from codec_cliff.branch import clean_branch
from codec_cliff.corpus.listing import folder_listing, write_listing
from codec_cliff.corpus.manifest import recordings_digest
from codec_cliff.errors import TrainingError, UserError, anew
from codec_cliff.study.load import load_study
from codec_cliff.training.checkpoint import run_lock
from codec_cliff.training.loop import train
from tests.conftest import tiny_config
from tests.corpus.test_walk import one
from tests.paths import ROOT
from tests.training.test_loop import Never, StopAfter

RUN = "6.25hz-fixed-duration"
ROWS = [(1, 0.5, 9.0), (100, 50.5, 5.0), (200, 100.5, 4.0)]


@pytest.fixture
def results(tmp_path):
    """A study that has been started, with one run folder that tests fill."""
    status.record_study(tiny_config(), tmp_path / "results/paper")
    (tmp_path / "results/paper/runs" / RUN).mkdir(parents=True)
    return tmp_path / "results/paper"


def fill(results, *, trainer: str, rows=ROWS, log: str = "", age: float = 0.0) -> None:
    folder = results / "runs" / RUN
    run = load_study(tiny_config()).runs[RUN]
    run = replace(run, training=replace(run.training, steps=1000))
    (folder / "config.json").write_text(json.dumps(run.to_dict()))
    (folder / "lock").write_text(f"{trainer}\n")
    lines = ["step,seconds,loss", *(f"{step},{seconds},{loss}" for step, seconds, loss in rows)]
    (folder / "train.csv").write_text("\n".join(lines) + "\n")
    (results / "logs/train").mkdir(parents=True)
    (results / f"logs/train/{RUN}.log").write_text(log)
    for path in [*folder.iterdir(), results / f"logs/train/{RUN}.log"]:
        os.utime(path, (time.time() - age,) * 2)


def progress(results) -> status.Progress:
    return status.run_progress(results / "runs" / RUN, results / f"logs/train/{RUN}.log", time.time())


def test_a_trainer_on_this_machine_is_known_by_its_process(results):
    fill(results, trainer=f"process {os.getpid()} on {socket.gethostname()}", age=10 * status.SILENCE)
    found = progress(results)
    assert (found.state, found.step, found.steps, found.loss) == ("running", 200, 1000, 4.0)
    assert found.rate == pytest.approx(199 / 100)
    assert found.left == pytest.approx(800 / 1.99)


def test_a_trainer_elsewhere_is_known_by_its_files(results):
    fill(results, trainer="process 1 on another-node")
    assert progress(results).state == "running"


def test_silence_elsewhere_means_stopped(results):
    fill(
        results,
        trainer="process 1 on another-node",
        age=2 * status.SILENCE,
        log="12:00 x: step 200/1000, 2.0 steps/s, ...",
    )
    found = progress(results)
    assert found.state == "stopped"
    assert found.note == "no sign of life for 20 min; the same command starts it anew"


def test_slow_steps_are_no_silence(results):
    rows = [(1, 1.0, 9.0), (2, 1000.0, 5.0)]
    fill(results, trainer="process 1 on another-node", rows=rows, age=2 * status.SILENCE)
    assert progress(results).state == "running"


def test_a_failure_is_told_in_its_own_words(results):
    ended = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    ).stdout.strip()
    fill(results, trainer=f"process {ended} on {socket.gethostname()}", log="12:00 x: loss is not finite by step 7")
    found = progress(results)
    assert found.state == "failed"
    assert found.note.startswith("12:00 x: loss is not finite by step 7 (")


def test_half_a_row_is_not_read(results):
    fill(results, trainer="process 1 on another-node")
    with open(results / "runs" / RUN / "train.csv", "a") as file:
        file.write("300,15")
    assert progress(results).step == 200


def test_the_records_alone_of_an_unfinished_run_are_not_one_that_waits(results):
    fill(results, trainer="process 1 on another-node")
    (results / "runs" / RUN / "lock").unlink()
    found = progress(results)
    assert (found.state, found.step) == ("stopped", 200)
    assert found.note == "unfinished, elsewhere; the same command starts it anew"


def test_a_real_run_is_queued_stopped_and_done(results, store, capsys):
    study = load_study(tiny_config())
    folder = results / "runs" / RUN
    assert progress(results).state == "queued"
    with pytest.raises(TrainingError), run_lock(folder):
        train(study.runs[RUN], store, folder, StopAfter(2))
    (folder / "lock").write_text("process 999999999 on " + socket.gethostname())
    stopped = progress(results)
    assert (stopped.state, stopped.step) == ("stopped", 2)
    assert "goes on from its checkpoint" in stopped.note
    train(study.runs[RUN], store, folder, Never())
    assert progress(results).state == "done"

    status.main(["paper", "--results", str(results.parent)])
    shown = capsys.readouterr().out
    assert "paper: 11 trainings: 1 done, 10 queued" in shown
    assert "metrics 0/110" in shown


def test_a_model_of_other_settings_or_recordings_is_named(results, store):
    study = load_study(tiny_config())
    run, folder = study.runs[RUN], results / "runs" / RUN
    train(run, store, folder, Never())
    recordings = recordings_digest(store.utterances)
    assert status.stale(run, folder, recordings) == ""
    assert status.stale(run, folder, "others") == "trained on other recordings than lie in data/train.tsv now"
    watched = replace(run, training=replace(run.training, log_every_steps=77))
    assert status.stale(watched, folder, recordings) == ""
    assert status.stale(replace(run, seed=5), folder, recordings) == "trained under other settings"


def test_recordings_are_known_wherever_they_lie(store, tmp_path):
    moved = [replace(utterance, path="elsewhere") for utterance in store.utterances]
    assert recordings_digest(moved) == recordings_digest(store.utterances)
    assert recordings_digest(moved[:-1]) != recordings_digest(store.utterances)


def test_a_finished_run_whose_outputs_a_workflow_deleted_is_put_back(tiny_run, store, tmp_path):
    train(tiny_run, store, tmp_path, Never())
    model, record = (tmp_path / "model.safetensors").read_bytes(), (tmp_path / "run.json").read_text()
    for name in ("model.safetensors", "run.json"):
        (tmp_path / name).unlink()
    train(tiny_run, store, tmp_path, StopAfter(1))  # would stop at its first step
    assert (tmp_path / "model.safetensors").read_bytes() == model
    assert (tmp_path / "run.json").read_text() == record
    with pytest.raises(TrainingError, match="stopped by"):
        train(replace(tiny_run, seed=1), store, tmp_path, StopAfter(1))  # another run is trained


def test_an_unknown_study_is_an_error(results):
    with pytest.raises(UserError, match="no study has results there"):
        status.main(["papers", "--results", str(results.parent)])


def test_clean_branch_takes_one_branch_and_spares_a_working_trainer(tmp_path):
    kept = [f"runs/{RUN}s/run.json", "metrics/50hz/stoi.csv", f"logs/{RUN}", "codebook/50hz.csv", "study.json"]
    gone = [f"runs/{RUN}/run.json", f"runs/{RUN}-repaired/x", f"metrics/{RUN}/stoi.csv", f"codebook/{RUN}.csv"]
    gone += ["summary.csv", "report.html", "tables/table4.md"]
    for name in kept + gone:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    with run_lock(tmp_path / "runs" / RUN), pytest.raises(TrainingError, match="another trainer is at work"):
        clean_branch(tmp_path, RUN)
    clean_branch(tmp_path, RUN)
    assert [name for name in kept if not (tmp_path / name).exists()] == []
    assert [name for name in gone if (tmp_path / name).exists()] == []


@pytest.mark.parametrize(
    ("seconds", "text"), [(45, "45 s"), (720, "12 min"), (11100, "3 h 05 min"), (187200, "2 d 04 h")]
)
def test_durations_are_readable(seconds, text):
    assert status.duration(seconds) == text


def test_studies_that_cannot_be_read_are_named_and_the_others_shown(tmp_path, capsys):
    for name, record in {
        "aged": json.dumps(tiny_config() | {"loss_weights": {"mel": 15}}), "cut": '{"study": "cut", "se', "empty": "", "list": "[1]",
        "newer": json.dumps(tiny_config()), "zeros": "\0" * 50,
    }.items():  # fmt: skip
        (tmp_path / name / "runs").mkdir(parents=True)
        (tmp_path / name / "study.json").write_text(record)
    status.main(["--results", str(tmp_path)])
    shown = capsys.readouterr().out
    assert "newer: 11 trainings: 0 done, 11 queued" in shown
    for name in ("aged", "cut", "empty", "list", "zeros"):
        assert f"{name}: 0 trainings" in shown
        assert re.search(rf"! .*{name}/study\.json: .*what has not begun is not known", shown)


def test_the_published_pilot_is_done_though_its_weights_are_not_here(capsys):
    status.main(["pilot", "--results", str(ROOT / "results")])
    shown = capsys.readouterr().out
    assert "pilot: 11 trainings: 11 done" in shown
    assert "its weights are not here" in shown


@pytest.mark.parametrize("content", [None, b"", bytes(300), b"step,sec", b"[]", b'{"training": 3}', b"\xff\xfe{"])
@pytest.mark.parametrize("name", ["config.json", "train.csv", "lock", "log"])
def test_a_run_is_shown_whatever_its_files_are_like(results, name, content):
    fill(results, trainer="process 1 on another-node")
    path = results / f"logs/train/{RUN}.log" if name == "log" else results / "runs" / RUN / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    assert status.describe_study(results, time.time()).startswith("paper: 11 trainings")


def test_a_folder_corpus_that_changed_is_named(tmp_path):
    one(tmp_path / "speech", "7-1-0")
    one(tmp_path / "speech", "9-1-0", folder="test/9/1")
    config = tiny_config() | {
        "corpus": {"kind": "folder", "root": str(tmp_path / "speech"), "train": ["train"], "test": ["test"]}
    }
    (tmp_path / "results/paper/data").mkdir(parents=True)
    status.record_study(config, tmp_path / "results/paper")
    for split in ("train", "test"):
        write_listing(tmp_path / f"results/paper/data/{split}.tsv", folder_listing(tmp_path / "speech", [split]))
    assert "forcerun" not in status.describe_study(tmp_path / "results/paper", 0)
    one(tmp_path / "speech", "8-1-0", folder="train/8/1")
    shown = status.describe_study(tmp_path / "results/paper", 0)
    assert re.search(r"data/train\.tsv: .*2 new: train/8/1/8-1-0\.wav.*--forcerun prepare", shown)
    assert "data/test.tsv" not in shown


@pytest.mark.parametrize("place", ["", "steps/1500", "finished"])
def test_the_command_that_forgets_a_training_names_the_run_and_its_study(place):
    """Wherever in the run's folder the damage is: of anything else `--results` would delete what it should not."""
    assert anew(f"/data/runs/results/pilot/runs/50hz/{place}") == (
        "python -m codec_cliff.branch --results /data/runs/results/pilot --codec 50hz"
    )
