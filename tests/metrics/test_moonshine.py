"""The embedded recogniser: its vocabulary, its cap, where it looks for its weights, and how it hears real speech."""

import zipfile
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from codec_cliff.corpus.account import BadFiles
from codec_cliff.corpus.folder import read_folder
from codec_cliff.corpus.store import read_int16
from codec_cliff.corpus.transcripts import normalise
from codec_cliff.errors import MetricError
from codec_cliff.metrics.recognisers import moonshine
from codec_cliff.metrics.recognisers.vocabulary import read_vocabulary, spell
from codec_cliff.metrics.wer import BACKENDS, word_errors
from tests.paths import LIBRISPEECH

RATE = 16000


@pytest.fixture(scope="module")
def recogniser() -> moonshine.Moonshine:
    if moonshine.installed() is None:
        pytest.skip("moonshine-voice is not installed here")
    return moonshine.Moonshine(None)


def recordings(split: str, limit: int | None = None) -> list[tuple[str, np.ndarray]]:
    """Transcript and audio of a split's recordings, spread over the speakers where only some are asked for."""
    if not (LIBRISPEECH / split).is_dir():
        pytest.skip("no LibriSpeech beside the repository")
    found = read_folder(LIBRISPEECH, [split], RATE, BadFiles(skip=False), limit)
    return [(utterance.transcript, read_int16(utterance).astype(np.float32) / 32768) for utterance in found]


def test_the_vocabulary_reads_back_what_was_packed(tmp_path):
    tokens = [b"<s>", b"", b"\x80", "▁été".encode(), b"x" * 200, b"y" * 128]
    sizes = [
        bytes([len(token)]) if len(token) < 128 else bytes([128 + len(token) % 128, len(token) // 128])
        for token in tokens
    ]
    (tmp_path / "tokens").write_bytes(b"".join(size + token for size, token in zip(sizes, tokens, strict=True)))
    vocabulary = read_vocabulary(tmp_path / "tokens")
    assert vocabulary == tokens
    assert spell(vocabulary, [3, 3]) == "été été"
    assert normalise(spell(vocabulary, [3, 2])) == normalise("été")


def test_a_long_recording_is_cut_where_it_is_quiet():
    audio = np.random.default_rng(0).normal(size=70 * RATE).astype(np.float32)
    audio[25 * RATE : 25 * RATE + 1600] = 0
    found = moonshine.pieces(audio)
    np.testing.assert_array_equal(np.concatenate(found), audio)
    assert 25 * RATE <= len(found[0]) <= 25 * RATE + 1600
    assert all(len(piece) <= 30 * RATE for piece in found)
    assert [len(piece) for piece in moonshine.pieces(audio[: 30 * RATE])] == [30 * RATE]


def test_a_decoder_in_a_loop_is_stopped_at_six_and_a_half_tokens_a_second(recogniser, monkeypatch):
    word = recogniser.vocabulary.index("▁again".encode())
    monkeypatch.setattr(recogniser, "step", lambda *_, **__: word)
    assert recogniser.transcribe([np.zeros(2 * RATE, np.float32)]) == [" ".join(["again"] * 13)]


def test_silence_noise_and_next_to_nothing_are_transcribed(recogniser):
    noise = np.random.default_rng(0).normal(scale=0.1, size=2 * RATE).astype(np.float32)
    heard = recogniser.transcribe([np.zeros(2 * RATE, np.float32), noise, np.zeros(10, np.float32), noise[:1600]])
    assert heard[2] == ""
    assert all(len(normalise(text).split()) < 13 for text in heard)


@pytest.mark.parametrize(("split", "limit", "most"), [("test-clean", None, 5.9), ("dev-clean-5", 25, 7.8)])
def test_word_error_rate_on_real_speech(recogniser, split, limit, most):
    """At most what the wheel's own loop has over the splits; 3.3 % and, over all 50, 6.0 % were measured."""
    clips = recordings(split, limit)
    heard = recogniser.transcribe([audio for _, audio in clips])
    errors = sum(word_errors(normalise(said), normalise(text))[0] for (said, _), text in zip(clips, heard, strict=True))
    assert 100 * errors / sum(len(normalise(said).split()) for said, _ in clips) <= most


def test_words_do_not_depend_on_the_other_recordings(recogniser):
    clips = [audio for _, audio in recordings("test-clean", 3)]
    assert recogniser.transcribe(clips[::-1])[::-1] == [recogniser.transcribe([audio])[0] for audio in clips]


def test_without_the_wheel_the_message_says_what_to_do_and_the_unpacked_wheel_serves(recogniser, tmp_path, monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    folder = moonshine.installed()
    monkeypatch.setattr(moonshine, "distribution", absent)
    with pytest.raises(MetricError, match=r"uv sync --group recogniser.*glibc.*pip download.*zipfile -e.*mms_1b_all"):
        BACKENDS["moonshine_tiny"]([], str(tmp_path), "cpu")
    with zipfile.ZipFile(tmp_path / "wheel.whl", "w") as wheel:
        for name in moonshine.SHA256:
            wheel.write(folder / name, moonshine.FOLDER / name)
    zipfile.main(["-e", str(tmp_path / "wheel.whl"), str(tmp_path)])
    assert moonshine.weights(tmp_path) == tmp_path / moonshine.FOLDER
    (tmp_path / moonshine.FOLDER / moonshine.TOKENS).write_bytes(b"other")
    with pytest.raises(MetricError, match=r"tokenizer\.bin: not moonshine-voice 0\.0\.49's; run"):
        moonshine.weights(tmp_path)
