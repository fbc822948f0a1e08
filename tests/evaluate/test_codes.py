"""Codes that systems bring: both forms, the same figures as the study's, equal frames over systems."""

import numpy as np
import pytest

from codec_cliff.codes.codebook import codebook_rows
from codec_cliff.corpus.matching import Names
from codec_cliff.errors import CodecError
from codec_cliff.evaluate.codes import read_codes, write_codebooks
from codec_cliff.evaluate.folders import System
from codec_cliff.statistics.results import read_rows

IDS = ("u0", "u1", "u2")


@pytest.fixture
def names(tmp_path):
    return Names(tmp_path, [tmp_path / f"{name}.wav" for name in IDS])


def made(tmp_path, names, name):
    (tmp_path / name).mkdir()
    return System(name, tmp_path / name, names.match(tmp_path, []))


def frames(n, codebook_size=16):
    return np.random.default_rng(n).integers(0, codebook_size, (2, n))


def test_an_archive_and_a_file_a_recording_give_the_studys_figures_on_equal_frames(tmp_path, names):
    fast, slow = made(tmp_path, names, "fast"), made(tmp_path, names, "slow")
    arrays = [frames(n) for n in (200, 300, 400)]
    np.savez(fast.folder / "codes.npz", codes=np.concatenate(arrays, axis=1), offsets=[0, 200, 500, 900])
    few = [frames(n) for n in (20, 30, 40)]
    for name, array in zip(IDS, few, strict=True):
        np.save(slow.folder / f"{name}_codes.npy", array)
    write_codebooks(tmp_path, [fast, slow], names, None, seed=0)
    found = read_rows(tmp_path / "codebook" / "fast.csv")
    expected = codebook_rows(np.concatenate(arrays, axis=1), np.array([0, 200, 500, 900]), 16, 90, 0)
    assert [row["codebook_size"] for row in found] == [16, 16, 16]
    for row, like in zip(found, expected, strict=True):
        assert row["n_frames_equal"] == 90
        assert row["entropy_efficiency_equal_frames"] == pytest.approx(like["entropy_efficiency_equal_frames"])
    assert read_rows(tmp_path / "codebook" / "slow.csv")[-1]["n_frames"] == 90


def test_the_size_of_a_codebook_is_given_or_the_next_power_of_two(tmp_path, names):
    mine = made(tmp_path, names, "mine")
    np.save(mine.folder / "u0.npy", np.array([[0, 4, 2]]))
    assert read_codes(mine, names, None).codebook_size == 8
    assert read_codes(mine, names, 1024).codebook_size == 1024


def test_a_system_without_codes_has_none_and_unusable_ones_are_named(tmp_path, names):
    mine = made(tmp_path, names, "mine")
    assert read_codes(mine, names, None) is None
    np.save(mine.folder / "u0.npy", np.zeros((2, 3)))
    with pytest.raises(CodecError, match=r"u0\.npy: holds \(2, 3\) float64, expected integers"):
        read_codes(mine, names, None)
    np.save(mine.folder / "u0.npy", frames(5))
    np.save(mine.folder / "u1.npy", frames(5)[:1])
    with pytest.raises(CodecError, match="different numbers of codebooks"):
        read_codes(mine, names, None)
    np.savez(mine.folder / "codes.npz", tokens=frames(5))
    with pytest.raises(CodecError, match=r"codes\.npz: needs the arrays codes"):
        read_codes(mine, names, None)
