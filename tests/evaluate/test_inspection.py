"""Whose recording a file is: low sample rates, and systems of which nothing is like anything."""

import numpy as np
import pytest

from codec_cliff.corpus.matching import UNKNOWN_SPEAKER
from codec_cliff.evaluate.inspection import inspect
from codec_cliff.evaluate.likeness import likeness, outline
from codec_cliff.evaluate.pairing import pair
from codec_cliff.metrics.waveform import resample
from codec_cliff.study.config import ORIGINAL
from tests.evaluate.folders import RATE, recording, save


@pytest.mark.parametrize("rate", [4000, 6000, 8000])
def test_a_recording_is_known_at_low_rates(rate):
    whole, low = recording(0), resample(recording(0), RATE, rate)
    assert likeness(outline(whole, RATE), outline(low, rate)) > 0.6
    assert likeness(outline(recording(4), RATE), outline(low, rate)) < 0.6


@pytest.mark.parametrize("rate", [1, 40])
def test_what_is_no_audio_has_an_outline_all_the_same(rate):
    assert outline(recording(0)[:100], rate).shape[0] == 8


def inspected(folder, n, decoded):
    files = {}
    for number in range(n):
        name = f"u{number}"
        save(folder / "originals" / f"{name}.wav", recording(4 * number))
        save(folder / "mine" / f"{name}.wav", decoded(number))
        files[name] = {ORIGINAL: folder / "originals" / f"{name}.wav", "mine": folder / "mine" / f"{name}.wav"}
    return inspect(files, 1)


def paired(found):
    speakers = dict.fromkeys(found, UNKNOWN_SPEAKER)
    return pair(found, ["mine"], speakers, {}, keep_mismatches=False)


def test_a_collapsed_codec_is_not_compared_without_end(tmp_path, monkeypatch):
    """The least alike come first; how many are left out is said."""

    def noise(number):
        white = np.random.default_rng(number).normal(size=len(recording(4 * number)))
        return (0.1 * white).astype(np.float32) if number < 5 else recording(20)

    found = inspected(tmp_path, 6, noise)
    monkeypatch.setattr("codec_cliff.evaluate.inspection.COMPARISONS", 3)
    recordings, problems = paired(found)
    (said,) = [problem for problem in problems if problem.kind == "not looked for"]
    assert (said.system, said.file) == ("mine", str(tmp_path / "mine"))
    assert said.problem.startswith("too many files are little like their originals: 4 of them were not looked for")
    assert len(recordings.decoded["mine"]) == 6


def test_files_under_the_names_of_others_are_found(tmp_path):
    found = inspected(tmp_path, 4, lambda number: recording(4 * (number ^ 1) if number < 2 else 4 * number))
    recordings, problems = paired(found)
    assert [problem.problem for problem in problems] == [
        "sounds like u1, not like the recording of its name",
        "sounds like u0, not like the recording of its name",
    ]
    assert list(recordings.decoded["mine"]) == ["u2", "u3"]
