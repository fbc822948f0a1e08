"""Kernel coverage against the counts that follow from the architecture; edits, drift, chunks and variants against their identities."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from codec_cliff.errors import CodecError, ConfigError
from codec_cliff.metrics.stoi import Pystoi
from codec_cliff.models.coverage import (
    coverage_row,
    discriminator_coverage,
    discriminator_taps,
    generator_coverage,
    generator_taps,
    shortest_clip,
    tap_rows,
    warning,
)
from codec_cliff.models.dac import TrainedCodec, build_generator, load_trained_codec
from codec_cliff.models.taps import layer_taps
from codec_cliff.probes import command
from codec_cliff.probes.chunks import borders, chunks, decode_in_chunks
from codec_cliff.probes.drift import drift_rows, initial_generator
from codec_cliff.probes.edits import (
    edit,
    edit_names,
    effective_weight,
    least_covered_taps,
    randomise_taps,
    uncovered_taps,
    zero_taps,
)
from codec_cliff.probes.positions import distances, frame_errors, position_rows
from codec_cliff.probes.repair import write_repaired
from codec_cliff.probes.variants import WHOLE, measure, variants
from codec_cliff.study.load import load_study
from codec_cliff.training.loop import train
from tests.conftest import tiny_config

STUDY = load_study(tiny_config())
FIXED = [(50, 0, 292), (12.5, 0, 320), (6.25, 2, 336), (3.125, 8, 352), (1.6, 36, 376)]  # Hz, uncovered, taps at 0.38 s


class Never:
    reason = None


def run_of(rate: float, clip_samples: int):
    return replace(STUDY.runs[STUDY.codec_id(rate, "fixed-duration")], clip_samples=clip_samples)


def tokens_of(rate: float, tokens: int):
    run = run_of(rate, 0)
    return replace(run, clip_samples=tokens * run.hop_length)


@pytest.fixture(scope="module")
def trained(store, tmp_path_factory):
    """A run folder at 6.25 Hz and 0.38 s, trained for six steps."""
    folder = tmp_path_factory.mktemp("run")
    train(run_of(6.25, 6080), store, folder, Never())
    return folder


@pytest.mark.parametrize(("rate", "uncovered", "taps"), FIXED)
def test_uncovered_taps_of_a_fixed_duration(rate, uncovered, taps):
    row = coverage_row(run_of(rate, 6080))
    assert (row["uncovered_taps"], row["taps"]) == (uncovered, taps)


@pytest.mark.parametrize("rate", [100, 12.5, 6.25, 1.6])
@pytest.mark.parametrize("tokens", [1, 2, 4])
def test_lengths_and_gradients_agree_tap_by_tap(rate, tokens):
    run = tokens_of(rate, tokens)
    by_length = [(layer.layer, layer.uncovered, layer.taps) for layer in generator_taps(run)]
    by_gradient = [(layer.layer, layer.uncovered, layer.taps) for layer in generator_coverage(run)]
    assert by_length == by_gradient


@pytest.mark.parametrize(("clip_samples", "uncovered"), [(1920, 0), (1280, 2)])
def test_lengths_and_gradients_agree_for_the_discriminators(clip_samples, uncovered):
    run = run_of(50, clip_samples)
    by_length = [(layer.layer, layer.uncovered, layer.taps) for layer in discriminator_taps(run)]
    assert by_length == [(layer.layer, layer.uncovered, layer.taps) for layer in discriminator_coverage(run)]
    assert sum(len(taps) for _, taps, _ in by_length) == uncovered
    assert sum(taps for *_, taps in by_length) == 374  # 5 periods x (5 x 5 + 3), 3 spectrograms x (5 bands x 15 + 3)


@pytest.mark.parametrize("rate", [12.5, 6.25, 1.6])
def test_the_discriminators_see_a_clip_without_what_pads_it_to_whole_tokens(rate):
    """Other rates pad 0.38 s otherwise; what the discriminators judge is cut to 6,080 samples at each."""
    assert discriminator_taps(run_of(rate, 6080)) == discriminator_taps(run_of(50, 6080))


def test_clips_that_the_discriminators_cannot_run_on_are_named():
    with pytest.raises(CodecError, match="320 samples is too short for the discriminators"):
        discriminator_taps(tokens_of(50, 1))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(1, 1, 7, padding=9, dilation=3),
        nn.Conv1d(1, 1, 6, stride=3, padding=2),
        nn.ConvTranspose1d(1, 1, 10, stride=5, padding=3, output_padding=1),
    ],
)
@pytest.mark.parametrize("length", [2, 5, 11])
def test_positions_are_what_a_layer_of_ones_counts(layer, length):
    """With weights of one tap and input of ones, the sum of the output is the number of positions that the tap meets."""
    part = nn.Sequential(layer)
    counted = []
    for tap in range(layer.kernel_size[0]):
        with torch.no_grad():
            layer.weight.zero_()
            layer.bias.zero_()
            layer.weight[..., tap] = 1
            counted.append(round(part(torch.ones(1, 1, length)).sum().item()))
    (found,) = layer_taps(part, lambda: part(torch.ones(1, 1, length)))
    assert list(found.positions) == counted


def test_a_step_and_a_training_hold_a_clips_positions_many_times():
    run = replace(run_of(6.25, 6080), batch_clips=5)
    rows = [row for row in tap_rows(run) if row["layer"] == "decoder.model.0"]
    assert [row["positions_per_clip"] for row in rows] == [0, 1, 2, 3, 2, 1, 0]
    assert [row["positions_per_step"] for row in rows] == [0, 5, 10, 15, 10, 5, 0]
    assert rows[1]["positions_in_training"] == 5 * run.training.steps


@pytest.mark.parametrize(("rate", "tokens"), [(100, 6), (50, 4), (6.25, 4), (3.125, 4), (1.6, 4)])
def test_the_shortest_covering_clip(rate, tokens):
    assert shortest_clip(run_of(rate, 6080)) == tokens
    assert warning(tokens_of(rate, tokens)) is None
    assert f"clips of {tokens} tokens" in warning(tokens_of(rate, tokens - 1))


def test_the_trainer_warns_of_taps_that_it_will_not_train(store, tmp_path, caplog):
    train(run_of(6.25, 6080), store, tmp_path / "three", Never())
    assert "never train 2 of 336 taps of the generator (decoder.model.0: 2 of 7)" in caplog.text
    caplog.clear()
    train(tokens_of(6.25, 4), store, tmp_path / "four", Never())
    assert "never train" not in caplog.text


@pytest.mark.parametrize(
    ("clip", "last", "others"),
    [
        ("0.38s", "uncovered taps: 2", ["WARNING: clips of 0.38 s (3 tokens)", "everything: 4 tokens, 0.64 s"]),
        ("4tokens", "uncovered taps: 0", ["every tap of the generator meets data", "discriminators: 0 of 374"]),
        ("100samples", "uncovered taps: 36", ["discriminators: a clip of 100 samples is too short"]),
    ],
)
def test_the_command(capsys, tmp_path, clip, last, others):
    map_, taps = tmp_path / "map.png", tmp_path / "taps.csv"
    command.main(["--strides", "4,8,8,10", "--clip", clip, "--heat-map", str(map_), "--csv", str(taps)])
    printed = capsys.readouterr().out
    lines = printed.strip().splitlines()
    assert lines[-1] == last
    assert lines[-2].startswith("discriminators: ")
    assert all(text in printed for text in others)
    assert map_.stat().st_size > 5000
    table = pd.read_csv(taps)
    generator = table[~table["layer"].str.startswith("discriminators")]
    assert (generator["positions_per_clip"] == 0).sum() == int(last.split()[-1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--strides", "4;8", "--clip", "1s"], "whole numbers of 2 and more"),
        (["--strides", "4,1", "--clip", "1s"], "whole numbers of 2 and more"),
        (["--strides", "4,8,8,10", "--clip", "3 hours"], "0.38s, 4tokens, 6080samples"),
        (["--strides", "4,8,8,10", "--clip", "0s"], "less than one sample"),
        (["--strides", "4,8,8,10", "--clip", "1s", "--heat-map", "map.bmp"], "written as .png, .pdf, .svg"),
    ],
)
def test_the_commands_mistakes_name_the_remedy(arguments, message):
    with pytest.raises(ConfigError, match=message):
        command.main(arguments)


def test_zeroed_taps_are_zero_and_the_others_unchanged():
    torch.manual_seed(0)
    layer = build_generator(run_of(6.25, 6080)).decoder.model[0]
    before = effective_weight(layer).clone()
    zero_taps(layer, (0, 6))
    after = effective_weight(layer)
    assert (after[..., [0, 6]] == 0).all()
    torch.testing.assert_close(after[..., 1:6], before[..., 1:6])


def test_taps_drawn_anew_keep_their_norms_and_nothing_else():
    torch.manual_seed(0)
    layer = build_generator(run_of(6.25, 6080)).decoder.model[0]
    before = effective_weight(layer).clone()
    randomise_taps(layer, (0, 6), seed=1)
    after = effective_weight(layer)
    torch.testing.assert_close(after.norm(dim=1), before.norm(dim=1))
    torch.testing.assert_close(after[..., 1:6], before[..., 1:6])
    assert nn.functional.cosine_similarity(after[..., 0], before[..., 0], dim=1).abs().mean() < 0.3


@pytest.mark.parametrize("rate", [6.25, 3.125, 1.6])
def test_the_control_zeroes_as_many_covered_taps_of_the_same_layers(rate):
    layers = generator_taps(run_of(rate, 6080))
    positions = {layer.layer: layer.positions for layer in layers}
    bare, control = uncovered_taps(layers), least_covered_taps(layers)
    assert list(bare) == list(control)
    for layer, taps in control.items():
        assert all(positions[layer][tap] for tap in taps)
        assert len(taps) == min(len(bare[layer]), sum(count > 0 for count in positions[layer]))


def test_edits_are_named_by_layer_where_there_are_several():
    assert edit_names(generator_taps(tokens_of(6.25, 4))) == []
    assert edit_names(generator_taps(run_of(6.25, 6080))) == ["zero-uncovered", "zero-covered", "randomise-uncovered"]
    names = edit_names(generator_taps(run_of(3.125, 6080)))
    assert [name for name in names if name.startswith("zero-only:")] == [
        "zero-only:encoder.block.4.block.2.block.1",
        "zero-only:decoder.model.0",
        "zero-only:decoder.model.1.block.4.block.1",
    ]


@pytest.mark.parametrize("name", ["zero-uncovered", "randomise-uncovered"])
def test_editing_uncovered_taps_changes_nothing_within_the_training_length(name):
    """On a clip of three tokens those taps only ever meet padding."""
    torch.manual_seed(0)
    run = run_of(6.25, 6080)
    model = build_generator(run).eval()
    short, long = torch.randn(1, model.latent_dim, 3), torch.randn(1, model.latent_dim, 8)
    with torch.no_grad():
        before = model.decoder(short), model.decoder(long)
        edited = edit(model, name, generator_taps(run))
        after = model.decoder(short), model.decoder(long)
    assert edited["decoder.model.0"] == [0, 6]
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


def test_an_untrained_model_has_not_drifted():
    run = run_of(6.25, 6080)
    rows = pd.DataFrame(drift_rows(run, initial_generator(run)))
    np.testing.assert_allclose(rows["cosine"], 1, atol=1e-5)
    np.testing.assert_allclose(rows["rank_correlation"].dropna(), 1, atol=1e-5)
    np.testing.assert_allclose(rows["trained_norm"], rows["initial_norm"], rtol=1e-6)


def test_training_starts_from_the_initial_weights_that_the_seed_gives_again(store, tmp_path):
    """With next to no learning rate, what comes out is what went in."""
    run = run_of(6.25, 6080)
    run = replace(run, training=replace(run.training, learning_rate=1e-12, steps=1))
    train(run, store, tmp_path, Never())
    trained_weights = load_file(tmp_path / "model.safetensors")["decoder.model.0.weight_v"]
    torch.testing.assert_close(trained_weights, initial_generator(run).decoder.model[0].weight_v.detach())


def test_a_repaired_run_folder_is_a_codec(trained, tmp_path):
    write_repaired(trained, tmp_path / "repaired")
    repaired = load_file(tmp_path / "repaired" / "model.safetensors")["decoder.model.0.weight_v"]
    assert (repaired[..., [0, 6]] == 0).all()
    assert load_trained_codec(tmp_path / "repaired").run.codec == "6.25hz-fixed-duration-repaired"
    with pytest.raises(CodecError, match="known: zero-uncovered, zero-covered, randomise-uncovered"):
        write_repaired(trained, tmp_path / "other", "zero-everything")


@pytest.mark.parametrize(
    ("n_tokens", "length", "hop"), [(10, 3, 3), (11, 3, 1), (2, 3, 1), (19, 19, 6), (20, 4, 1), (7, 1, 1)]
)
def test_chunks_tile_the_utterance_and_are_of_the_training_length(n_tokens, length, hop):
    found = chunks(n_tokens, length, hop)
    assert found[0][2] == 0
    assert found[-1][3] == n_tokens
    for (first, end, keep_from, keep_to), following in zip(found, [*found[1:], (0, 0, n_tokens, 0)], strict=True):
        assert first <= keep_from < keep_to <= end
        assert keep_to == following[2]
        assert end - first == min(length, n_tokens)
    assert borders(n_tokens, length, hop) == [chunk[2] for chunk in found[1:]]


def test_one_chunk_is_the_whole_utterance(trained):
    codec = load_trained_codec(trained)
    codes = codec.encode(torch.randn(2560 * 4))
    torch.testing.assert_close(decode_in_chunks(codec, codes, 10000, 4, 4), codec.decode(codes, 10000))


def test_zeroing_changes_no_chunk_of_the_training_length(trained, store):
    """The repair and decoding in training-length chunks take the same taps away: done together, the first changes nothing more."""
    codec = load_trained_codec(trained)
    codes = codec.encode(torch.from_numpy(store.audio(3)))
    decoded = {variant.name: variant.decode(codes, 33333) for variant in variants(codec)}
    torch.testing.assert_close(
        decoded["overlapping-chunks"], decoded["zero-uncovered, overlapping-chunks"], atol=2 / 32768, rtol=0
    )
    assert not torch.equal(decoded[WHOLE], decoded["zero-uncovered"])


def test_an_edited_encoder_makes_its_own_codes(store):
    torch.manual_seed(0)
    run = tokens_of(6.25, 2)
    codec = TrainedCodec(run, build_generator(run), "cpu")
    audio, shared = torch.from_numpy(store.audio(3)), torch.zeros(2, 14, dtype=torch.int64)
    for variant in variants(codec):
        decoder_alone = variant.name in (WHOLE, "chunks", "overlapping-chunks") or "zero-only:decoder" in variant.name
        expected = shared if decoder_alone else variant.codec.encode(audio)
        assert torch.equal(variant.codes(audio, shared), expected), variant.name


def test_every_variant_scores_every_utterance(trained, store):
    codec = TrainedCodec(*_loaded(trained), "cpu")
    scores, positions = (pd.DataFrame(rows) for rows in measure(codec, store, [Pystoi(store.utterances, None, "cpu")]))
    assert (scores.groupby("variant").size() == len(store.utterances)).all()
    assert set(scores["variant"]) == {variant.name for variant in variants(codec)}
    frames = positions[positions["variant"] == WHOLE].groupby(["distance", "utterance_id"])["frames"].sum().unstack()
    assert (frames.loc["token_boundary"] == frames.loc["utterance_edge"]).all()
    assert "chunk_border" not in frames.index
    assert "chunk_border" in set(positions["distance"])


def _loaded(folder):
    codec = load_trained_codec(folder)
    return codec.run, codec.model


def test_equal_signals_have_no_error_and_distances_are_symmetric():
    audio = torch.randn(16000)
    errors, middles = frame_errors(audio, audio, 16000)
    assert (errors == 0).all()
    there, back = (distances(middle, 1000, 16000, [8]) for middle in (middles, 16000 - middles))
    for kind in ("token_boundary", "utterance_edge", "chunk_border"):
        assert (np.abs(there[kind] - back[kind]) <= 1).all()  # a middle on a bin's edge may fall to either side
    rows = position_rows(errors, there)
    assert sum(row["frames"] for row in rows) == 3 * len(errors)
