"""One optimisation step: equal to one built from DAC's own modules, in parts as in one, and restarted where memory runs out."""

import copy
import weakref
from dataclasses import replace

import pytest
import torch

from benchmarks.official import OfficialStep
from codec_cliff.errors import TrainingError
from codec_cliff.models.quantizer import draw_levels
from codec_cliff.study.config import Run
from codec_cliff.study.load import load_study
from codec_cliff.training import step as step_module
from codec_cliff.training.step import MicroBatch, Networks, build_networks, optimise
from tests.conftest import tiny_config


@pytest.fixture
def run() -> Run:
    """50 Hz, whose odd stride stops DAC's own training, with one discriminator of each kind, at DAC's learning rate."""
    config = tiny_config()
    config["model"] |= {"codebook_size": 64}
    config["discriminator"] = {"enabled": True, "periods": [2], "fft_sizes": [512]}
    config["training"]["learning_rate"] = 1e-4
    config["protocols"]["fixed-duration"]["batch_clips"] = 4
    return load_study(config).runs["50hz-fixed-duration"]


@pytest.fixture
def audio() -> torch.Tensor:
    return torch.randn(4, 1, 6080, generator=torch.Generator().manual_seed(1)) * 0.1


def gradients(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.grad for name, parameter in module.named_parameters()}


def assert_close(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor], share: float) -> None:
    """Every tensor within `share` of its own largest value."""
    assert ours.keys() == theirs.keys()
    for name, expected in theirs.items():
        scale = expected.abs().max().item() + 1e-12
        torch.testing.assert_close(
            ours[name], expected, atol=share * scale, rtol=0, msg=lambda text, n=name: f"{n}: {text}"
        )


@pytest.fixture
def networks(run) -> Networks:
    torch.manual_seed(0)
    return build_networks(run, "cpu")


def test_a_whole_step_is_the_official_modules(run, audio, monkeypatch):
    """In single precision, the only one that the official losses have."""
    torch.manual_seed(0)
    official, networks = OfficialStep(run), build_networks(run, "cpu")
    for name, theirs in (("generator", official.generator), ("discriminator", official.discriminator)):
        networks.parts[name].load_state_dict(theirs.state_dict())
    torch.manual_seed(3)
    levels = draw_levels(4, run.model.n_codebooks, run.model.quantizer_dropout)
    seen = {}
    original = step_module.update

    def watched(parts, name, clip):  # the official step clears the discriminators' gradients late
        seen[name] = copy.deepcopy(gradients(parts[name]))
        return original(parts, name, clip)

    monkeypatch.setattr(step_module, "update", watched)
    outcome = optimise(networks, run, audio, levels, MicroBatch(4))

    theirs = {}
    clip_norm = torch.nn.utils.clip_grad_norm_

    def watch_official(parameters, clip):
        parameters = list(parameters)
        name = "discriminator" if not theirs else "generator"
        theirs[name] = copy.deepcopy(gradients(getattr(official, name)))
        return clip_norm(parameters, clip)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", watch_official)
    torch.manual_seed(3)
    losses = official(audio)

    for name in ("loss", "mel", "adversarial", "feature_matching", "commitment", "codebook", "discriminator"):
        torch.testing.assert_close(outcome.losses[name], losses[name], atol=0, rtol=2e-6, msg=name)
    assert_close(seen["discriminator"], theirs["discriminator"], share=1e-4)
    assert_close(seen["generator"], theirs["generator"], share=1e-4)
    assert_close(networks.generator.state_dict(), official.generator.state_dict(), share=1e-4)
    assert_close(networks.discriminator.state_dict(), official.discriminator.state_dict(), share=1e-4)


@pytest.mark.parametrize("clips", [1, 3])
def test_gradients_accumulated_over_parts_are_the_whole_batch(run, audio, networks, clips):
    saved = {name: copy.deepcopy(part.state_dict()) for name, part in networks.parts.items()}
    levels = torch.tensor([1, 2, 2, 1])
    results = []
    for micro in (4, clips):
        for name, part in networks.parts.items():
            part.load_state_dict(copy.deepcopy(saved[name]))
        outcome = optimise(networks, run, audio, levels, MicroBatch(micro))
        found = [copy.deepcopy(gradients(networks.parts[name])) for name in ("generator", "discriminator")]
        results.append((outcome, *found))
    (whole, *whole_gradients), (split, *split_gradients) = results
    for name, loss in whole.losses.items():
        torch.testing.assert_close(split.losses[name], loss, atol=0, rtol=1e-5, msg=name)
    assert torch.equal(whole.codes, split.codes)
    for ours, expected in zip(split_gradients, whole_gradients, strict=True):
        assert_close(ours, expected, share=1e-4)


@pytest.mark.parametrize("phase", ["discriminator_gradients", "generator_gradients"])
def test_out_of_memory_halves_the_micro_batch_once(run, audio, networks, monkeypatch, caplog, phase):
    saved = {name: copy.deepcopy(part.state_dict()) for name, part in networks.parts.items()}
    levels = torch.full((4,), 2)
    whole = optimise(networks, run, audio, levels, MicroBatch(4))
    for name, part in networks.parts.items():
        part.load_state_dict(saved[name])
    real, attempts = getattr(step_module, phase), []

    def short_of_memory(*arguments):
        attempts.append(arguments[-1])
        result = real(*arguments)
        if len(attempts) == 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return result

    monkeypatch.setattr(step_module, phase, short_of_memory)
    micro = MicroBatch(4, "50hz")
    outcome = optimise(networks, run, audio, levels, micro)
    assert attempts == [4, 2]
    assert micro.clips == 2
    assert "out of memory; going on with 2 clips" in caplog.text
    for name, loss in whole.losses.items():
        torch.testing.assert_close(outcome.losses[name], loss, rtol=1e-5, atol=0, msg=name)


def test_out_of_memory_lets_go_of_the_whole_batchs_graph(run, audio, networks, monkeypatch):
    real, graphs = step_module.generator_part, []

    def short_of_memory(*arguments):
        if not graphs:
            graphs.append(weakref.ref(arguments[-1]["audio"]))
            raise torch.OutOfMemoryError("CUDA out of memory")
        assert graphs[0]() is None
        return real(*arguments)

    monkeypatch.setattr(step_module, "generator_part", short_of_memory)
    optimise(networks, run, audio, torch.full((4,), 2), MicroBatch(4))
    assert graphs


def test_running_out_of_memory_twice_stops_with_the_remedy():
    def never(_clips):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    micro = MicroBatch(4, "50hz")
    with pytest.raises(RuntimeError, match="can't allocate"):
        micro.attempt(never)
    with pytest.raises(TrainingError, match="micro_batch_clips"):
        micro.attempt(never)


def test_bfloat16_is_near_float32(run, audio, networks):
    saved = {name: copy.deepcopy(part.state_dict()) for name, part in networks.parts.items()}
    levels = torch.full((4,), 2)
    exact = optimise(networks, run, audio, levels, MicroBatch(4))
    for name, part in networks.parts.items():
        part.load_state_dict(saved[name])
    rough = optimise(
        networks, replace(run, training=replace(run.training, precision="bfloat16")), audio, levels, MicroBatch(4)
    )
    for name in ("mel", "adversarial", "feature_matching", "discriminator"):
        torch.testing.assert_close(rough.losses[name].float(), exact.losses[name], rtol=0.05, atol=0.05, msg=name)
