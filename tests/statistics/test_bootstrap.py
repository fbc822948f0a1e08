"""Intervals over few speakers: how often they hold what is true, where that is known."""

import math
import tracemalloc

import numpy as np
import pytest

from codec_cliff.statistics import bootstrap
from codec_cliff.statistics.bootstrap import (
    MIN_SPEAKERS,
    Resampling,
    bootstrap_mean,
    bootstrap_ratio,
    paired_difference,
    widened,
)
from tests.paths import ROOT

TRIALS = 600  # the standard error of a coverage of .95 is .009
PROMISED = 0.93
BY = Resampling(samples=400, confidence=0.95, seed=0)


def readings(rng, n_speakers: int, most: int) -> np.ndarray:
    """The speaker of each utterance, 1 to `most` utterances a speaker."""
    return np.repeat(np.arange(n_speakers), rng.integers(1, most + 1, n_speakers))


def scores(rng, n_speakers: int) -> bool:
    """A value an utterance: speakers differ as much as their utterances do, and have unequally many."""
    speakers = readings(rng, n_speakers, 6)
    values = rng.normal(0.8, 0.1, n_speakers)[speakers] + rng.normal(0, 0.1, len(speakers))
    estimate = bootstrap_mean(values, speakers, BY)
    return estimate.low <= 0.8 <= estimate.high


def word_errors(rng, n_speakers: int) -> bool:
    """Corpus WER: few words a speaker, and some speakers who are badly understood."""
    speakers = readings(rng, n_speakers, 3)
    words = rng.integers(8, 30, len(speakers))
    errors = rng.poisson(words * rng.gamma(1.5, 0.06 / 1.5, n_speakers)[speakers])
    estimate = bootstrap_ratio(errors, words, speakers, BY)
    return estimate.low <= 0.06 <= estimate.high


def differences(rng, n_speakers: int) -> bool:
    """Two codecs' WER over the same words: hard speakers are hard for both."""
    speakers = readings(rng, n_speakers, 3)
    words = rng.integers(8, 30, len(speakers))
    hardness = rng.gamma(4, 0.25, n_speakers)[speakers]
    sums = [(rng.poisson(words * hardness * rate), words) for rate in (0.2, 0.3)]
    estimate = paired_difference(*sums, speakers, BY)
    return estimate.low <= 0.1 <= estimate.high


@pytest.mark.parametrize("n_speakers", [5, 9, 10, 24])
@pytest.mark.parametrize("world", [scores, word_errors, differences])
def test_intervals_hold_from_five_speakers_on(world, n_speakers):
    rng = np.random.default_rng(n_speakers)
    assert PROMISED <= np.mean([world(rng, n_speakers) for _ in range(TRIALS)]) < 0.99


@pytest.mark.parametrize("n_speakers", [5, 10])
def test_percentiles_of_widened_resamples_hold(n_speakers):
    rng, weights = np.random.default_rng(0), np.full(n_speakers, 1 / n_speakers)
    covered = 0
    for _ in range(TRIALS):
        values = rng.normal(0, 1, n_speakers)
        means = rng.multinomial(n_speakers, weights, BY.samples) @ values / n_speakers
        low, high = np.quantile(widened(np.append(values.mean(), means), n_speakers, BY)[1:], [0.025, 0.975])
        covered += low <= 0 <= high
    assert PROMISED <= covered / TRIALS < 0.98


def test_fewer_than_five_speakers_leave_their_utterances():
    estimate = bootstrap_mean([0.1, 0.2, 0.3, 0.4], ["a", "a", "b", "b"], BY)
    assert estimate.unit == "utterance"
    error = np.std([0.1, 0.2, 0.3, 0.4], ddof=1) / 2
    assert estimate.high - estimate.value == pytest.approx(
        3.182446 * error
    )  # Student's t with three degrees of freedom


def test_one_utterance_has_no_interval():
    estimate = bootstrap_mean([0.5], ["a"], BY)
    assert estimate.value == 0.5
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)


def test_counts_are_never_fewer_than_none():
    errors, words, speakers = [0, 0, 0, 0, 9, 0], [20] * 6, list("abcdef")
    estimate = bootstrap_ratio(errors, words, speakers, BY)
    assert (estimate.low, estimate.value) == (0, pytest.approx(0.075))
    assert estimate.high < 1.5  # one speaker with all the errors: wide, but a number
    assert bootstrap_mean([-1.0, 1.0, 0.0, 2.0, -2.0], list("abcde"), BY).low < 0


def test_a_difference_turns_round_with_its_sides():
    rng = np.random.default_rng(0)
    a, b = ((rng.poisson(3, 30), np.full(30, 20)) for _ in "ab")
    forth, back = (paired_difference(*sides, np.arange(30) // 3, BY) for sides in ((a, b), (b, a)))
    assert (back.value, back.low, back.high) == pytest.approx((-forth.value, -forth.high, -forth.low))


def sides(n: int):
    """Errors and words of two codecs by cluster."""
    rng = np.random.default_rng(n)
    return {sign: (rng.poisson(3, n), rng.integers(8, 30, n)) for sign in (-1, 1)}


def test_the_jackknife_leaves_each_cluster_out():
    totals = sides(7)
    for left_out, figure in enumerate(bootstrap._without_each(totals)):
        kept = {sign: [np.delete(part, left_out).sum() for part in sums] for sign, sums in totals.items()}
        assert figure == pytest.approx(kept[1][0] / kept[1][1] - kept[-1][0] / kept[-1][1], rel=1e-12)


def test_blocks_of_resamples_are_the_resamples(monkeypatch):
    sums, speakers = sides(30), np.arange(30) // 3
    whole = paired_difference(sums[-1], sums[1], speakers, BY)
    monkeypatch.setattr(bootstrap, "BLOCK", 70)  # seven resamples of ten speakers, and one in the last block
    parts = paired_difference(sums[-1], sums[1], speakers, BY)
    assert (parts.low, parts.high) == pytest.approx((whole.low, whole.high), rel=1e-12)


def test_thousands_of_utterances_of_one_speaker_need_little_memory():
    sums, speakers = sides(4000), ["a"] * 4000
    tracemalloc.start()
    try:
        estimate = paired_difference(sums[-1], sums[1], speakers, BY)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert estimate.low < estimate.value < estimate.high
    assert peak < 32e6  # bytes: less than 400 resamples of 4000 counts take together with their influences


def test_the_how_to_names_the_fewest_speakers():
    assert f"speakers where there are {MIN_SPEAKERS} or more" in (ROOT / "docs" / "own_recordings.md").read_text()
