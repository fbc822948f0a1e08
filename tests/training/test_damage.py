"""Whatever happened to the files of a run folder, the next start ends in the same weights or in one plain sentence."""

import csv
import itertools
import json
import random
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from codec_cliff.errors import CodecError, TrainingError
from codec_cliff.models.dac import load_generator
from codec_cliff.study.config import Run
from codec_cliff.study.load import load_study
from codec_cliff.training import checkpoint
from codec_cliff.training.loop import train
from codec_cliff.training.table import COLUMNS, open_table, read_rows
from tests.conftest import tiny_config
from tests.training.test_loop import Never, StopAfter

CHECKPOINTS = (checkpoint.NAME, checkpoint.PREVIOUS)
IN_TRAINING = (*CHECKPOINTS, "train.csv", "config.json", "lock")
FINISHED = ("model.safetensors", "run.json", "finished/model.safetensors", "finished/run.json")


def missing(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path, at: float = 0.5) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(at * len(content))])


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def hole(path: Path, at: float = 0.5) -> None:
    """A page of zeros, as a file system leaves where a block was never written."""
    content = bytearray(path.read_bytes())
    start = int(at * len(content))
    length = min(4096, (len(content) - start + 1) // 2)
    content[start : start + length] = bytes(length)
    path.write_bytes(content)


DAMAGES = (missing, empty, cut, zeros, hole)


def damage(folder: Path, name: str, how, **options) -> None:
    """Through a copy: a finished run's two names lie on one file."""
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    (folder / name).write_bytes(content)
    how(folder / name, **options)


@pytest.fixture(scope="module")
def run() -> Run:
    run = load_study(tiny_config()).runs["6.25hz-fixed-duration"]
    return replace(run, training=replace(run.training, steps=5, log_every_steps=1))


@pytest.fixture(scope="module")
def whole(run, store, tmp_path_factory) -> Path:
    """A run folder whose training came to its end."""
    folder = tmp_path_factory.mktemp("whole")
    with checkpoint.run_lock(folder):
        train(run, store, folder, Never())
    return folder


@pytest.fixture(scope="module")
def halfway(run, store, tmp_path_factory) -> Path:
    """A run folder after step 3 of 5, with the checkpoint of step 2 beside it."""
    folder = tmp_path_factory.mktemp("halfway")
    for steps in (2, 1):
        with pytest.raises(TrainingError, match="stopped"), checkpoint.run_lock(folder):
            train(run, store, folder, StopAfter(steps))
    return folder


def assert_same_weights(one: Path, other: Path) -> None:
    one, other = (load_file(folder / "model.safetensors") for folder in (one, other))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def resumes_or_says_why(run, store, folder, whole) -> bool:
    """Whether training went on to the same weights; otherwise its one sentence names the folder and the remedy."""
    said = None
    try:
        with checkpoint.run_lock(folder):
            train(run, store, folder, Never())
    except TrainingError as error:
        said = str(error)
    if said is not None:
        assert re.fullmatch(rf"{re.escape(str(folder))}: [^\n]*delete [^\n]*", said)
        return False
    assert_same_weights(folder, whole)
    assert json.loads((folder / "config.json").read_text()) == json.loads((whole / "config.json").read_text())
    return True


def copied(source: Path, target: Path) -> Path:
    return Path(shutil.copytree(source, target))


def test_the_folder_in_mid_training_is_the_one_that_the_matrix_is_of(halfway):
    assert {path.name for path in halfway.iterdir()} == set(IN_TRAINING)


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", IN_TRAINING)
def test_one_damaged_file_never_hinders_a_whole_checkpoint(run, store, halfway, whole, tmp_path, name, how):
    folder = copied(halfway, tmp_path / "run")
    damage(folder, name, how)
    assert resumes_or_says_why(run, store, folder, whole)
    assert [int(row["step"]) for row in table(folder)][-2:] == [4, 5]


@pytest.mark.parametrize("damages", list(itertools.product((None, *DAMAGES), repeat=2)))
def test_the_newest_whole_checkpoint_is_taken_whatever_the_log_is_like(run, halfway, tmp_path, damages, caplog):
    """Every state of both checkpoints, with every state of the table beside them."""
    for number, how in enumerate((None, *DAMAGES)):
        folder = copied(halfway, tmp_path / f"{number}")
        for name, damaged in zip((*CHECKPOINTS, "train.csv"), (*damages, how), strict=True):
            if damaged is not None:
                damage(folder, name, damaged)
        newest, previous = (damaged is None for damaged in damages)
        if newest or previous:
            step = checkpoint.load_checkpoint(folder, run)["step"]
            assert step == (3 if newest else 2)
        elif set(damages) == {missing}:
            assert checkpoint.load_checkpoint(folder, run) is None
            step = 0
        else:
            with pytest.raises(TrainingError, match="no checkpoint in it can be read; delete"):
                checkpoint.load_checkpoint(folder, run)
            continue
        steps = [int(row["step"]) for row in read_rows(open_table(folder / "train.csv", step, run))]
        assert steps == list(range(1, step + 1)) if how is None else set(steps) <= set(range(1, step + 1))
        assert (folder / "train.csv").read_text().startswith("step,")


@pytest.mark.parametrize("seed", range(20))
def test_twenty_random_cuts_zeros_and_deletions_in_mid_training(run, store, halfway, whole, tmp_path, seed):
    dice = random.Random(seed)
    folder = copied(halfway, tmp_path / "run")
    for name in dice.sample(IN_TRAINING, dice.randint(1, len(IN_TRAINING))):
        how = dice.choice([missing, zeros, cut, hole])
        damage(folder, name, how, **({"at": dice.random()} if how in (cut, hole) else {}))
    resumes_or_says_why(run, store, folder, whole)


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", FINISHED)
def test_a_finished_run_is_whole_again_after_the_next_start(run, store, whole, tmp_path, name, how):
    folder = copied(whole, tmp_path / "run")
    damage(folder, name, how)
    stamp = json.loads((whole / "run.json").read_text())
    train(run, store, folder, StopAfter(1))  # it would stop at its first step: it is put back, not trained
    assert_same_weights(folder, whole)
    assert json.loads((folder / "run.json").read_text()) == stamp
    for path in FINISHED:
        assert (folder / path).read_bytes() == (whole / path).read_bytes()


@pytest.mark.parametrize("how", [empty, hole])
@pytest.mark.parametrize("kind", ["model.safetensors", "run.json"])
def test_a_finished_run_of_which_nothing_whole_is_left_is_trained_anew(run, store, whole, tmp_path, kind, how):
    folder = copied(whole, tmp_path / "run")
    for name in (kind, f"finished/{kind}"):
        damage(folder, name, how)
    assert resumes_or_says_why(run, store, folder, whole)
    assert json.loads((folder / "run.json").read_text())["weights_sha256"]


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_damaged_model_is_not_measured(whole, tmp_path, name, how):
    folder = copied(whole, tmp_path / "run")
    load_generator(folder)
    damage(folder, name, how)
    with pytest.raises(CodecError, match=name) as error:
        load_generator(folder)
    assert str(folder) in str(error.value)


def test_a_checkpoint_of_other_recordings_is_refused(run, store, halfway, tmp_path):
    folder = copied(halfway, tmp_path / "run")
    others = replace(store, utterances=[replace(each, transcript="OTHER WORDS") for each in store.utterances])
    with pytest.raises(TrainingError, match=r"other recordings.*delete"):
        train(run, others, folder, Never())
    train(run, store, folder, Never())


def test_a_refused_checkpoint_keeps_its_own_configuration_beside_it(run, store, halfway, tmp_path):
    folder = copied(halfway, tmp_path / "run")
    before = (folder / "config.json").read_text()
    with pytest.raises(TrainingError, match="another configuration"):
        train(replace(run, seed=7), store, folder, Never())
    assert (folder / "config.json").read_text() == before


@pytest.fixture
def kept(run) -> Run:
    return replace(run, training=replace(run.training, keep_steps=(1, 2)))


def retold(run: Run) -> Run:
    """Other settings, of the same networks: the weights of either load under both."""
    training = replace(run.training, keep_steps=(1, 4), learning_rate=0.05)
    return replace(run, model=replace(run.model, padding="replicate"), training=training)


def files(folder: Path) -> dict[str, bytes]:
    """All that lies in a run folder, but for checkpoints and what is held on to."""
    paths = [
        path for path in sorted(folder.rglob("*")) if path.is_file() and not {"finished", "unfinished"} & {*path.parts}
    ]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.name not in CHECKPOINTS}


@pytest.mark.parametrize("steps", [1, 2])
def test_a_run_put_back_after_others_were_tried_is_what_it_was(kept, store, tmp_path, steps):
    train(kept, store, tmp_path, Never())
    before = files(tmp_path)
    assert "steps/2/model.safetensors" in before
    with pytest.raises(TrainingError, match="stopped"):
        train(retold(kept), store, tmp_path, StopAfter(steps))
    train(kept, store, tmp_path, StopAfter(1))
    assert files(tmp_path) == before
    assert load_generator(tmp_path)[0] == kept


def test_other_settings_in_a_finished_folder_inherit_nothing(kept, store, tmp_path):
    folder, other = tmp_path / "run", retold(kept)
    train(kept, store, folder, Never())
    with pytest.raises(TrainingError, match="stopped"):
        train(other, store, folder, StopAfter(2))
    with pytest.raises(CodecError, match="has not finished"):
        load_generator(folder)
    assert [path.name for path in folder.glob("steps/*")] == ["1"]
    train(kept, store, folder, Never())  # put back, between the start and the end of the other
    assert {path.name for path in folder.glob("steps/*")} == {"1", "2"}
    train(other, store, folder, Never())
    assert not (folder / "unfinished").exists()
    train(other, store, tmp_path / "alone", Never())
    for place in (folder, folder / "finished"):
        assert {path.name for path in place.glob("steps/*")} == {"1", "4"}
    for path in (".", "steps/1", "steps/4"):
        assert_same_weights(folder / path, tmp_path / "alone" / path)
    assert told(folder) == told(tmp_path / "alone")


def told(folder: Path) -> list[list[str]]:
    """A run's table without what the clock and the machine say."""
    return [[row[name] for name in ("step", "learning_rate", "loss", "mel")] for row in table(folder)]


def table(folder: Path) -> list[dict[str, str]]:
    with open(folder / "train.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("lost", ["finished", "finished/steps"])
def test_a_folder_copied_without_what_it_holds_on_to_loses_nothing_to_other_settings(kept, store, tmp_path, lost):
    """Nor one that finished when no more than weights and record were held on to."""
    train(kept, store, tmp_path, Never())
    before = files(tmp_path)
    shutil.rmtree(tmp_path / lost)
    if lost == "finished/steps":
        (tmp_path / "finished/train.csv").unlink()
        for name in ("model.safetensors", "run.json"):  # Snakemake deletes them before it starts the job
            (tmp_path / name).unlink()
    with pytest.raises(TrainingError, match="stopped"):
        train(retold(kept), store, tmp_path, StopAfter(1))
    train(kept, store, tmp_path, StopAfter(1))
    assert files(tmp_path) == before


def test_a_checkpoint_of_other_networks_is_one_sentence(run, store, halfway, tmp_path):
    folder = copied(halfway, tmp_path / "run")
    state = checkpoint.load_checkpoint(folder, run)
    del state["generator_optimizer"]
    checkpoint.save_checkpoint(folder, run, state)
    with pytest.raises(TrainingError, match=r"another version of this software.*delete"):
        train(run, store, folder, Never())


def test_what_a_killed_writer_left_is_cleared(tmp_path):
    (tmp_path / ".checkpoint.pt.1.tmp").write_bytes(b"half a checkpoint")
    with checkpoint.run_lock(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_half_a_row_is_no_row(tmp_path):
    path = tmp_path / "train.csv"
    path.write_bytes(
        (",".join(COLUMNS) + "\r\n" + ",".join("1" for _ in COLUMNS) + "\r\n").encode()
        + ("2,0.1\r\n" + "\0" * 40 + "\r\n").encode()
        + b"\xff\xfe,3\r\n"
        + ",".join("4" for _ in COLUMNS).encode()  # the last line has no end: its last number may go on
    )
    assert [row["step"] for row in read_rows(path)] == ["1"]
