"""Opus: aligned to the sample, as long as its input, at the bitrate in its name, better the more of it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from pystoi import stoi

from codec_cliff.errors import CodecError
from codec_cliff.models.reference import load_reference_codec
from tests.paths import LIBRISPEECH


@pytest.fixture(scope="module")
def speech() -> torch.Tensor:
    """Eight seconds of read speech at 16 kHz, shape (128000,)."""
    files = sorted(LIBRISPEECH.glob("test-clean/*/*/*.flac"))
    if not files:
        pytest.skip(f"no LibriSpeech test-clean in {LIBRISPEECH}")
    audio = np.concatenate([soundfile.read(file, dtype="float32")[0] for file in files[:3]])
    return torch.from_numpy(audio[:128000])


@pytest.fixture(scope="module")
def pulses() -> torch.Tensor:
    """A voice-like signal that needs no data: three seconds of a gliding pulse train through two resonances."""
    rng = np.random.default_rng(0)
    pitch = 120 + 40 * np.sin(2 * np.pi * 0.7 * np.arange(48000) / 16000)
    audio = np.diff(np.floor(np.cumsum(pitch / 16000)), prepend=0) + 0.002 * rng.standard_normal(48000)
    for frequency in (500, 1500):
        kernel = np.exp(-np.arange(400) / 60) * np.sin(2 * np.pi * frequency * np.arange(400) / 16000)
        audio = np.convolve(audio, kernel)[:48000]
    audio *= 0.5 + 0.5 * np.sin(2 * np.pi * 3 * np.arange(48000) / 16000)
    return torch.from_numpy((0.5 * audio / np.abs(audio).max()).astype(np.float32))


def opus(kbps: int):
    return load_reference_codec(f"opus_{kbps}", Path("unused"), "cpu")


def round_trip(codec, audio: torch.Tensor) -> torch.Tensor:
    return codec.decode(codec.encode(audio), len(audio))


def lag(reference: torch.Tensor, other: torch.Tensor) -> int:
    """By how many samples `other` lies behind `reference`: where their cross-correlation is largest."""
    size = 2 * len(reference)
    spectrum = torch.fft.rfft(other, size) * torch.fft.rfft(reference, size).conj()
    peak = int(torch.fft.irfft(spectrum, size).argmax())
    return peak if peak < len(reference) else peak - size


@pytest.mark.parametrize("kbps", [12, 24, 64])
@pytest.mark.parametrize("signal", ["speech", "pulses"])
def test_output_is_aligned_to_the_sample(kbps, signal, request):
    audio = request.getfixturevalue(signal)
    assert abs(lag(audio, round_trip(opus(kbps), audio))) <= 1


def test_narrowband_output_is_aligned_to_one_sample_of_its_own_8_khz(speech):
    assert abs(lag(speech, round_trip(opus(6), speech))) <= 2


def test_lag_finds_a_known_shift(pulses):
    assert lag(pulses, torch.roll(pulses, 37)) == 37


def test_intelligibility_rises_with_the_bitrate(speech):
    scores = [stoi(speech.numpy(), round_trip(opus(kbps), speech).numpy(), 16000) for kbps in (6, 12, 24, 64)]
    assert scores == sorted(scores)
    assert scores[0] < 0.9 < 0.99 < scores[-1]


@pytest.mark.parametrize("n_samples", [1, 100, 319, 320, 321, 16001])
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_length_is_kept(n_samples, level):
    audio = level * torch.randn(n_samples, generator=torch.Generator().manual_seed(0))
    decoded = round_trip(opus(12), audio)
    assert decoded.shape == (n_samples,)
    assert decoded.dtype == torch.float32
    assert decoded.isfinite().all()


def test_silence_stays_silence():
    assert round_trip(opus(12), torch.zeros(16000)).abs().max() < 1e-3


@pytest.mark.parametrize("kbps", [6, 12, 24])
def test_bitrate_is_the_one_in_the_name(kbps, speech):
    codec = opus(kbps)
    packets = codec.encode(speech)
    assert codec.facts.bitrate == 1000 * kbps
    assert codec.facts.frame_rate == 50
    # 400 packets fill eight seconds and one more carries the codec's delay; every packet is of the same size.
    assert [len(packet) for packet in packets] == [kbps * 1000 // 50 // 8] * 401
    assert codec.measured_bitrate == pytest.approx(1000 * kbps * 401 / 400)


def test_measured_bitrate_is_over_all_calls(pulses):
    codec = opus(12)
    assert codec.measured_bitrate == 0
    bits = 8 * sum(len(packet) for audio in (pulses, pulses[:5000]) for packet in codec.encode(audio))
    assert codec.measured_bitrate == pytest.approx(bits / (53000 / 16000))


def test_calls_do_not_depend_on_each_other(pulses):
    codec = opus(12)
    first = codec.encode(pulses)
    assert codec.encode(pulses) == first
    assert torch.equal(codec.decode(first, len(pulses)), codec.decode(first, len(pulses)))


@pytest.mark.parametrize("kbps", [5, 257])
def test_impossible_bitrate_is_refused(kbps):
    with pytest.raises(CodecError, match="6 to 256"):
        opus(kbps)
