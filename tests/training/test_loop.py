"""Training: resumed is uninterrupted bit for bit, nothing is lost, and a foreign checkpoint is refused."""

import csv
import itertools
import json
import signal
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from codec_cliff.device import choose_precision
from codec_cliff.errors import DiskError, TrainingError
from codec_cliff.models.dac import build_generator, load_generator
from codec_cliff.models.quantizer import draw_levels
from codec_cliff.training import checkpoint, watch
from codec_cliff.training import loop as training
from codec_cliff.training.log import CodesInUse
from codec_cliff.training.loop import Stop, train
from codec_cliff.training.memory import needed_bytes


class StopAfter:
    """Asks for an end after so many steps, as SIGTERM would."""

    def __init__(self, steps: int):
        self.left = steps

    @property
    def reason(self) -> str | None:
        self.left -= 1
        return "SIGTERM" if self.left <= 0 else None


class Never:
    reason = None


def losses(folder) -> list[tuple[str, str]]:
    with open(folder / "train.csv", newline="") as file:
        return [(row["step"], row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize("adversarial", [False, True])
def test_resumed_is_uninterrupted_bit_for_bit(tiny_run, store, tmp_path, adversarial):
    tiny = replace(tiny_run.discriminator, enabled=adversarial, periods=(2,), fft_sizes=(256,))
    run = replace(tiny_run, discriminator=tiny, training=replace(tiny_run.training, steps=4 if adversarial else 6))
    train(run, store, tmp_path / "whole", Never())
    for _ in range(2):
        with pytest.raises(TrainingError, match="stopped by SIGTERM"):
            train(run, store, tmp_path / "parts", StopAfter(1 if adversarial else 2))
    train(run, store, tmp_path / "parts", Never())
    whole, parts = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")
    assert not (tmp_path / "parts" / checkpoint.NAME).exists()


def test_a_checkpoint_goes_on_in_its_own_precision(tiny_run, store, tmp_path, monkeypatch):
    """`auto` on a machine whose processor does not know bfloat16, resumed on one that does."""
    run = replace(tiny_run, training=replace(tiny_run.training, precision="auto"))
    monkeypatch.setattr(training, "choose_precision", lambda name, device: "float32")
    train(run, store, tmp_path / "whole", Never())
    with pytest.raises(TrainingError, match="stopped by SIGTERM"):
        train(run, store, tmp_path / "parts", StopAfter(2))
    monkeypatch.setattr(training, "choose_precision", lambda name, device: "bfloat16")
    train(run, store, tmp_path / "parts", Never())
    assert losses(tmp_path / "whole") == losses(tmp_path / "parts")
    assert json.loads((tmp_path / "parts/run.json").read_text())["precision"] == "float32"
    train(run, store, tmp_path / "rough", Never())  # the memory it needs is found out too
    assert json.loads((tmp_path / "rough/run.json").read_text())["precision"] == "bfloat16"
    assert losses(tmp_path / "rough") != losses(tmp_path / "whole")


def test_memory_is_known_in_every_precision(tiny_run):
    precisions = ("auto", "float32", "bfloat16")
    assert (
        len(
            {
                needed_bytes(replace(tiny_run, training=replace(tiny_run.training, precision=name)))
                for name in precisions
            }
        )
        == 1
    )


def test_auto_is_a_precision_that_is_there():
    assert choose_precision("auto", "cpu") in ("bfloat16", "float32")
    assert choose_precision("tf32", "cpu") == "tf32"


def test_the_run_folder_explains_itself(tiny_run, store, tmp_path):
    train(tiny_run, store, tmp_path, Never())
    record = json.loads((tmp_path / "run.json").read_text())
    assert {"commit", "versions", "device", "seconds", "audio_seconds", "peak_memory_bytes", "gpu_hours"} <= set(record)
    assert record["audio_seconds"] == pytest.approx(6 * 2 * 0.38)
    assert (
        0.2 < record["padded_share"] < 0.5
    )  # three tokens are 0.48 s, and one utterance of five is shorter than the clip
    assert json.loads((tmp_path / "config.json").read_text())["strides"] == [4, 8, 8, 10]


def test_every_weight_moves(tiny_run, store, tmp_path):
    run = replace(tiny_run, model=replace(tiny_run.model, quantizer_dropout=0.0))
    torch.manual_seed(run.seed)
    before = build_generator(run).state_dict()
    train(run, store, tmp_path, Never())
    after = load_file(tmp_path / "model.safetensors")
    still = {name for name in before if torch.equal(before[name], after[name])}
    assert still == set()


def test_a_checkpoint_of_another_configuration_is_refused(tiny_run, store, tmp_path):
    with pytest.raises(TrainingError, match="stopped"):
        train(tiny_run, store, tmp_path, StopAfter(2))
    other = replace(tiny_run, training=replace(tiny_run.training, learning_rate=2e-3))
    with pytest.raises(TrainingError, match="another configuration"):
        train(other, store, tmp_path, Never())
    watched = replace(tiny_run, training=replace(tiny_run.training, log_every_steps=3))
    train(watched, store, tmp_path, Never())  # how a run is watched may change


def test_a_truncated_checkpoint_falls_back_to_the_previous_one(tiny_run, tmp_path):
    for step in (1, 2):
        checkpoint.save_checkpoint(tmp_path, tiny_run, {"step": step})
    newest = tmp_path / checkpoint.NAME
    newest.write_bytes(newest.read_bytes()[:100])
    assert checkpoint.load_checkpoint(tmp_path, tiny_run)["step"] == 1
    (tmp_path / checkpoint.PREVIOUS).write_bytes(b"")
    with pytest.raises(TrainingError, match="no checkpoint in it can be read"):
        checkpoint.load_checkpoint(tmp_path, tiny_run)


def test_a_failed_save_keeps_the_earlier_checkpoint(tiny_run, tmp_path, monkeypatch):
    checkpoint.save_checkpoint(tmp_path, tiny_run, {"step": 1})

    def disk_full(_state, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", disk_full)
    with pytest.raises(DiskError, match="no space left"):
        checkpoint.save_checkpoint(tmp_path, tiny_run, {"step": 2})
    monkeypatch.undo()
    assert checkpoint.load_checkpoint(tmp_path, tiny_run)["step"] == 1
    assert [path.name for path in tmp_path.iterdir()] == [checkpoint.NAME]


def test_a_second_trainer_is_kept_out(tmp_path):
    with (
        checkpoint.run_lock(tmp_path),
        pytest.raises(TrainingError, match="another trainer is at work"),
        checkpoint.run_lock(tmp_path),
    ):
        pass
    with checkpoint.run_lock(tmp_path):
        pass  # the lock went with its holder


def test_a_loss_that_is_not_finite_stops_the_run(tiny_run, store, tmp_path):
    run = replace(tiny_run, training=replace(tiny_run.training, learning_rate=1e30))
    with pytest.raises(TrainingError, match="not finite by step"):
        train(run, store, tmp_path, Never())
    assert not (tmp_path / "model.safetensors").exists()
    bad = json.loads((tmp_path / "not_finite.json").read_text())
    assert bad["step"] in (1, 2)  # found at a log step, named exactly
    assert len(bad["clips"]) == run.batch_clips
    assert {clip[0] for clip in bad["clips"]} <= {utterance.utterance_id for utterance in store.utterances}


def test_sigterm_and_the_soft_deadline_are_reasons_to_stop():
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        stop = Stop(None)
        assert stop.reason is None
        signal.raise_signal(signal.SIGTERM)
        assert stop.reason == "SIGTERM"
        assert Stop(-1).reason == "the soft deadline"
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def test_codes_in_use_counts_distinct_codes(tiny_run):
    tracker = CodesInUse(tiny_run)  # two codebooks of 16
    tracker.add(torch.zeros(3, 2, 4, dtype=torch.int64))
    assert tracker.share() == pytest.approx(1 / 12)  # one code of the twelve that twelve frames could have had
    tracker.reset()
    tracker.add(torch.arange(16).repeat(1, 2, 2))
    assert tracker.share() == 1


def test_every_seed_drops_codebooks_of_its_own(tiny_run, store, tmp_path, monkeypatch):
    """torch's CPU generator keeps 32 bits of what it is seeded with; seed 0 draws what it always drew."""
    draws = {}

    def watched(*arguments):
        draws.setdefault(seed, []).append(draw_levels(64, 12, 1.0))
        return draw_levels(*arguments)

    monkeypatch.setattr(training, "draw_levels", watched)
    for seed in (0, 1, 2, 2**32 - 1):
        train(replace(tiny_run, seed=seed), store, tmp_path / str(seed), Never())
    of_all = [levels.tolist() for levels in itertools.chain(*draws.values())]
    assert all(one != other for one, other in itertools.combinations(of_all, 2))
    for step, levels in enumerate(draws[0]):
        torch.manual_seed(step)
        assert torch.equal(levels, draw_levels(64, 12, 1.0))


def test_a_collapse_is_warned_of(tiny_run, store, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(watch, "COLLAPSED", 2.0)  # every run counts as collapsed
    monkeypatch.setattr(watch, "MIN_FRAMES_TO_JUDGE", 1)
    train(tiny_run, store, tmp_path, Never())
    assert "the codebooks have collapsed" in caplog.text
    assert json.loads((tmp_path / "run.json").read_text())["collapsed"]


def test_kept_steps_are_run_folders_of_the_weights_after_them(tiny_run, store, tmp_path):
    kept = replace(tiny_run, training=replace(tiny_run.training, keep_steps=(2, 6)))
    train(kept, store, tmp_path / "whole", Never())
    with pytest.raises(TrainingError, match="at step 2"):
        train(tiny_run, store, tmp_path / "short", StopAfter(2))
    run, model = load_generator(tmp_path / "whole" / "steps" / "2")
    assert run.codec == f"{tiny_run.codec}-step2"
    stopped = torch.load(tmp_path / "short" / checkpoint.NAME, weights_only=True)["generator"]
    assert all(torch.equal(value, stopped[name]) for name, value in model.state_dict().items())
    last, final = (
        load_file(folder / "model.safetensors") for folder in (tmp_path / "whole/steps/6", tmp_path / "whole")
    )
    assert all(torch.equal(last[name], final[name]) for name in final)
