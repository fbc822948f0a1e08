import io
import json

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

from codec_cliff.corpus.manifest import Utterance, write_manifest
from codec_cliff.errors import CorpusError
from codec_cliff.report.clips import Transcripts, codec_name, group, marked, outline
from codec_cliff.report.listening import envelope, opus, pick, write
from codec_cliff.statistics.results import Results
from codec_cliff.study.load import load_study
from tests.report.fixtures import demo_config


def utterance(name, seconds=3.0):
    return Utterance(name, "s", f"{name}.flac", int(16000 * seconds), 16000, "A B C D")


def test_the_middle_and_the_end_by_word_error_rate_whatever_the_manifests_order():
    utterances = [utterance(f"u{number}") for number in (3, 0, 6, 2, 5, 1, 4)]
    picks = pick(utterances, {f"u{n}": n for n in range(7)}, dict.fromkeys((f"u{n}" for n in range(7)), 10))
    assert [(chosen.utterance_id, chosen.why) for chosen in picks] == [
        ("u2", "median"), ("u3", "median"), ("u6", "worst"), ("u5", "worst"),
    ]  # fmt: skip


def test_long_short_and_wordless_utterances_are_not_picked():
    utterances = [utterance("long", 13), utterance("short", 1), utterance("empty"), utterance("fit")]
    picks = pick(
        utterances, dict.fromkeys(("long", "short", "empty", "fit"), 9), {"long": 9, "short": 9, "empty": 0, "fit": 9}
    )
    assert [chosen.utterance_id for chosen in picks] == ["fit"]


@pytest.mark.parametrize("sample_rate", [16000, 24000, 22050])
def test_opus_keeps_the_length_and_the_signal(sample_rate):
    time = np.arange(2 * sample_rate) / sample_rate
    audio = (0.4 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
    encoded = opus(audio, sample_rate)
    assert encoded[:4] == b"OggS"
    assert len(encoded) < 20_000
    with av.open(io.BytesIO(encoded)) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert abs(len(heard) / 48000 - 2) < 0.03
    spectrum = np.abs(np.fft.rfft(heard[4800:52800] * np.hanning(48000)))
    assert np.argmax(spectrum) == pytest.approx(440, abs=2)


def test_a_waveforms_outline_goes_along_the_top_and_back_along_the_bottom():
    box = envelope(np.tile([0.5, -0.25], 1000).astype(np.float32))
    assert set(map(tuple, box)) == {(-25, 50)}
    assert outline([[-25, 50], [-10, 5]]) == "M0,-50 1,-5 1,10 0,25Z"


def test_errors_are_marked_as_the_word_error_rate_counts_them():
    words = marked("the cat sat on the mat", "a cat sat the mat now")
    assert [(word.kind, word.said, word.heard) for word in words] == [
        ("replaced", "the", "a"), ("equal", "cat", "cat"), ("equal", "sat", "sat"), ("missed", "on", ""),
        ("equal", "the", "the"), ("equal", "mat", "mat"), ("added", "", "now"),
    ]  # fmt: skip
    assert [word.kind for word in marked("", "hm well")] == ["added", "added"]
    assert [word.kind for word in marked("one two", "")] == ["missed", "missed"]


@pytest.fixture
def results(tmp_path):
    random = np.random.default_rng(0)
    listed = [utterance(f"u{number}", 2) for number in range(3)]
    write_manifest(tmp_path / "data" / "test.tsv", listed)
    for codec, rate in (("original", 16000), ("mimi_8", 24000)):
        entries = []
        for row in listed:
            path = tmp_path / f"{codec}-{row.utterance_id}.flac"
            soundfile.write(path, 0.1 * random.standard_normal(2 * rate), rate, subtype="PCM_16")
            entries.append(Utterance(row.utterance_id, "s", str(path), 2 * rate, rate, row.transcript))
        write_manifest(tmp_path / "reconstruction" / codec / "manifest.tsv", entries)
        (tmp_path / "metrics" / codec).mkdir(parents=True)
        lines = [f"u{n},s,x,1,{n},4,a b" for n in range(3)]
        header = "utterance_id,speaker_id,backend,revision,errors,reference_words,hypothesis"
        (tmp_path / "metrics" / codec / "wer.csv").write_text("\n".join([header, *lines]) + "\n")
    return tmp_path


def test_every_pick_has_every_codecs_clip_and_picture(results):
    write(results, results / "listening", ["original", "mimi_8"], ["mimi_8"])
    listed = json.loads((results / "listening" / "listening.json").read_text())
    assert [entry["utterance_id"] for entry in listed["utterances"]] == ["u0", "u2", "u1"]
    for entry in listed["utterances"]:
        assert [clip["codec"] for clip in entry["clips"]] == ["original", "mimi_8"]
        for clip in entry["clips"]:
            assert clip["seconds"] == pytest.approx(2)
            assert (results / "listening" / clip["audio"]).stat().st_size > 1000
            with Image.open(results / "listening" / clip["picture"]) as image:
                assert image.size == (100, 80)


def test_without_words_there_is_nothing_to_rank(results):
    table = results / "metrics" / "mimi_8" / "wer.csv"
    table.write_text(table.read_text().replace(",4,", ",0,"))
    with pytest.raises(CorpusError, match="no utterance with words"):
        write(results, results / "listening", ["original"], ["mimi_8"])


@pytest.mark.parametrize(
    ("codec", "name", "heading"),
    [
        ("original", "Original recordings", "Original"),
        ("50hz", "50 Hz, both protocols", "Both protocols"),
        ("6.25hz-fixed-duration", "6.25 Hz, fixed duration", "Fixed duration"),
        ("6.25hz-fixed-duration-repaired", "6.25 Hz, fixed duration, repaired", "Repaired"),
        ("mimi_8", "Mimi (8 codebooks)", "Published codecs"),
        ("opus_12", "Opus, 12 kbps", "Published codecs"),
    ],
)
def test_codecs_are_named_and_grouped_as_a_reader_knows_them(codec, name, heading):
    study = load_study(demo_config())
    assert (codec_name(study, codec), group(study, codec)) == (name, heading)


def test_capitals_and_punctuation_are_no_errors(results):
    table = results / "metrics" / "mimi_8" / "wer.csv"
    table.write_text(table.read_text().replace("a b\n", '"A B, c. D?"\n'))
    entry = {"utterance_id": "u0", "transcript": "A B C D"}
    said, words = Transcripts(Results(results), "wer").words("mimi_8", entry)
    assert said == "0 of 4 words wrong"
    assert [word.kind for word in words] == ["equal"] * 4
