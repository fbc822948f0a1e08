"""The door: what is legal, what the paper's columns say, and an error that names the key for everything else."""

from importlib import import_module

import pytest

from codec_cliff.downloads.pins import DOWNLOADS
from codec_cliff.errors import ConfigError
from codec_cliff.study.config import Run
from codec_cliff.study.load import load_study

PAPER_BITRATES = {50: 6000, 12.5: 1500, 3.125: 375, 1.6: 192}  # sections 4.1, 4.2, 4.6


def test_the_papers_columns(paper_config):
    study = load_study(paper_config)
    for frame_rate, bitrate in PAPER_BITRATES.items():
        run = study.runs[study.codec_id(frame_rate, "fixed-tokens")]
        assert run.bitrate == pytest.approx(bitrate)
        assert run.tokens_per_clip == 19
        assert run.sample_rate == run.frame_rate * run.hop_length
    tokens = [study.runs[codec].tokens_per_clip for codec in study.codecs("fixed-duration")]
    assert tokens == [38, 19, 10, 5, 3]
    seconds = [study.runs[codec].clip_seconds for codec in study.codecs("fixed-tokens")]
    assert seconds == pytest.approx([0.19, 0.38, 0.76, 1.52, 3.04, 6.08, 11.875])


def test_the_paper_is_eleven_runs_and_50_hz_is_shared(paper_config):
    study = load_study(paper_config)
    assert len(study.trained) == 11
    assert study.codec_id(50, "fixed-duration") == study.codec_id(50, "fixed-tokens") == "50hz"
    assert study.repaired == {"6.25hz-fixed-duration-repaired": "6.25hz-fixed-duration"}
    assert not set(study.control_runs) & set(study.trained)


def test_matched_audio_holds_the_audio_of_fixed_duration(paper_config):
    study = load_study(paper_config)
    for codec in study.control_runs:
        run = study.runs[codec]
        half_a_clip = run.clip_seconds / 2
        assert abs(run.batch_clips * run.clip_seconds - 72 * 0.38) <= max(half_a_clip, 1e-9)


def test_a_run_survives_json(paper_config):
    for run in load_study(paper_config).runs.values():
        assert Run.from_dict(run.to_dict()) == run


def test_loading_leaves_the_callers_config_alone(paper_config):
    before = str(paper_config)
    load_study(paper_config)
    assert str(paper_config) == before


def _set(path, value):
    def edit(config):
        *parents, last = path.split("/")
        for name in parents:
            config = config[int(name) if isinstance(config, list) else name]
        config[last] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "key", "remedy"),
    [
        (_set("sead", 1), "sead", "did you mean seed"),
        (_set("training/stepz", 1), "training.stepz", "did you mean steps"),
        (_set("protocols/fixed-tokens/clip_token", 1), "protocols.fixed-tokens.clip_token", "did you mean clip_tokens"),
        (_set("training/steps", "many"), "training.steps", "'many' is a text, expected a whole number"),
        (_set("training/steps", 0), "training.steps", "minimum"),
        (_set("frame_rates/4/strides", [4, 8, 8, 8]), "frame_rates[4].strides", "needs 2560"),
        (_set("frame_rates/4/strides", [40, 64]), "frame_rates", "same number of strides"),
        (_set("frame_rates/0/frame_rate", 99), "frame_rates[0].frame_rate", "does not divide the sample rate"),
        (_set("frame_rates/0/frame_rate", 50), "frame_rates[0].strides", "needs 320"),
        (_set("controls/fixed-token", [6.25]), "controls.fixed-token", "did you mean fixed-tokens"),
        (_set("metrics/wer", "whisper"), "metrics.wer", "is not one of mms_1b_all, mms_1b_all_float16, moonshine_tiny"),
        (_set("metrics/werr", "moonshine_tiny"), "metrics.werr", "did you mean wer"),
        (_set("alignment/aligner", "mfaa"), "alignment.aligner", "did you mean mfa"),
        (
            _set("tables/reference_codecs", ["dac_16k", {"name": "dac_16k", "folder": "x"}]),
            "tables.reference_codecs",
            "name dac_16k is taken",
        ),
        (_set("tables/reference_codecs", ["dac_16"]), "tables.reference_codecs", "did you mean dac_16k"),
        (_set("tables/fixed_tokens", [7]), "tables.fixed_tokens", "add it to frame_rates"),
        (_set("tables/repaired", [1.6]), "tables.repaired", "not in tables.fixed_duration"),
        (_set("corpus/kind", "tape"), "corpus.kind", "librispeech, folder, synthetic"),
        (_set("corpus/root", None), "corpus.root", "needs the folder"),
        (_set("corpus/test", ["train-clean-100"]), "corpus.test", "also in corpus.train"),
        (_set("protocols/fixed-tokens/clip_seconds", 1.0), "protocols.fixed-tokens", "exactly one of"),
        (_set("protocols/fixed-duration/batch_clips", None), "protocols.fixed-duration", "exactly one of"),
        (_set("model/decoder_dim", 100), "model.decoder_dim", "divisible by 16"),
        (_set("discriminator/fft_sizes", [1022]), "discriminator.fft_sizes.0", "no multiple of 4; write 1020 or 1024"),
        (_set("discriminator/bands", [[0, 0.5], [0.5, 0.1]]), "discriminator.bands[1]", "write [0.1, 0.5]"),
        (_set("discriminator/bands", [[0.5, 0.5]]), "discriminator.bands[0]", "widen the band"),
        (_set("discriminator/bands", []), "discriminator.bands", "non-empty"),
        (_set("discriminator/fft_sizes", [16]), "discriminator.bands[0]", "take larger fft_sizes"),
        (
            _set("discriminator", {"periods": [], "fft_sizes": []}),
            "discriminator",
            "set discriminator.enabled to false",
        ),
        (_set("training/keep_steps", [1, 100001]), "training.keep_steps: 100001", "raise training.steps"),
        (_set("study", "My Study"), "study", "expected small letters"),
        (_set("gpus", {"1.6hz-fixed-tokens": 1.5}), "gpus.1.6hz-fixed-tokens", "choose a number that divides 72"),
        (_set("gpus", {"1.6hz-fixed-tokens": 0}), "gpus.1.6hz-fixed-tokens", "less than or equal to the minimum of 0"),
    ],
)
def test_every_mistake_names_its_key_and_remedy(paper_config, edit, key, remedy):
    edit(paper_config)
    with pytest.raises(ConfigError) as error:
        load_study(paper_config)
    assert key in str(error.value)
    assert remedy in str(error.value)


def test_the_last_step_may_be_kept_and_idle_discriminators_may_be_odd(paper_config):
    paper_config["training"]["keep_steps"] = [50000, 100000]
    paper_config["discriminator"] = {"enabled": False, "periods": [], "fft_sizes": [16]}
    assert load_study(paper_config).training.keep_steps == (50000, 100000)


def test_habits_of_others_are_off_by_default_and_can_be_chosen(paper_config):
    study = load_study(paper_config)
    chosen = {"wer": "mms_1b_all_float16", "naturalness": "utmos22_strong_padded"}
    assert not set(chosen.values()) & set(study.metrics.values())
    assert study.transcripts["normaliser"] == "plain"
    paper_config["metrics"] |= chosen
    paper_config["transcripts"]["normaliser"] = "hyphens"
    assert chosen.items() <= dict(load_study(paper_config).metrics).items()
    assert set(chosen.values()) <= set(DOWNLOADS)  # fetched as what they vary
    for metric, backend in chosen.items():
        assert backend in import_module(f"codec_cliff.metrics.{metric}").BACKENDS


def test_a_missing_key_is_named(paper_config):
    del paper_config["corpus"]["train"]
    with pytest.raises(ConfigError, match=r"corpus: 'train' is a required property"):
        load_study(paper_config)


def test_a_missing_protocol_is_named(paper_config):
    del paper_config["protocols"]["fixed-tokens"]
    with pytest.raises(ConfigError, match="fixed-tokens is missing"):
        load_study(paper_config)


def test_a_folder_of_reconstructions_is_a_row_under_its_name(paper_config, monkeypatch):
    monkeypatch.setenv("THEIRS", "/data/theirs")
    paper_config["tables"]["reference_codecs"] = ["dac_16k", {"name": "mine", "folder": "$THEIRS/wav"}]
    study = load_study(paper_config)
    assert study.reference_codecs == ["dac_16k", "mine"]
    assert study.folders == {"mine": "/data/theirs/wav"}
    assert "mine" in study.evaluated
