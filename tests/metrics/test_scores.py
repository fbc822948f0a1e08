"""Identities of the signal metrics, and their order along a graded degradation of real speech."""

import numpy as np
import pytest
import soundfile

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.mcd import MelCepstralDistance
from codec_cliff.metrics.mel import mel_filters
from codec_cliff.metrics.naturalness import BACKENDS as NATURALNESS
from codec_cliff.metrics.scorer import referenced
from codec_cliff.metrics.speakers.resemblyzer import Resemblyzer
from codec_cliff.metrics.stoi import Pystoi
from tests.paths import LIBRISPEECH

RATE = 16000


def scores(scorer, reference: np.ndarray, degraded: np.ndarray) -> dict:
    utterance = Utterance("u", "s", "u.flac", len(reference), RATE, "")
    return dict(scorer.score(utterance, referenced(scorer, utterance, reference), degraded))


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Six seconds of real speech; where there is none, noise with the rhythm of syllables."""
    paths = sorted(LIBRISPEECH.glob("test-clean/*/*/*.flac"))
    if paths:
        return soundfile.read(paths[0], dtype="float32")[0][: 6 * RATE]
    noise = np.random.default_rng(0).normal(scale=0.05, size=6 * RATE)
    return (noise * np.sin(2 * np.pi * 2 * np.arange(6 * RATE) / RATE) ** 4).astype(np.float32)


@pytest.fixture(scope="module")
def ladder(speech) -> list[np.ndarray]:
    """The speech itself, then with white noise at 20, 10 and 0 dB."""
    noise = np.random.default_rng(1).normal(size=len(speech)) * np.sqrt(np.mean(speech**2))
    return [speech] + [(speech + noise * 10 ** (-snr / 20)).astype(np.float32) for snr in (20, 10, 0)]


@pytest.fixture(scope="module")
def resemblyzer() -> Resemblyzer:
    return Resemblyzer()


def test_stoi_of_itself_is_one_and_falls_with_noise(ladder):
    values = [scores(Pystoi([], None, "cpu"), ladder[0], degraded)["stoi"] for degraded in ladder]
    assert values[0] == pytest.approx(1)
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.9


def test_a_shift_ruins_raw_stoi_and_mcd_and_not_the_aligned_ones(speech):
    late = np.concatenate([np.zeros(320, np.float32), speech[:-320]])
    stoi = scores(Pystoi([], None, "cpu"), speech, late)
    assert stoi["lag_ms"] == 20
    assert stoi["stoi"] < 0.8
    assert stoi["stoi_aligned"] > 0.99
    mcd = scores(MelCepstralDistance([], None, "cpu"), speech, late)
    assert mcd["mcd_matched"] < 0.01 < 1 < mcd["mcd"]


def test_stoi_is_what_the_library_computes(ladder):
    import pystoi

    for degraded in ladder[1:]:
        expected = pystoi.stoi(ladder[0], degraded, RATE, extended=False)
        assert scores(Pystoi([], None, "cpu"), ladder[0], degraded)["stoi"] == pytest.approx(expected, abs=1e-9)


def test_an_utterance_too_short_for_stoi_has_an_empty_cell(speech):
    mostly_silent = np.concatenate([speech[RATE : RATE + 1600], np.zeros(RATE, np.float32)])
    for clip in (speech[:160], speech[RATE : RATE + 4800], mostly_silent):
        assert scores(Pystoi([], None, "cpu"), clip, clip)["stoi"] is None


def test_mcd_of_itself_is_zero_and_rises_with_noise(ladder):
    values = [scores(MelCepstralDistance([], None, "cpu"), ladder[0], degraded)["mcd"] for degraded in ladder]
    assert values[0] == 0
    assert values == sorted(values)
    assert values[1] > 0.5


def test_mcd_of_scaled_and_rounded_speech_is_its_floor(speech):
    rounded = np.round(speech * 0.8 * 32768).astype(np.float32) / 32768
    assert 0 < scores(MelCepstralDistance([], None, "cpu"), speech, rounded)["mcd"] < 0.2


def test_mcd_is_what_the_library_computes_from_files(speech, ladder, tmp_path):
    import mel_cepstral_distance

    for name, audio in (("a", speech), ("b", ladder[2])):
        soundfile.write(tmp_path / f"{name}.wav", audio, RATE, subtype="FLOAT")
    expected, _ = mel_cepstral_distance.compare_audio_files(
        tmp_path / "a.wav", tmp_path / "b.wav", aligning="pad", norm_audio=False
    )
    assert scores(MelCepstralDistance([], None, "cpu"), speech, ladder[2])["mcd"] == pytest.approx(expected)


def test_speaker_similarity_of_itself_is_one_whatever_its_level_and_falls_with_noise(ladder, resemblyzer):
    values = [scores(resemblyzer, ladder[0], degraded)["spk_sim"] for degraded in ladder]
    assert values[0] == pytest.approx(1, abs=1e-5)
    assert scores(resemblyzer, ladder[0], ladder[0] / 4)["spk_sim"] == pytest.approx(1, abs=1e-5)
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.9


@pytest.mark.parametrize("backend", ["distillmos", "dnsmos_p808"])
def test_predicted_naturalness_falls_with_noise(ladder, backend):
    values = [scores(NATURALNESS[backend]([], None, "cpu"), x, x)[backend] for x in ladder]
    assert values == sorted(values, reverse=True)
    assert 1 < values[-1] < values[0] < 5


@pytest.mark.parametrize("seconds", [0.01, 2.5, 7.5, 7.68, 9.3])
def test_distillmos_is_what_the_library_computes(speech, seconds):
    """Shorter than a window, with and without room for its silence, a window, and several."""
    import torch
    from distillmos import ConvTransformerSQAModel

    clip = np.resize(speech, round(seconds * RATE))
    with torch.inference_mode():
        expected = ConvTransformerSQAModel().eval()(torch.from_numpy(clip)[None]).item()
    assert NATURALNESS["distillmos"]([], None, "cpu").predict(clip) == pytest.approx(expected, abs=1e-6)


def test_silence_crashes_nothing(speech, resemblyzer):
    silence = np.zeros_like(speech)
    for scorer in (Pystoi([], None, "cpu"), MelCepstralDistance([], None, "cpu"), resemblyzer):
        values = scores(scorer, speech, silence)
        assert all(value is None or np.isfinite(value) for value in values.values())
    assert set(scores(MelCepstralDistance([], None, "cpu"), speech, silence).values()) == {None}
    assert scores(Pystoi([], None, "cpu"), speech, silence)["stoi"] == pytest.approx(0, abs=1e-3)
    for backend in ("distillmos", "dnsmos_p808"):
        assert 1 < scores(NATURALNESS[backend]([], None, "cpu"), speech, silence)[backend] < 5


def test_mel_filters_have_unit_area_and_one_peak():
    filters = mel_filters(n_fft=4096, n_mels=40)
    np.testing.assert_allclose(filters.sum(axis=1) * RATE / 4096, 1, rtol=0.02)
    assert (np.diff(np.sign(np.diff(filters, axis=1)), axis=1) < -1).sum(axis=1).max() <= 1


def test_windows_computed_at_once_are_those_computed_alone(speech):
    """Long enough for several windows, with one loudest band and with several."""
    import onnxruntime

    from codec_cliff.metrics.predictors import dnsmos

    predictor = NATURALNESS["dnsmos_p808"]([], None, "cpu")
    path = dnsmos.distribution("speechmos").locate_file("speechmos/dnsmos_models/model_v8.onnx")
    whole = onnxruntime.InferenceSession(str(path))
    long = np.resize(speech, 14 * RATE)  # repeated
    for clip in (long, long * np.linspace(0.1, 1, len(long), dtype=np.float32)):
        _, inputs = predictor.windows(clip)
        alone = [whole.run(None, {"input_1": rows[None]})[0][0, 0] for _, _, rows in inputs]
        assert len(inputs) > 4
        assert predictor.predict(clip) == pytest.approx(np.mean(alone), abs=1e-6)
    assert len({loudest for _, loudest, _ in inputs}) > 1


@pytest.mark.slow
def test_features_and_scores_are_those_of_the_libraries(speech):
    """librosa compiles itself for 15 seconds, speechmos' thread pool spins for 6."""
    import librosa
    from resemblyzer import VoiceEncoder
    from speechmos import dnsmos

    from codec_cliff.metrics.mel import mel_spectrogram

    for n_fft, n_mels in ((321, 120), (400, 40)):
        expected = librosa.feature.melspectrogram(y=speech, sr=RATE, n_fft=n_fft, hop_length=160, n_mels=n_mels)
        mine = mel_spectrogram(speech, n_fft, 160, mel_filters(n_fft, n_mels))
        np.testing.assert_allclose(mine, expected, rtol=1e-3, atol=1e-6 * expected.max())
    predictor = NATURALNESS["dnsmos_p808"]([], None, "cpu")
    for clip in (speech, np.tile(speech, 2)[: 11 * RATE]):
        assert predictor.predict(clip) == pytest.approx(dnsmos.run(clip, RATE)["p808_mos"], abs=1e-3)
    encoder = VoiceEncoder("cpu", verbose=False)
    assert Resemblyzer().embed(speech) @ encoder.embed_utterance(speech) == pytest.approx(1, abs=1e-5)
