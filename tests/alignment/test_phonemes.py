"""Phonemes per frame: identities, and a TextGrid counted by hand."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from codec_cliff.alignment import AlignmentError
from codec_cliff.alignment.index import Aligned, write_index
from codec_cliff.alignment.phonemes import count, main, n_frames, rows
from codec_cliff.alignment.textgrid import Interval, write_textgrid
from codec_cliff.corpus.manifest import Utterance, write_manifest

# One second at 4 Hz, frames of 0.25 s:     |  S E SIL  |  SIL K  |  K AE AE T  |  T SIL  |
BY_HAND = [
    Interval("S", 0.0, 0.10),
    Interval("EH1", 0.10, 0.20),
    Interval("", 0.20, 0.30),
    Interval("K", 0.30, 0.55),
    Interval("AE0", 0.55, 0.60),
    Interval("AE1", 0.60, 0.65),
    Interval("T", 0.65, 0.90),
    Interval("", 0.90, 1.0),
]
SECOND = Utterance("u", "s", "u.flac", 16000, 16000, "")


def row(intervals, frame_rate: float, utterance: Utterance = SECOND) -> dict:
    return rows(utterance, intervals, [frame_rate])[0]


@pytest.fixture(params=range(3))
def speech(request) -> list[Interval]:
    """Thirteen seconds of phones and pauses of random length, on a grid of 10 ms."""
    rng = np.random.default_rng(request.param)
    edges = np.concatenate([[0], np.cumsum(rng.integers(2, 25, size=200) / 100)])
    labels = rng.choice(["", "AA1", "AA0", "B", "IY2", "S"], size=200)
    spans = zip(labels, edges, edges[1:], strict=False)
    return [Interval(label, start, end) for label, start, end in spans if end <= 13.0]


LONG = replace(SECOND, n_samples=13 * 16000)


def test_counted_by_hand():
    counted = row(BY_HAND, 4)
    assert counted["n_frames"] == 4
    assert (counted["phones"], counted["phones_with_silence"], counted["unknown"]) == (6, 8, 0)
    assert (counted["seconds"], counted["speech_seconds"]) == (1.0, 0.8)
    assert (counted["overlapping"], counted["overlapping_with_silence"]) == (2 + 1 + 4 + 1, 3 + 2 + 4 + 2)
    assert (counted["distinct"], counted["distinct_with_silence"]) == (2 + 1 + 3 + 1, 3 + 2 + 3 + 2)
    assert [counted[f"frames_with_{number}"] for number in range(6)] == [0, 2, 1, 0, 1, 0]


def test_a_frame_as_long_as_the_file_holds_all_its_phones(speech):
    counted = row(speech, 1 / 13, LONG)
    assert counted["n_frames"] == 1
    assert counted["overlapping"] == counted["phones"]
    assert counted["overlapping_with_silence"] == counted["phones_with_silence"]
    assert counted["distinct"] == 4  # AA, B, IY, S: stress does not count


@pytest.mark.parametrize("frame_rate", [100, 50, 12.5, 6.25, 3.125, 1.6])
def test_identities(speech, frame_rate):
    counted, halved = row(speech, frame_rate, LONG), row(speech, frame_rate / 2, LONG)
    assert counted["overlapping"] >= counted["phones"]
    assert counted["distinct"] <= counted["overlapping"]
    assert counted["distinct_with_silence"] <= counted["overlapping_with_silence"]
    assert counted["overlapping"] <= counted["overlapping_with_silence"]
    assert halved["overlapping"] / halved["n_frames"] >= counted["overlapping"] / counted["n_frames"]
    assert sum(counted[f"frames_with_{number}"] for number in range(16)) == counted["n_frames"]
    below_last = sum(number * counted[f"frames_with_{number}"] for number in range(15))
    assert below_last + 15 * counted["frames_with_15"] <= counted["overlapping"]
    assert counted["frames_with_15"] or below_last == counted["overlapping"]


def test_phones_are_never_counted_twice_where_their_edges_are_frame_edges():
    phones = [Interval("A", number / 100, (number + 1) / 100) for number in range(1300)]
    for frame_rate in (100, 50, 25, 12.5, 6.25):
        assert count(phones, 13.0, frame_rate).overlapping.sum() == 1300


@pytest.mark.parametrize(
    ("seconds", "frame_rate", "frames"), [(1, 12.5, 13), (0.16, 6.25, 1), (0.161, 6.25, 2), (0.01, 1.6, 1)]
)
def test_the_last_partial_frame_counts(seconds, frame_rate, frames):
    assert n_frames(seconds, frame_rate) == frames


def test_silence_and_unknown_speech():
    assert row([Interval("", 0, 1)], 10)["frames_with_0"] == 10
    counted = row([Interval("", 0, 0.5), Interval("spn", 0.5, 1)], 10)
    assert (counted["unknown"], counted["phones"], counted["phones_with_silence"]) == (1, 0, 1)
    assert (counted["overlapping"], counted["overlapping_with_silence"], counted["speech_seconds"]) == (0, 5, 0)
    assert row([], 10)["frames_with_0"] == 10


def test_more_than_fifteen_phones_share_the_last_column():
    phones = [Interval(f"P{number}", number / 20, (number + 1) / 20) for number in range(20)]
    assert row(phones, 1)["frames_with_15"] == 1
    assert row(phones, 1)["overlapping"] == 20


def test_the_command_writes_a_row_for_every_aligned_utterance_and_rate(tmp_path):
    write_manifest(tmp_path / "test.tsv", [SECOND, replace(SECOND, utterance_id="left-out")])
    write_textgrid(tmp_path / "u.TextGrid", [], BY_HAND, 1.0)
    entries = [Aligned("u", "s", str(tmp_path / "u.TextGrid"), 6, ""), Aligned("left-out", "s", "", 0, "why")]
    write_index(tmp_path / "index.tsv", entries)
    arguments = f"--index {tmp_path}/index.tsv --manifest {tmp_path}/test.tsv --output {tmp_path}/out.csv"
    main([*arguments.split(), "--frame-rates", "4", "6.25"])
    first, second = csv.DictReader((tmp_path / "out.csv").open())
    assert (first["utterance_id"], first["frame_rate"], second["frame_rate"]) == ("u", "4", "6.25")
    assert {name: int(first[name]) for name in ("n_frames", "phones", "overlapping", "distinct")} == {
        "n_frames": 4, "phones": 6, "overlapping": 8, "distinct": 7,
    }  # fmt: skip


def test_an_index_of_another_manifest_is_refused(tmp_path):
    write_manifest(tmp_path / "test.tsv", [SECOND])
    write_index(tmp_path / "index.tsv", [Aligned("v", "s", "v.TextGrid", 6, "")])
    arguments = f"--index {tmp_path}/index.tsv --manifest {tmp_path}/test.tsv --output {tmp_path}/out.csv"
    with pytest.raises(AlignmentError, match="not the utterances"):
        main([*arguments.split(), "--frame-rates", "4"])
