"""Lyra v2 with its published weights on real speech; it skips where speech or weights are not."""

import numpy as np
import pytest
import soundfile
import torch
from pystoi import stoi

from codec_cliff.downloads import hub
from codec_cliff.errors import CodecError, DownloadError
from codec_cliff.metrics.delay import delay
from codec_cliff.models.reference import load_reference_codec, lyra
from codec_cliff.models.reference.facts import reference_facts
from tests.paths import SHARED

WEIGHTS = SHARED / "weights/lyra"
NAMES = ("lyra_3200", "lyra_6000", "lyra_9200")
# Measured outside this project on the same twelve utterances.
STOI = {"lyra_3200": 0.904, "lyra_6000": 0.936, "lyra_9200": 0.947}


@pytest.fixture(scope="module")
def speech() -> list[np.ndarray]:
    files = sorted((SHARED / "LibriSpeech").glob("test-clean/*/*/*.flac"))
    if not files:
        pytest.skip(f"no LibriSpeech test-clean in {SHARED}")
    return [soundfile.read(file, dtype="float32")[0] for file in files[:12]]


@pytest.fixture(scope="module")
def codecs(tmp_path_factory) -> dict:
    """The three rates, from a cache into which somebody without network has laid the files."""
    if not WEIGHTS.exists():
        pytest.skip(f"no weights of Lyra in {WEIGHTS}; codec-cliff downloads fetch lyra_3200 says where they are")
    cache = tmp_path_factory.mktemp("cache")
    (cache / "lyra").symlink_to(WEIGHTS)
    return {name: load_reference_codec(name, cache, "cpu") for name in NAMES}


def round_trip(codec, audio: np.ndarray) -> np.ndarray:
    return codec.decode(codec.encode(torch.from_numpy(audio)), len(audio)).numpy()


@pytest.mark.parametrize("n_samples", [1, 319, 320, 321, 16001])
@pytest.mark.parametrize("name", NAMES)
def test_codes_and_length_are_as_declared(codecs, name, n_samples):
    codec, facts = codecs[name], reference_facts(name)
    codes = codec.encode(0.1 * torch.randn(n_samples, generator=torch.Generator().manual_seed(0)))
    assert codec.facts == facts
    assert facts.bitrate == int(name.removeprefix("lyra_"))
    assert codes.dtype == torch.int64
    assert codes.shape == (facts.n_codebooks, -(-n_samples // 320))
    assert 0 <= codes.min() <= codes.max() < facts.codebook_size
    decoded = codec.decode(codes, n_samples)
    assert decoded.shape == (n_samples,)
    assert decoded.dtype == torch.float32


def test_intelligibility_is_what_was_measured_elsewhere_and_rises_with_the_bitrate(codecs, speech):
    scores = {
        name: np.mean([stoi(audio, round_trip(codec, audio), 16000) for audio in speech])
        for name, codec in codecs.items()
    }
    assert scores == pytest.approx(STOI, abs=0.001)
    assert scores["lyra_3200"] < scores["lyra_6000"] < scores["lyra_9200"]


def test_the_decoded_signal_has_no_delay(codecs, speech):
    assert abs(delay(speech[0], round_trip(codecs["lyra_9200"], speech[0]), 16000).samples) <= 1


def test_a_lower_rate_sends_the_first_codes_of_a_higher(codecs, speech):
    audio = torch.from_numpy(speech[0][:16000])
    low, high = (codecs[name].encode(audio) for name in ("lyra_3200", "lyra_9200"))
    assert torch.equal(low, high[:16])


def test_it_streams_and_calls_do_not_depend_on_each_other(codecs, speech):
    codec, audio = codecs["lyra_6000"], torch.from_numpy(speech[0][:16000])
    codes = codec.encode(audio)
    decoded = codec.decode(codes, 16000)
    assert torch.equal(codec.encode(audio[:6400]), codes[:, :20])  # a frame depends on the past alone
    assert torch.equal(codec.decode(codes[:, :20], 6400), decoded[:6400])
    assert torch.equal(codec.encode(audio), codes)  # and every call begins anew
    assert torch.equal(codec.decode(codes, 16000), decoded)


def test_other_files_under_its_names_are_refused(tmp_path):
    (tmp_path / "lyra").mkdir()
    (tmp_path / "lyra" / "soundstream_encoder.tflite").write_bytes(b"TFL3")
    with pytest.raises(DownloadError, match="SHA-256 is"):
        load_reference_codec("lyra_3200", tmp_path, "cpu")


def test_offline_the_error_says_where_the_file_belongs(tmp_path, monkeypatch):
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(DownloadError, match=rf"47698dadf0.*put the file at {tmp_path}/lyra/soundstream_encoder"):
        load_reference_codec("lyra_3200", tmp_path, "cpu")


def test_without_litert_the_error_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(lyra, "find_spec", lambda name: None)
    with pytest.raises(CodecError, match="pip install ai-edge-litert"):
        load_reference_codec("lyra_3200", tmp_path, "cpu")
