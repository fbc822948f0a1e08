import numpy as np
import pytest

from codec_cliff.codes.usage import GROUPS, ranked_use, rows


def test_uniform_use_is_flat_at_one():
    assert ranked_use(np.full((2, 64), 5), 8) == pytest.approx(np.ones((2, 8)))


def test_one_code_is_all_in_the_first_group():
    counts = np.zeros((1, 64), int)
    counts[0, 17] = 9
    assert ranked_use(counts, 8)[0] == pytest.approx([8, 0, 0, 0, 0, 0, 0, 0])


def test_codes_are_ranked_and_the_mean_is_one_whatever_the_size():
    use = ranked_use(np.random.default_rng(0).integers(0, 50, (3, 50)), GROUPS)
    weights = np.diff(np.linspace(0, 50, GROUPS + 1).astype(int)) / 50
    assert use @ weights == pytest.approx(np.ones(3))
    assert (np.diff(use, axis=1) <= 1e-9).all()


def test_a_row_a_level_and_group():
    table = list(rows("50hz", np.zeros((2, 30), int), 16, 10, 0))
    assert len(table) == 2 * 16
    assert [row["relative_use"] for row in table[:2]] == ["16", "0"]
