"""MCD in every convention, where the extra `mcd` is installed: against pymcd itself, and how each takes a shift and a level."""

import numpy as np
import pytest
import soundfile

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import MetricError
from codec_cliff.metrics import distortions
from codec_cliff.metrics.mcd import BACKENDS
from codec_cliff.metrics.scorer import referenced
from tests.paths import LIBRISPEECH

RATE = 16000


def test_without_the_extra_the_error_names_it(monkeypatch):
    monkeypatch.setattr(distortions, "find_spec", lambda name: None)
    with pytest.raises(MetricError, match=r"uv sync --extra mcd.*envs/mcd\.yaml"):
        BACKENDS["pymcd"]([], None, "cpu")


@pytest.fixture(scope="module")
def scorer():
    pytest.importorskip("pymcd", reason="the extra mcd is not installed")
    return BACKENDS["pymcd"]([], None, "cpu")


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    paths = sorted(LIBRISPEECH.glob("test-clean/*/*/*.flac"))
    if not paths:
        pytest.skip("no LibriSpeech beside the repository")
    return soundfile.read(paths[0], dtype="float32")[0][: 3 * RATE]


def scores(scorer, reference, degraded) -> dict:
    utterance = Utterance("u", "s", "u.flac", len(reference), RATE, "")
    return scorer.score(utterance, referenced(scorer, utterance, reference), degraded.astype(np.float32))


def test_a_recording_is_at_no_distance_from_itself(scorer, speech):
    assert set(scores(scorer, speech, speech).values()) == {0}


def test_the_headline_is_what_pymcd_computes_from_files(scorer, speech, tmp_path):
    from pymcd.mcd import Calculate_MCD

    noisy = speech + np.random.default_rng(0).normal(scale=0.01, size=len(speech)).astype(np.float32)
    for name, audio in (("a", speech), ("b", noisy)):  # at pymcd's own rate, so that no resampler comes between
        soundfile.write(tmp_path / f"{name}.wav", distortions.resample(audio, RATE, 22050), 22050, subtype="FLOAT")
    expected = {
        mode: Calculate_MCD(mode).calculate_mcd(str(tmp_path / "a.wav"), str(tmp_path / "b.wav"))
        for mode in ("plain", "dtw")
    }
    found = scores(scorer, speech, noisy)
    assert found["mcd"] == pytest.approx(expected["plain"], rel=1e-3)
    assert found["mcd_pymcd_dtw"] == pytest.approx(expected["dtw"], rel=1e-2)


def test_who_notices_a_shift_and_who_a_level(scorer, speech):
    late = scores(scorer, speech, np.concatenate([np.zeros(320, np.float32), speech[:-320]]))
    assert late["mcd_aligned"] < 0.5 < 4 < late["mcd"]
    assert max(late["mcd_pymcd_dtw"], late["mcd_versa_dtw"]) < 0.5 < 4 < late["mcd_versa"]
    half = scores(scorer, speech, speech / 2)
    assert half["mcd_versa_no_c0"] < 0.01 < 3 < half["mcd_versa"]
    assert half["mcd_mfcc"] < 0.2
