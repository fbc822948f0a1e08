"""What fits: on a GPU a trial step tells, here with the gauge of a GPU that is not there; on a CPU an estimate."""

import copy
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from codec_cliff.errors import TrainingError
from codec_cliff.study.load import load_study
from codec_cliff.training import memory
from codec_cliff.training.memory import choose_micro_batch, fitting_clips, modules, store_fits
from codec_cliff.training.step import build_networks
from tests.conftest import tiny_config


@pytest.fixture
def run():
    config = tiny_config()
    config["discriminator"] = {"enabled": True, "periods": [], "fft_sizes": [512]}
    return replace(load_study(config).runs["50hz"], clip_samples=1280)


@pytest.fixture
def gauge(monkeypatch):
    """A GPU on which a clip takes 1,000 bytes and 5,100 can be used; what is asked of it."""
    asked = []

    def taken(device):
        return asked[-1] * 1000

    def watched(networks, run, audio, levels, clips):
        asked.append(clips)
        return real(networks, run, audio, levels, clips)

    real = memory.discriminator_gradients
    monkeypatch.setattr(memory, "discriminator_gradients", watched)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", taken)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    return asked


def room(networks, clips: float) -> float:
    weights = sum(parameter.numel() for module in modules(networks) for parameter in module.parameters())
    return (8 * weights + clips * 1000) / memory.USABLE


def test_a_trial_step_tells_what_fits_and_leaves_no_trace(run, gauge, monkeypatch):
    networks = build_networks(run, "cpu")
    before = copy.deepcopy(networks.generator.state_dict())
    monkeypatch.setattr(memory, "free_bytes", lambda device: room(networks, 2.5))
    clips, taken = fitting_clips(run, "cpu", 6, networks)
    assert gauge == [6, 3, 2]  # parts of one size
    assert (clips, taken) == (2, room(networks, 2) * memory.USABLE)
    assert all(torch.equal(value, before[name]) for name, value in networks.generator.state_dict().items())
    assert all(parameter.grad is None for module in modules(networks) for parameter in module.parameters())
    assert not networks.parts["generator_optimizer"].state


def test_a_trial_that_runs_out_of_memory_is_one_that_does_not_fit(run, gauge, monkeypatch):
    networks, real = build_networks(run, "cpu"), memory.generator_gradients

    def short(networks, run, audio, levels, output, clips):
        if clips > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(networks, run, audio, levels, output, clips)

    monkeypatch.setattr(memory, "generator_gradients", short)
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1e12)
    assert fitting_clips(run, "cpu", 2, networks)[0] == 1
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1000)
    with pytest.raises(TrainingError, match="too little for a step with one clip"):
        fitting_clips(run, "cpu", 2, networks)


def test_a_batch_too_large_for_a_kernel_does_not_fit_and_a_fault_of_one_clip_is_told(run, gauge, monkeypatch, caplog):
    networks, real, most = build_networks(run, "cpu"), memory.generator_gradients, 1

    def limited(networks, run, audio, levels, output, clips):
        if clips > most:
            raise RuntimeError("Triton Error [CUDA]: invalid argument")
        return real(networks, run, audio, levels, output, clips)

    monkeypatch.setattr(memory, "generator_gradients", limited)
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1e12)
    assert fitting_clips(run, "cpu", 2, networks)[0] == 1
    assert "50hz: a trial step with 2 clips at once fails (Triton Error [CUDA]: invalid argument)" in caplog.text
    most = 0
    with pytest.raises(RuntimeError, match="invalid argument"):
        fitting_clips(run, "cpu", 2, networks)


def test_recordings_beside_a_step_keep_to_the_runs_share_of_a_card(run, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 80e9)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=80e9))
    store = SimpleNamespace(samples=SimpleNamespace(nbytes=12e9))
    assert store_fits(run, store, "cuda", 5e9)
    assert not store_fits(replace(run, gpus=0.25), store, "cuda", 5e9)  # 20 GB are its own


def test_a_jobs_own_control_group_and_those_above_it_limit_the_memory(tmp_path, monkeypatch):
    job = tmp_path / "groups/slurm/job_7/step_0"
    job.mkdir(parents=True)
    (tmp_path / "own").write_text("4:memory:/elsewhere\n0::/slurm/job_7/step_0\n")
    for group, limit, used in ((job, "max", 100), (job.parent, "5000", 1500), (job.parent.parent, "9000", 2000)):
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text(f"{used}\n")
    monkeypatch.setattr(memory, "GROUPS", tmp_path / "groups", raising=False)
    monkeypatch.setattr(memory, "OWN_GROUP", tmp_path / "own", raising=False)
    assert memory.free_bytes("cpu") == 3500
    (tmp_path / "own").write_text("4:memory:/elsewhere\n")  # no group of version 2
    assert memory.free_bytes("cpu") > 9000


def test_parts_on_a_cpu_are_of_equal_size(tiny_run, monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 1000)
    monkeypatch.setattr(memory, "needed_bytes", lambda run: (50, 100))
    assert choose_micro_batch(tiny_run, "cpu", 72, None) == (8, 850)  # 8 fit: nine parts of eight
    assert choose_micro_batch(tiny_run, "cpu", 10, None) == (5, 550)
    assert choose_micro_batch(tiny_run, "cpu", 4, None) == (4, 450)
