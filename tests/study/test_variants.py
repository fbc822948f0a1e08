"""Runs that differ from the study's own in more than rate and clips: stride orders, padding, codebooks by rate, kept steps."""

import copy
import hashlib
import json
from dataclasses import replace

import pytest
import yaml
from snakemake.utils import update_config

from codec_cliff.errors import ConfigError
from codec_cliff.models.coverage import generator_taps, uncovered
from codec_cliff.study.config import Run, digest
from codec_cliff.study.load import load_study
from tests.conftest import ROOT, tiny_config

LAST_FIRST = {"frame_rate": 6.25, "strides": [10, 8, 8, 4], "name": "10-8-8-4"}


def config_with(arms: list[dict], **variants: dict) -> dict:
    config = tiny_config()
    config["frame_rates"].append(LAST_FIRST)
    config["probes"] = {"arms": arms, "variants": variants}
    return config


def test_a_stride_order_and_a_variant_are_suffixes_and_change_what_they_say():
    arms = [{"frame_rate": 6.25, "protocols": ["fixed-duration"], "tokens": [3], "seeds": [0, 1]}]
    arms += [{**arms[0], "strides": "10-8-8-4", "variant": "replicate"}, {**arms[0], "variant": "longer"}]
    variants = {"replicate": {"model": {"padding": "replicate"}}}
    variants["longer"] = {"training": {"steps": 12, "keep_steps": [3, 6]}, "losses": {"mel": 1.0}}
    study = load_study(config_with(arms, **variants))
    plain, changed = (study.runs[f"6.25hz-3-tokens{label}-seed1"] for label in ("", "-10-8-8-4-replicate"))
    assert changed.strides == (10, 8, 8, 4)
    assert changed.model == replace(plain.model, padding="replicate")
    assert changed.variant == "10-8-8-4-replicate"
    assert (changed.clip_samples, changed.batch_clips, changed.seed) == (plain.clip_samples, plain.batch_clips, 1)
    longer = study.runs["6.25hz-fixed-duration-longer"]
    assert (longer.training.steps, longer.training.keep_steps, longer.losses.mel) == (12, (3, 6), 1.0)
    assert len(study.probe_runs) == 12
    assert study.codecs("fixed-duration") == load_study(tiny_config()).codecs("fixed-duration")


def test_codebooks_by_frame_rate_hold_the_bitrate():
    by_rate = {25: 6, 12.5: 12, 6.25: 24, 3.125: 48}
    arms = [
        {"frame_rate": rate, "protocols": ["fixed-tokens"], "variant": "same-bitrate", "seeds": [0]} for rate in by_rate
    ]
    config = config_with(arms, **{"same-bitrate": {"model": {"n_codebooks": by_rate}}})
    config["model"]["n_codebooks"] = 12
    study = load_study(config)
    assert {run.bitrate for run in study.probe_runs.values()} == {25 * 6 * 4}
    assert "12.5hz-fixed-tokens" in study.probe_runs  # the study's own codebooks there: no further training
    config["model"]["n_codebooks"] = dict.fromkeys((100, 50, 25, 12.5, 6.25, 3.125), 2) | {1.6: 7}
    assert load_study(config).runs["1.6hz-fixed-tokens"].model.n_codebooks == 7


def test_younger_keys_at_their_old_values_leave_the_digest_as_it_was(tiny_run):
    """What `digest` was before any of them had a name."""
    free = ("device", "log_every_steps", "checkpoint_every_seconds", "compile", "resident_store", "micro_batch_clips")
    values = tiny_run.to_dict()
    for key in ("gpus", "variant"):
        del values[key]
    del values["model"]["padding"]
    plain = {
        "loudness": None,
        "salient_loudness": None,
        "salient_tries": 1,
        "phase_shift": False,
        "precision": "float32",
    }
    run = replace(tiny_run, training=replace(tiny_run.training, **plain))
    old = {"steps", "learning_rate", "betas", "weight_decay", "learning_rate_decay", "warmup_steps"}
    old |= {"generator_gradient_clip", "discriminator_gradient_clip"}
    values["training"] = {key: value for key, value in values["training"].items() if key in old and key not in free}
    assert digest(run) == hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def test_padding_shapes_the_weights_and_kept_steps_do_not(tiny_run):
    kept = replace(tiny_run, training=replace(tiny_run.training, keep_steps=(2,)), variant="longer")
    assert digest(kept) == digest(tiny_run)
    assert digest(replace(tiny_run, model=replace(tiny_run.model, padding="replicate"))) != digest(tiny_run)


def test_a_run_folder_without_the_younger_keys_still_loads(tiny_run):
    values = json.loads(json.dumps(tiny_run.to_dict()))
    del values["variant"], values["model"]["padding"], values["training"]["keep_steps"]
    assert Run.from_dict(values) == tiny_run


ARM = {"frame_rate": 6.25, "protocols": ["fixed-duration"], "seeds": [0]}


@pytest.mark.parametrize(
    ("arm", "variants", "message"),
    [
        ({"strides": "4-8"}, {}, "6.25 4-8 has no strides.*6.25 10-8-8-4"),
        ({"variant": "replicat"}, {"replicate": {"model": {"padding": "replicate"}}}, "did you mean replicate"),
        ({}, {"a": {"model": {"paddin": "zeros"}}}, "paddin: unknown key .did you mean padding"),
        ({}, {"a": {"training": {"steps": 0}}}, "probes.variants.a.training.steps"),
        ({}, {"a": {"training": {"keep_steps": [6, 7]}}}, "variants.a.training.keep_steps: 7 lies beyond the last of 6 steps"),
        ({"variant": "a"}, {"a": {"model": {"padding": "reflect"}}}, "3 tokens, and reflect padding needs 4; take replicate"),
        ({"variant": "a"}, {"a": {"model": {"n_codebooks": {25: 6}}}}, "a.model.n_codebooks: has no entry for 6.25 Hz"),
        ({}, {"seed1": {"model": {"padding": "zeros"}}}, "reads like a seed"),
        ({"variant": "x"}, {"x": {"losses": {"mel": 1}}}, "fixed-duration-x is a protocol already"),
    ],
)  # fmt: skip
def test_mistakes_name_the_remedy(arm, variants, message):
    config = config_with([{**ARM, **arm}], **variants)
    if "x" in variants:
        config["protocols"]["fixed-duration-x"] = {"clip_seconds": 1, "batch_clips": 2}
    with pytest.raises(ConfigError, match=message):
        load_study(config)


def test_a_named_order_needs_the_rates_own():
    config = config_with([])
    config["frame_rates"][-1] = {"frame_rate": 8, "strides": [5, 5, 8, 10], "name": "mine"}
    with pytest.raises(ConfigError, match="only strides of a name"):
        load_study(config)


def test_the_pilots_causes_contain_its_own_models(paper_config):
    """What the pilot has trained need not be trained again for the questions about the cause."""
    base, causes = paper_config, copy.deepcopy(paper_config)
    update_config(base, yaml.safe_load((ROOT / "profiles/pilot/study.yaml").read_text()))
    for name in ("study", "causes"):
        update_config(causes, yaml.safe_load((ROOT / f"profiles/pilot/{name}.yaml").read_text()))
    own, all_of_them = (load_study(values).probe_runs for values in (base, causes))
    assert {codec: digest(run) for codec, run in own.items()}.items() <= {
        codec: digest(run) for codec, run in all_of_them.items()
    }.items()
    cut = [run for run in all_of_them.values() if run.protocol == "fixed-duration" and run.model.padding == "zeros"]
    taps = {run.strides: uncovered(generator_taps(run)) for run in cut}
    assert {
        (4, 8, 8, 10): 2,
        (5, 8, 8, 8): 6,
        (10, 8, 8, 4): 10,
        (16, 10, 8, 2): 22,
        (10, 8, 4, 4): 4,
    }.items() <= taps.items()
