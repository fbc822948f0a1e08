"""ESPnet-SPK on WavLM: the way in, and, in its environment, a small random model in ESPnet's own file formats."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import MetricError
from codec_cliff.metrics.scorer import Reference
from codec_cliff.metrics.speakers import espnet
from codec_cliff.metrics.spk_sim import BACKENDS
from tests.internet import stacks

PUBLISHED = {
    "frontend": "s3prl",
    "frontend_conf": {"frontend_conf": {"upstream": "wavlm_large"}, "download_dir": "./hub"},
}


def test_outside_its_environment_the_error_names_it(monkeypatch):
    monkeypatch.setattr(espnet, "find_spec", lambda name: None)
    with pytest.raises(MetricError, match=r"envs/espnet\.yaml.*resemblyzer"):
        BACKENDS["espnet_wavlm"]([], None, "cpu")


def test_the_front_end_is_built_from_a_file_and_asks_no_network():
    offline = espnet.without_downloads(PUBLISHED, Path("/cache/wavlm_large.pt"))
    assert offline["frontend_conf"] == {
        "frontend_conf": {"upstream": "wavlm_local", "path_or_url": "/cache/wavlm_large.pt"}
    }
    assert PUBLISHED["frontend_conf"]["download_dir"] == "./hub"


def test_what_espnet_imports_for_text_fetches_no_corpora(monkeypatch):
    asked = []
    nltk = SimpleNamespace(download=asked.append)
    monkeypatch.setitem(sys.modules, "nltk", nltk)
    with espnet.no_corpora():
        nltk.download("cmudict")
    assert asked == []
    nltk.download("cmudict")
    assert asked == ["cmudict"]


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> tuple[Path, Path, Path]:
    """Configuration, weights and WavLM of the published model's classes, small and random."""
    pytest.importorskip("espnet2", reason="this is not the environment envs/espnet.yaml")
    pytest.importorskip("s3prl", reason="this is not the environment envs/espnet.yaml")
    folder = tmp_path_factory.mktemp("espnet")
    stacks.espnet_wavlm(folder)
    return *(folder / espnet.FILES.repository / name for name in espnet.FILES.names), (
        folder / espnet.UPSTREAM.repository / espnet.UPSTREAM.names[0]
    )


def test_a_small_random_model_embeds_speech(small):
    scorer = espnet.EspnetWavlm(None, "cpu", small)
    audio = np.random.default_rng(0).normal(scale=0.1, size=(2, 24000)).astype(np.float32)
    embedding = scorer.embed(audio[0])
    assert embedding.shape == (192,)
    assert np.linalg.norm(embedding) == pytest.approx(1, abs=1e-5)
    utterance = Utterance("u", "s", "u.flac", 24000, 16000, "")
    reference = Reference(audio[0], scorer.reference(utterance, audio[0]))
    assert scorer.score(utterance, reference, audio[0])["spk_sim"] == pytest.approx(1, abs=1e-5)
    assert scorer.score(utterance, reference, audio[1])["spk_sim"] < 0.99999
