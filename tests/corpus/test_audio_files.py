import numpy as np
import pytest
import soundfile

from codec_cliff.corpus.audio_files import audio_files, read_audio
from codec_cliff.errors import CorpusError

RATE = 16000
TONE = (0.4 * np.sin(2 * np.pi * 300 * np.arange(RATE) / RATE)).astype(np.float32)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.opus"])
def test_every_format_gives_the_same_sound_at_the_same_length(tmp_path, name):
    options = {"format": "OGG", "subtype": "OPUS"} if name.endswith("opus") else {}
    soundfile.write(tmp_path / name, np.stack([TONE, TONE], axis=1), RATE, **options)
    audio, rate = read_audio(tmp_path / name)
    assert (rate, audio.shape) == (RATE, TONE.shape)
    assert np.corrcoef(audio[2000:-2000], TONE[2000:-2000])[0, 1] > 0.99


def test_channels_that_differ_are_no_mono_speech(tmp_path):
    soundfile.write(tmp_path / "two.wav", np.stack([TONE, 0.9 * TONE], axis=1), RATE)
    with pytest.raises(CorpusError, match="2 channels that differ"):
        read_audio(tmp_path / "two.wav")


def test_what_is_no_audio_is_named(tmp_path):
    (tmp_path / "text.wav").write_text("hello")
    soundfile.write(tmp_path / "empty.wav", TONE[:0], RATE)
    for name, fault in (("text", "cannot be decoded"), ("empty", "no samples"), ("missing", "cannot be decoded")):
        with pytest.raises(CorpusError, match=rf"{name}\.wav.*{fault}"):
            read_audio(tmp_path / f"{name}.wav")


def test_files_are_found_in_any_folder_but_not_the_hidden_ones(tmp_path):
    (tmp_path / "b" / "c").mkdir(parents=True)
    for name in ("b/c/1.WAV", "a.mp3", "b/.hidden.wav", "b/notes.txt"):
        (tmp_path / name).touch()
    assert [str(path.relative_to(tmp_path)) for path in audio_files(tmp_path)] == ["a.mp3", "b/c/1.WAV"]
