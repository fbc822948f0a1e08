"""Reconstruction: the original's duration to the sample, codes with offsets, and the originals bit for bit."""

import json

import numpy as np
import pytest
import soundfile
import torch

from codec_cliff.corpus.decoded import DecodedFiles
from codec_cliff.corpus.manifest import read_manifest
from codec_cliff.device import choose_device
from codec_cliff.errors import CodecError
from codec_cliff.models.codec import CodecFacts, fit_length
from codec_cliff.reconstruction import load_codec, reconstruct, write_reconstructions
from codec_cliff.study.config import ORIGINAL
from codec_cliff.training.loop import train


class Identity:
    """A codec at a rate of its own whose codes are the samples."""

    def __init__(self, sample_rate: int):
        self.facts = CodecFacts(sample_rate, float(sample_rate), 0, 0, 0.0)

    def encode(self, audio):
        return [audio]

    def decode(self, codes, n_samples):
        return fit_length(codes[0], n_samples)


@pytest.mark.parametrize("n_samples", [1, 2, 999, 16000])
def test_another_rate_keeps_the_duration_to_the_sample(n_samples):
    audio, _ = reconstruct(Identity(24000), torch.zeros(n_samples), 16000)
    assert audio.shape == (-(-n_samples * 24000 // 16000),)


def test_what_is_measured_is_computed_in_float32():
    with torch.backends.cudnn.flags(allow_tf32=True):
        torch.backends.cuda.matmul.allow_tf32 = True
        choose_device("auto")
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32


def test_originals_are_bit_exact(store, tmp_path):
    write_reconstructions(ORIGINAL, None, store, tmp_path, "cpu")
    for index, utterance in enumerate(read_manifest(tmp_path / "manifest.tsv")):
        audio, _ = soundfile.read(utterance.path, dtype="float32")
        np.testing.assert_array_equal(audio, store.audio(index))
    assert json.loads((tmp_path / "codec.json").read_text())["bitrate"] is None


class Gain(Identity):
    """What was heard, louder, or nothing at all of it."""

    def __init__(self, factor: float):
        super().__init__(16000)
        self.factor = factor

    def decode(self, codes, n_samples):
        return self.factor * codes[0]


@pytest.mark.parametrize(("factor", "what"), [(0, "silent"), (100, "clipped")])
def test_silent_and_clipped_reconstructions_are_counted_and_named(store, tmp_path, capsys, factor, what):
    write_reconstructions("x", Gain(factor), store, tmp_path, "cpu")
    assert json.loads((tmp_path / "codec.json").read_text())[f"{what}_utterances"] == len(store.utterances)
    assert f"x: 5 {what} utterances: u0, u1" in capsys.readouterr().out


def decoded_by_somebody(folder, store, change=lambda audio: audio):
    for index, utterance in enumerate(store.utterances):
        path = folder / "wavs" / f"{utterance.utterance_id}_out.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.repeat(change(store.audio(index)), 2), 32000, subtype="FLOAT")
    return folder


def test_a_folder_of_somebodys_reconstructions_is_a_codec(store, tmp_path):
    folder = decoded_by_somebody(tmp_path / "theirs", store, lambda audio: audio[:-7] / 2)
    write_reconstructions("theirs", DecodedFiles(folder, store.utterances), store, tmp_path / "out", "cpu")
    for index, utterance in enumerate(read_manifest(tmp_path / "out" / "manifest.tsv")):
        audio, rate = soundfile.read(utterance.path, dtype="float32")
        assert (rate, len(audio)) == (32000, 2 * store.utterances[index].n_samples)
        np.testing.assert_allclose(audio[::2][:-7], store.audio(index)[:-7] / 2, atol=2**-15)
    facts = json.loads((tmp_path / "out" / "codec.json").read_text())
    assert (facts["sample_rate"], facts["bitrate"]) == (32000, None)
    assert not (tmp_path / "out" / "codes.npz").exists()


def test_a_folder_that_lacks_a_recording_or_holds_another_is_no_row_of_a_study(store, tmp_path):
    folder = decoded_by_somebody(tmp_path / "theirs", store)
    soundfile.write(folder / "wavs" / "u1_out.wav", np.zeros(3 * 16000), 16000)
    with pytest.raises(CodecError, match=r"u1_out\.wav: is 3\.00 s long, the original 1\.25 s"):
        DecodedFiles(folder, store.utterances).audio(store.utterances[1])
    (folder / "wavs" / "u1_out.wav").unlink()
    with pytest.raises(CodecError, match=r"no file, or several, of 1 of 5 recordings \(u1\)"):
        DecodedFiles(folder, store.utterances)


def test_a_trained_codec_end_to_end(tiny_run, store, tmp_path):
    class Never:
        reason = None

    train(tiny_run, store, tmp_path / "run", Never())
    codec = load_codec(tiny_run.codec, tmp_path / "run", tmp_path / "cache", "cpu")
    write_reconstructions(tiny_run.codec, codec, store, tmp_path / "out", "cpu")
    decoded = read_manifest(tmp_path / "out" / "manifest.tsv")
    assert [(u.utterance_id, u.n_samples) for u in decoded] == [(u.utterance_id, u.n_samples) for u in store.utterances]
    with np.load(tmp_path / "out" / "codes.npz") as file:
        assert file["codes"].shape == (2, file["offsets"][-1])
        assert np.diff(file["offsets"]).tolist() == [-(-u.n_samples // 2560) for u in store.utterances]
        assert file["codes"].max() < 16


def test_nan_is_an_error_and_no_file(store, tmp_path):
    class Broken(Identity):
        def decode(self, codes, n_samples):
            return torch.full((n_samples,), torch.nan)

    with pytest.raises(CodecError, match="NaN or infinity"):
        write_reconstructions("broken", Broken(16000), store, tmp_path, "cpu")
    assert not (tmp_path / "manifest.tsv").exists()
