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


def test_the_columns_named_after_versa_are_its_formula(scorer, speech):
    """Step by step as the source of mcd_f0 has it: 16-bit numbers, FIR, WORLD, the power of each frame over the mean frame's."""
    import pysptk
    import pyworld
    from fastdtw import fastdtw
    from scipy.signal import firwin, lfilter
    from scipy.spatial.distance import euclidean

    def cepstra(audio):
        x = lfilter(firwin(255, 70 / 8000, pass_zero=False), 1, audio.astype(np.float64) * 32767)
        f0, times = pyworld.harvest(x, RATE, f0_floor=40, f0_ceil=800, frame_period=5)
        envelope = pyworld.cheaptrick(x, f0, times, RATE, fft_size=1024)
        power = np.array([(row[0] + row[512] + 2 * sum(row[1:512])) / 1024 for row in envelope])
        return pysptk.sp2mc(envelope, 39, 0.466), 10 * np.log10(power / np.mean(power)) > -20

    def distance(x, y):
        return np.mean(10 / np.log(10) * np.sqrt(2 * ((x - y) ** 2).sum(1)))

    noisy = speech + np.random.default_rng(0).normal(scale=0.01, size=len(speech)).astype(np.float32)
    (x, x_speech), (y, y_speech) = cepstra(speech), cepstra(noisy)
    path = np.array(fastdtw(x[x_speech], y[y_speech], dist=euclidean)[1])
    found = scores(scorer, speech, noisy)
    assert found["mcd_versa"] == pytest.approx(distance(x, y), rel=1e-6)
    assert found["mcd_versa_dtw"] == pytest.approx(distance(x[x_speech][path[:, 0]], y[y_speech][path[:, 1]]), rel=1e-6)


def test_who_notices_a_shift_and_who_a_level(scorer, speech):
    late = scores(scorer, speech, np.concatenate([np.zeros(320, np.float32), speech[:-320]]))
    assert late["mcd_matched"] < 0.5 < 4 < late["mcd"]
    assert max(late["mcd_pymcd_dtw"], late["mcd_versa_dtw"]) < 0.5 < 4 < late["mcd_versa"]
    half = scores(scorer, speech, speech / 2)
    assert half["mcd_matched"] < 0.01 < 3 < min(half["mcd"], half["mcd_versa"])
    assert half["mcd_mfcc"] < 0.2


def test_raw_and_matched_mean_the_same_in_every_backend(scorer, speech):
    """20 ms late and 6 dB down, MCD is large in one and nothing in the other, whichever tool computes it."""
    moved = np.concatenate([np.zeros(320, np.float32), speech[:-320] / 2])
    for backend in (scorer, BACKENDS["mel_cepstral_distance"]([], None, "cpu")):
        row = scores(backend, speech, moved)
        assert row["mcd_matched"] < 0.1 * row["mcd"]


def test_digital_silence_has_no_distance(scorer, speech):
    assert set(scores(scorer, speech, 0 * speech).values()) == {None}
