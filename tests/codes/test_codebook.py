"""Identities of Eqs. 2 and 3."""

import csv
import json
import sys

import numpy as np
import pytest

from codec_cliff.codes import codebook, usage
from codec_cliff.codes.codebook import code_counts, codebook_rows, entropy_efficiency, equal_frames, utilization
from codec_cliff.corpus.manifest import Utterance, write_manifest
from codec_cliff.errors import CodecError


def test_uniform_codes_are_fully_efficient():
    counts = code_counts(np.tile(np.arange(64), (2, 5)), 64)
    assert utilization(counts) == pytest.approx([1, 1])
    assert entropy_efficiency(counts) == pytest.approx([1, 1])


def test_one_code_is_a_collapse():
    counts = code_counts(np.zeros((1, 100), dtype=int), 64)
    assert utilization(counts) == pytest.approx([1 / 64])
    assert entropy_efficiency(counts) == pytest.approx([0])


def test_half_of_the_codes_uniformly_lose_one_bit():
    counts = code_counts(np.arange(32)[None], 64)
    assert entropy_efficiency(counts) == pytest.approx([5 / 6])


def test_few_frames_bias_both_figures_low():
    codes = np.random.default_rng(0).integers(0, 64, (1, 10000))
    few = code_counts(equal_frames(codes, 100, 0), 64)
    many = code_counts(codes, 64)
    assert few.sum() == 100
    assert utilization(few) < utilization(many)
    assert entropy_efficiency(few) < entropy_efficiency(many)


def test_rows_hold_each_level_and_their_mean_inside_its_interval():
    random = np.random.default_rng(0)
    codes = np.stack([random.integers(0, size, 3000) for size in (64, 32)])
    rows = codebook_rows(codes, np.arange(0, 3001, 100), 64, 500, 0)
    assert [row["level"] for row in rows] == ["0", "1", "mean"]
    assert rows[2]["utilization"] == pytest.approx((rows[0]["utilization"] + rows[1]["utilization"]) / 2)
    for row in rows:
        assert row["entropy_efficiency_low"] <= row["entropy_efficiency"] <= row["entropy_efficiency_high"]
        assert row["n_frames_equal"] == 500


def test_one_utterance_has_values_and_no_interval():
    codes = np.random.default_rng(0).integers(0, 16, (2, 50))
    rows = codebook_rows(codes, np.array([0, 50]), 16, 50, 0)
    for row in rows:
        assert 0 < row["utilization"] <= 1
        assert {value for name, value in row.items() if name.endswith(("_low", "_high"))} == {None}


def test_each_codecs_own_size_counts(tmp_path, monkeypatch):
    """Codebooks may be given by frame rate: a study's models then have different sizes."""
    write_manifest(tmp_path / "test.tsv", [Utterance("u", "s", "u.flac", 4000, 16000, "HELLO")])
    sizes = {"50hz": 8, "25hz": 64}
    for codec, size in sizes.items():
        (tmp_path / codec).mkdir()
        (tmp_path / codec / "codec.json").write_text(json.dumps({"codebook_size": size}))
        np.savez(tmp_path / codec / "codes.npz", codes=np.arange(40)[None] % 8, offsets=[0, 40])
    common = ["--manifest", str(tmp_path / "test.tsv"), "--longest-hop", "640", "--output", str(tmp_path / "out.csv")]

    def table(module, *arguments):
        monkeypatch.setattr(sys, "argv", ["prog", *arguments, *common])
        module.main()
        with open(tmp_path / "out.csv", newline="") as file:
            return list(csv.DictReader(file))

    for codec, size in sizes.items():
        rows = table(codebook, "--reconstruction", str(tmp_path / codec))
        assert {(float(row["utilization"]), row["utilization_low"]) for row in rows} == {(8 / size, "")}
    rows = table(usage, "--codecs", *sizes, "--reconstruction", str(tmp_path))
    assert [row["codec"] for row in rows] == ["50hz"] * 8 + ["25hz"] * usage.GROUPS


def test_a_code_outside_the_codebook_is_an_error():
    with pytest.raises(CodecError, match="outside a codebook of 64"):
        code_counts(np.array([[64]]), 64)
