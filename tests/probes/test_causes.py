"""Explanation by experiment, on made-up scores of worlds in which one explanation is true."""

import numpy as np
import pytest

from codec_cliff.probes import causes, rate
from codec_cliff.probes.arms import arms
from codec_cliff.statistics.bootstrap import Estimate
from codec_cliff.study.load import load_study
from tests.conftest import tiny_config
from tests.probes.test_answers import scores_of


@pytest.fixture(scope="module")
def study():
    config = tiny_config()
    config["protocols"]["fixed-duration"] = {"clip_seconds": 0.38, "batch_seconds": 9.12}
    config["protocols"]["fixed-tokens"] = {"clip_tokens": 19, "batch_seconds": 9.12}
    both = {"frame_rate": 6.25, "protocols": ["fixed-duration", "fixed-tokens"], "seeds": [0, 1, 2]}
    config["probes"] = {"batch_seconds": 9.12, "variants": {"replicate": {"model": {"padding": "replicate"}}},
                        "arms": [{**both, "tokens": [2, 3, 4]}, {**both, "tokens": [3], "variant": "replicate"}]}  # fmt: skip
    return load_study(config)


def outcomes(study, truth, explanation: str) -> dict[str, str]:
    """Experiment -> outcome for an explanation, where each arm's mean is `truth(arm)` and seeds scatter by 0.001."""
    found = arms(study.probe_runs)
    random = np.random.default_rng(0)
    values = {codec: truth(arm) + 0.02 * seed + 0.001 * random.standard_normal()
              for arm in found for codec, seed in zip(arm.codecs, arm.seeds, strict=True)}  # fmt: skip
    rows = causes.answer(study, found, scores_of(values, noise=0.0)).rows
    return {row["experiment"]: row[explanation].split(" ", 1)[1] for row in rows}


WORLDS = {
    "coverage": lambda arm: 0.6 - 0.05 * bool(arm.uncovered) - 0.05 * (arm.uncovered > 2),
    "context": lambda arm: 0.5 + 0.1 * np.log(arm.tokens) / np.log(19),
    "zeros": lambda arm: 0.6 - 0.05 * (not arm.whole_tokens),
}


@pytest.mark.parametrize("world", WORLDS)
def test_in_its_own_world_no_experiment_speaks_against_an_explanation(study, world):
    found = outcomes(study, WORLDS[world], world)
    assert len(found) >= 9
    assert "against" not in found.values(), found


@pytest.mark.parametrize("world", WORLDS)
def test_in_another_world_some_do(study, world):
    for other in set(WORLDS) - {world}:
        assert "against" in outcomes(study, WORLDS[other], world).values()


@pytest.mark.parametrize(
    ("low", "high", "predicted", "expected"),
    [
        (0.01, 0.03, "+", "fits"),
        (-0.03, -0.01, "+", "against"),
        (-0.01, 0.03, "+", "open"),
        (-0.02, 0.005, "+", "against"),
        (-0.03, -0.01, "-", "fits"),
        (-0.01, 0.01, "0", "fits"),
        (-0.03, 0.01, "0", "open"),
        (0.03, 0.05, "0", "against"),
    ],
)
def test_an_interval_against_a_sign(low, high, predicted, expected):
    assert causes.fits(Estimate((low + high) / 2, low, high, "speaker"), predicted) == expected


def test_rate_and_distortion_takes_the_longest_whole_clips(study):
    found = arms(study.probe_runs)
    rows = rate.answer(found, study.probe_runs, scores_of(dict.fromkeys(study.probe_runs, 0.6))).rows
    assert [(row["tokens"], row["held"], row["bitrate"]) for row in rows] == [(19, "codebooks", 6.25 * 2 * 4)]


def test_a_control_that_would_silence_a_layer_is_no_experiment(study):
    """At two tokens the first convolution has four uncovered taps of seven, and three left to zero beside them."""
    found = arms(study.probe_runs)
    edits = {"whole": 0.6, "zero-uncovered": 0.61, "zero-covered": 0.3}
    values = {codec: edits if arm.uncovered else 0.6 for arm in found for codec in arm.codecs}
    told = [
        row["experiment"]
        for row in causes.answer(study, found, scores_of(values, noise=0.0)).rows
        if "zeroing" in row["experiment"]
    ]
    assert {arm.tokens for arm in found if not arm.controlled} == {2}
    assert told
    assert not [name for name in told if "2 tokens" in name]


def test_arms_that_share_no_seed_are_not_tested(study):
    """As a comparison that its deadline cut leaves them: 3 whole tokens in one seed, the fixed duration in another."""
    cut = {"6.25hz-3-tokens": 0.6, "6.25hz-fixed-duration-seed1": 0.6, "6.25hz-fixed-tokens-seed1": 0.6}
    found = arms({codec: study.probe_runs[codec] for codec in cut})
    answer = causes.answer(study, found, scores_of(cut))
    assert [row["experiment"] for row in answer.rows] == ["6.25 Hz: 19 tokens minus 0.38 s"]
    for verdict in answer.verdicts:
        assert verdict.verdict == "not settled at this scale: 1 one training, 1 not tested"
        untested = "Not tested, for no seed was trained in all of their arms: 6.25 Hz: 3 whole tokens minus 0.38 s."
        assert verdict.evidence.endswith(untested)
    alone = [arm for arm in found if arm.tokens == 3]
    for verdict in causes.answer(study, alone, scores_of(cut)).verdicts:
        assert verdict.verdict == "not settled at this scale: 1 not tested"
