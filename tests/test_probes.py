"""Kernel coverage against the counts that follow from the architecture, and the repair's exactness."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from codec_cliff.config import load_study
from codec_cliff.models.dac import build_generator, load_trained_codec
from codec_cliff.probes.coverage import coverage_row, generator_coverage
from codec_cliff.probes.repair import effective_weight, repair, write_repaired, zero_taps
from codec_cliff.training import train
from tests.conftest import tiny_config

STUDY = load_study(tiny_config())


def run_of(rate: float, clip_samples: int):
    return replace(STUDY.runs[STUDY.codec_id(rate, "fixed-duration")], clip_samples=clip_samples)


@pytest.mark.parametrize(
    ("rate", "uncovered", "taps"),
    [(50, 0, 292), (12.5, 0, 320), (6.25, 2, 336), (3.125, 8, 352), (1.6, 36, 376)],
)
def test_uncovered_taps_of_a_fixed_duration(rate, uncovered, taps):
    row = coverage_row(run_of(rate, 6080))
    assert (row["uncovered_taps"], row["taps"]) == (uncovered, taps)


def test_at_6_25_hz_it_is_the_two_outer_taps_of_the_decoders_first_convolution():
    missing = [layer for layer in generator_coverage(run_of(6.25, 6080)) if layer.uncovered]
    assert [(layer.layer, layer.uncovered, layer.taps) for layer in missing] == [("decoder.model.0", (0, 6), 7)]


@pytest.mark.parametrize("rate", [6.25, 3.125])
def test_four_tokens_cover_everything(rate):
    run = run_of(rate, 0)
    assert coverage_row(replace(run, clip_samples=4 * run.hop_length))["uncovered_taps"] == 0


def test_zeroed_taps_are_zero_and_the_others_unchanged():
    torch.manual_seed(0)
    layer = build_generator(run_of(6.25, 6080)).decoder.model[0]
    before = effective_weight(layer).clone()
    zero_taps(layer, (0, 6))
    after = effective_weight(layer)
    assert (after[..., [0, 6]] == 0).all()
    torch.testing.assert_close(after[..., 1:6], before[..., 1:6])


def test_repair_changes_nothing_within_the_training_length():
    """On a clip of three tokens the zeroed taps only ever meet padding."""
    torch.manual_seed(0)
    run = run_of(6.25, 6080)
    model = build_generator(run).eval()
    short, long = torch.randn(1, model.latent_dim, 3), torch.randn(1, model.latent_dim, 8)
    with torch.no_grad():
        before = model.decoder(short), model.decoder(long)
        edited = repair(model, generator_coverage(run))
        after = model.decoder(short), model.decoder(long)
    assert edited["decoder.model.0"]["taps"] == [0, 6]
    torch.testing.assert_close(after[0], before[0], atol=1e-6, rtol=1e-5)
    assert not torch.allclose(after[1], before[1], atol=1e-6)


def test_data_reaches_uncovered_taps_as_one_number_a_channel():
    """The mechanism itself: weight norm hands an uncovered tap a multiple of its own weight, and nothing that depends on the data."""
    torch.manual_seed(0)
    run = run_of(6.25, 6080)
    model = build_generator(run)
    nn.functional.l1_loss(model(torch.randn(4, 1, 6080), 16000)["audio"], torch.randn(4, 1, 6080)).backward()
    layer = model.decoder.model[0]
    ratio = layer.weight_v.grad / layer.weight_v.detach()  # (out, in, 7)
    outer, inner = ratio[..., [0, 6]].flatten(1), ratio[..., 1:6].flatten(1)
    spread = outer.std(1) / outer.mean(1).abs()
    assert spread.median() < 1e-3
    assert (inner.std(1) / inner.mean(1).abs()).median() > 1


def test_a_repaired_run_folder_is_a_codec(store, tmp_path):
    class Never:
        reason = None

    train(run_of(6.25, 6080), store, tmp_path / "run", Never())
    write_repaired(tmp_path / "run", tmp_path / "repaired")
    repaired = load_file(tmp_path / "repaired" / "model.safetensors")["decoder.model.0.weight_v"]
    assert (repaired[..., [0, 6]] == 0).all()
    assert load_trained_codec(tmp_path / "repaired").run.codec == "6.25hz-fixed-duration-repaired"
