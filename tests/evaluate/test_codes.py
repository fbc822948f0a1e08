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


def test_codes_that_are_gone_leave_nothing_behind(tmp_path, names):
    mine = made(tmp_path, names, "mine")
    np.save(mine.folder / "u0.npy", frames(5))
    write_codebooks(tmp_path, [mine], names, None, seed=0)
    assert (tmp_path / "codebook" / "mine.csv").exists()
    (mine.folder / "u0.npy").unlink()
    write_codebooks(tmp_path, [mine], names, None, seed=0)
    assert not (tmp_path / "codebook").exists()


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


def unusable(tmp_path, names, mine):
    """What is said of codes that cannot be used, beside those of a system that can."""
    good = System("good", tmp_path / "good", names.match(tmp_path, []))
    good.folder.mkdir(exist_ok=True)
    np.savez(good.folder / "codes.npz", codes=frames(50), offsets=[0, 20, 50])
    (problem,) = write_codebooks(tmp_path, [mine, good], names, None, seed=0)
    assert (problem.system, problem.file, problem.measured) == ("mine", str(mine.folder), False)
    assert [path.name for path in (tmp_path / "codebook").iterdir()] == ["good.csv"]
    assert read_rows(tmp_path / "codebook" / "good.csv")[-1]["n_frames_equal"] == 50
    return problem.problem


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((80, 300), np.float32), "holds (80, 300) float32, expected integers"),
        (np.array([[1, "a"], [2, 3]], object), "cannot be read (Object arrays cannot be loaded"),
        (np.array(3), "holds () int64, expected integers"),
    ],
)
def test_an_array_that_holds_no_codes_is_a_problem_and_stops_nothing(tmp_path, names, array, said):
    mine = made(tmp_path, names, "mine")
    np.save(mine.folder / "u0.npy", array)
    assert f"no use of codebooks: {mine.folder / 'u0.npy'}: {said}" in unusable(tmp_path, names, mine)


def test_a_file_that_is_no_array_is_a_problem(tmp_path, names):
    mine = made(tmp_path, names, "mine")
    for content in (b"", b"PK", b"no array"):
        (mine.folder / "codes.npz").write_bytes(content)
        assert "codes.npz: cannot be read (" in unusable(tmp_path, names, mine)


@pytest.mark.parametrize("offsets", [[0, 20], [0, 60, 50], [1, 50], [0.0, 50.0], [[0, 50]], []])
def test_offsets_that_are_not_of_these_codes_are_a_problem(tmp_path, names, offsets):
    mine = made(tmp_path, names, "mine")
    np.savez(mine.folder / "codes.npz", codes=frames(50), offsets=offsets)
    assert "codes.npz: offsets must be integers that rise from 0 to 50" in unusable(tmp_path, names, mine)


@pytest.mark.parametrize(("codes", "size"), [([[-1, 2]], None), ([[0, 16]], 16), ([[0, 2**40]], None), ([[0, 0]], 1)])
def test_integers_that_no_codebook_has_are_a_problem(tmp_path, names, codes, size):
    mine = made(tmp_path, names, "mine")
    more = {} if size is None else {"codebook_size": size}
    np.savez(mine.folder / "codes.npz", codes=codes, offsets=[0, 2], **more)
    assert "no codes of a codebook of" in unusable(tmp_path, names, mine)


@pytest.mark.parametrize(("n_frames", "said"), [((4, 4, 9), True), ((4, 9, 9), False)])
def test_more_codebooks_than_frames_of_most_recordings_may_be_transposed_codes(tmp_path, names, n_frames, said):
    mine = made(tmp_path, names, "mine")
    for name, n in zip(IDS, n_frames, strict=True):
        np.save(mine.folder / f"{name}.npy", np.arange(8 * n).reshape(8, n))
    found = write_codebooks(tmp_path, [mine], names, None, seed=0)
    text = (
        "more codebooks than frames (8, and 4 frames a recording): are the codes transposed? Expected is "
        "(n_codebooks, frames)"
    )
    assert [(each.problem, each.measured) for each in found] == [(text, True)] * said
    assert (tmp_path / "codebook" / "mine.csv").exists()


@pytest.mark.filterwarnings("error")
def test_codes_of_one_recording_have_figures_without_intervals(tmp_path, names):
    mine = made(tmp_path, names, "mine")
    np.savez(mine.folder / "codes.npz", codes=frames(50).astype(np.uint64), offsets=[0, 0, 50, 50])
    assert write_codebooks(tmp_path, [mine], names, None, seed=0) == []
    row = read_rows(tmp_path / "codebook" / "mine.csv")[-1]
    assert 0 < row["entropy_efficiency"] < 1
    assert row["entropy_efficiency_low"] is row["utilization_high"] is None
