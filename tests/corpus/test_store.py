"""The audio store holds the files bit by bit, and a training clip is a function of its arguments alone."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from codec_cliff.corpus.account import BadFiles
from codec_cliff.corpus.folder import read_folder
from codec_cliff.corpus.manifest import Utterance, write_manifest
from codec_cliff.corpus.store import (
    INT16_SCALE,
    AudioStore,
    crop,
    cut,
    decode_into_store,
    open_store,
    read_int16,
    write_store,
)
from codec_cliff.errors import CorpusError
from tests.paths import LIBRISPEECH

RATE = 16000


def utterance(path: Path, audio: np.ndarray, subtype: str = "PCM_16") -> Utterance:
    soundfile.write(path, audio, RATE, subtype=subtype)
    return Utterance(path.stem, "speaker", str(path), len(audio), RATE, "WORDS")


def make_store(lengths: list[int]) -> AudioStore:
    """Utterance i's samples count upwards from 1 + 1000 i, so that a clip tells where it was cut."""
    utterances = [Utterance(f"u{number}", "s", "", n, RATE, "X") for number, n in enumerate(lengths)]
    samples = np.concatenate([1 + 1000 * number + np.arange(n) for number, n in enumerate(lengths)]).astype(np.int16)
    return AudioStore(utterances, samples, np.concatenate([[0], np.cumsum(lengths)]))


@pytest.fixture
def written(tmp_path):
    rng = np.random.default_rng(0)
    audio = [rng.integers(-32768, 32768, n).astype(np.int16) for n in (1, 700, 1601)]
    utterances = [utterance(tmp_path / f"u{number}.flac", samples) for number, samples in enumerate(audio)]
    write_manifest(tmp_path / "m.tsv", decode_into_store(tmp_path / "m.npy", utterances, BadFiles(skip=False)))
    return tmp_path, utterances, audio


def test_the_store_is_bit_exact(written):
    folder, utterances, audio = written
    store = open_store(folder / "m.tsv", folder / "m.npy")
    assert store.utterances == utterances
    assert np.array_equal(store.samples, np.concatenate(audio))
    for number, samples in enumerate(audio):
        assert np.array_equal(store.audio(number) * INT16_SCALE, samples)
        assert np.array_equal(read_int16(utterances[number]), samples)
    assert store.audio(1).dtype == np.float32
    assert store.seconds == pytest.approx(2302 / RATE)


def test_a_store_can_be_written_again_from_its_manifest(written):
    folder, utterances, _ = written
    write_store(folder / "m.tsv", folder / "again.npy")
    assert (folder / "again.npy").read_bytes() == (folder / "m.npy").read_bytes()
    Path(utterances[1].path).unlink()
    with pytest.raises(CorpusError, match=r"u1\.flac: cannot be decoded"):
        write_store(folder / "m.tsv", folder / "again.npy")


def test_a_store_that_does_not_fit_its_manifest_is_refused(written):
    folder, utterances, _ = written
    write_manifest(folder / "other.tsv", utterances[:2])
    with pytest.raises(CorpusError, match=r"m\.npy.*\(2302,\)"):
        open_store(folder / "other.tsv", folder / "m.npy")


def test_read_int16_refuses_what_the_manifest_does_not_say(written):
    _, utterances, _ = written
    wrong = Utterance("u1", "s", utterances[1].path, 701, RATE, "X")
    with pytest.raises(CorpusError, match=r"u1\.flac.*\(700,\).*\(701,\)"):
        read_int16(wrong)
    gone = Utterance("u9", "s", utterances[1].path + ".gone", 701, RATE, "X")
    with pytest.raises(CorpusError, match="cannot be decoded"):
        read_int16(gone)


def test_a_store_of_nothing_is_an_error(tmp_path, written):
    _, utterances, _ = written
    Path(utterances[0].path).write_bytes(b"")
    with pytest.raises(CorpusError, match="no file of the split decodes"):
        decode_into_store(tmp_path / "none.npy", utterances[:1], BadFiles(skip=True))
    with pytest.raises(CorpusError, match="no file of the split decodes"):
        decode_into_store(tmp_path / "none.npy", [], BadFiles(skip=True))
    assert not (tmp_path / "none.npy").exists()


def test_float_files_are_scaled_and_24_bit_files_keep_their_upper_bits(tmp_path):
    samples = np.array([-32768, -1, 0, 1, 12345, 32767], dtype=np.int16)
    floats = samples / INT16_SCALE
    assert np.array_equal(read_int16(utterance(tmp_path / "f.wav", floats, "FLOAT")), samples)
    assert np.array_equal(read_int16(utterance(tmp_path / "d.wav", floats, "DOUBLE")), samples)
    assert np.array_equal(read_int16(utterance(tmp_path / "24.wav", floats, "PCM_24")), samples)
    loud = utterance(tmp_path / "loud.wav", np.array([1.5, -1.5]), "FLOAT")
    assert read_int16(loud).tolist() == [32767, -32768]


def test_real_speech_survives_the_store(tmp_path):
    if not LIBRISPEECH.is_dir():
        pytest.skip(f"no LibriSpeech under {LIBRISPEECH}")
    utterances = read_folder(LIBRISPEECH, ["test-clean"], RATE, BadFiles(skip=False), max_utterances=4)
    write_manifest(tmp_path / "m.tsv", decode_into_store(tmp_path / "m.npy", utterances, BadFiles(skip=False)))
    store = open_store(tmp_path / "m.tsv", tmp_path / "m.npy")
    for number, each in enumerate(utterances):
        assert np.array_equal(store.audio(number), soundfile.read(each.path, dtype="float32")[0])


def test_a_crop_depends_on_its_arguments_alone():
    store = make_store([400, 900, 650, 777])
    numbers = [5, 0, 17, 4, 5, 11]
    first = [crop(store, 3, number, 100) for number in numbers]
    assert [crop(store, 3, number, 100) for number in reversed(numbers)] == first[::-1]
    assert [crop(make_store([400, 900, 650, 777]), 3, number, 100) for number in numbers] == first
    assert [crop(store, 4, number, 100) for number in numbers] != first


def test_each_utterance_is_drawn_once_an_epoch_in_another_order():
    store = make_store([300] * 20)
    epochs = [[crop(store, 0, 20 * epoch + number, 100).index for number in range(20)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_every_clip_length_hears_the_same_utterances_at_the_same_relative_position():
    store = make_store([8000, 9000, 7000])
    for number in range(30):
        short, long = crop(store, 1, number, 10), crop(store, 1, number, 1000)
        assert short.index == long.index
        n_samples = store.utterances[short.index].n_samples
        assert short.start / (n_samples - 10) == pytest.approx(long.start / (n_samples - 1000), abs=1e-3)


def test_positions_cover_the_utterance_and_stay_inside():
    store = make_store([110])
    starts = [crop(store, 0, number, 100).start for number in range(300)]
    assert set(starts) == set(range(11))


def test_a_batch_holds_the_crops_it_names():
    store = make_store([400, 900, 650])
    crops = [crop(store, 2, 28 + number, 50) for number in range(4)]
    audio = cut(store, crops, 50)
    assert audio.dtype == np.float32
    for row, clip in zip(audio, crops, strict=True):
        expected = 1 + 1000 * clip.index + clip.start + np.arange(50)
        assert np.array_equal(row * INT16_SCALE, expected)
    assert crops == [crop(store, 2, 28 + number, 50) for number in range(4)]


def test_short_utterances_are_padded_with_zeros_on_the_right():
    store = make_store([30])
    crops = [crop(store, 0, 0, 50)]
    audio = cut(store, crops, 50)
    assert (crops[0].start, crops[0].length) == (0, 30)
    assert np.array_equal(audio[0, :30] * INT16_SCALE, np.arange(1, 31))
    assert not audio[0, 30:].any()
