"""Seeds as blocks: what all arms of a seed share drops out, what is left is the scatter of differences."""

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from codec_cliff.statistics.bootstrap import Estimate
from codec_cliff.statistics.seeds import block_spread, widen


def test_what_a_seed_does_to_every_arm_does_not_count():
    values = {(arm, seed): 0.1 * arm + 0.05 * seed for arm in range(4) for seed in range(2)}
    deviation, freedom = block_spread(values)
    assert freedom == 3
    assert deviation == pytest.approx(0, abs=1e-12)


def test_the_spread_is_that_of_the_noise():
    random = np.random.default_rng(0)
    values = {
        (arm, seed): 0.1 * arm + 0.05 * seed + 0.01 * random.standard_normal()
        for arm in range(400)
        for seed in range(2)
    }
    assert block_spread(values)[0] == pytest.approx(0.01, rel=0.1)


def test_arms_of_one_seed_tell_nothing():
    assert block_spread({("a", 0): 1.0, ("b", 0): 2.0})[1] == 0
    assert block_spread({("a", 0): 1.0, ("a", 1): 1.1})[1] == 0  # which of the two is the seed's part?
    one, more = (
        {("a", 0): 1.0, ("a", 1): 1.1, ("b", 0): 2.0, ("b", 1): 2.3} | extra for extra in ({}, {("c", 0): 9.0})
    )
    assert block_spread(one) == block_spread(more)


def test_speakers_and_seeds_add_in_quadrature():
    estimate = widen(Estimate(1.0, 0.7, 1.4, "speaker"), (0.1, 3), 2, 2, 0.95)
    added = stdtrit(3, 0.975) * 0.1
    assert estimate.low == pytest.approx(1 - math.hypot(0.3, added))
    assert estimate.high == pytest.approx(1 + math.hypot(0.4, added))
    assert widen(estimate, (math.nan, 0), 1, 2, 0.95).low == -math.inf


def test_intervals_of_two_seeds_hold_the_truth_as_often_as_they_say():
    """Six arms of two seeds, the truth of a difference zero, the seeds alone scatter."""
    random = np.random.default_rng(1)
    held = 0
    for _ in range(400):
        values = {(arm, seed): random.standard_normal() for arm in range(6) for seed in range(2)}
        difference = np.mean([values[0, seed] - values[1, seed] for seed in range(2)])
        found = widen(Estimate(difference, difference, difference, "speaker"), block_spread(values), 2, 2, 0.95)
        held += found.low <= 0 <= found.high
    assert 0.92 < held / 400 < 0.98
