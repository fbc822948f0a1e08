"""UTMOS through the package's own network, randomly initialised and saved as the hub keeps it."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from utmos_pytorch.utmos_torch import UTMOSModel

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import DownloadError, MetricError
from codec_cliff.metrics.predictors.utmos22 import WEIGHTS, PaddedUtmos22Strong, Utmos22Strong
from codec_cliff.metrics.scorer import Reference

NAME = WEIGHTS.names[0]
SPOKEN = Utterance("u", "s", "u.flac", 16000, 16000, "")


def save(state: dict, cache: Path) -> Path:
    path = cache / "huggingface" / f"models--{WEIGHTS.key}" / "snapshots" / WEIGHTS.commit / NAME
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    return path


@pytest.fixture(scope="module")
def network() -> UTMOSModel:
    torch.manual_seed(0)
    return UTMOSModel().eval()


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def test_checked_weights_give_the_networks_score(network, tmp_path, offline):
    path = save(network.state_dict(), tmp_path)
    pinned = replace(WEIGHTS, sha256={NAME: hashlib.sha256(path.read_bytes()).hexdigest()})
    scorer = Utmos22Strong(str(tmp_path), "cpu", pinned)
    audio = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    heard = Reference(audio, {})
    with torch.inference_mode():  # the original's own arithmetic: domain 0, judge 288, 2 y + 3
        frames = network(torch.from_numpy(audio)[None, None], torch.zeros(1, dtype=torch.int), torch.full((1,), 288))
    assert scorer.score(SPOKEN, heard, audio)["utmos"] == pytest.approx(frames.mean().item() * 2 + 3, abs=1e-4)
    assert scorer.score(SPOKEN, heard, audio[:100]) == {"utmos": None}
    with pytest.raises(DownloadError, match=r"SHA-256 is .* published is"):
        Utmos22Strong(str(tmp_path), "cpu", WEIGHTS)


def test_padded_fours_score_the_padding_too_and_say_so(network, tmp_path, offline):
    save(network.state_dict(), tmp_path)
    pinned = replace(WEIGHTS, sha256={})
    alone, padded = Utmos22Strong(str(tmp_path), "cpu", pinned), PaddedUtmos22Strong(str(tmp_path), "cpu", pinned)
    long = np.random.default_rng(0).normal(0, 0.1, 16000).astype(np.float32)
    short, heard = long[:8000], Reference(long, {})
    behind = np.concatenate([short, np.zeros(8000, np.float32)])
    together = padded.score_batch([(SPOKEN, heard, long), (SPOKEN, heard, short)])
    expected = [alone.score(SPOKEN, heard, audio)["utmos"] for audio in (long, behind)]
    assert [row["utmos"] for row in together] == pytest.approx(expected, abs=1e-6)
    assert padded.backend == alone.backend
    assert padded.revision == f"{alone.revision}, zero-padded in fours"
    assert padded.batch_utterances == 4


def test_a_file_that_lacks_weights_is_refused(network, tmp_path, offline):
    state = {name: value for name, value in network.state_dict().items() if "judge_embedding" not in name}
    save(state, tmp_path)
    with pytest.raises(
        MetricError, match=r"lacks 1 of the network's weights, output_layers\.0\.judge_embedding\.weight"
    ):
        Utmos22Strong(str(tmp_path), "cpu", replace(WEIGHTS, sha256={}))


def test_unreachable_weights_name_the_file_and_the_remedy(tmp_path, offline):
    with pytest.raises(
        DownloadError, match=r"utmos_state_dict\.pt of the Hugging Face repository Blinorot/UTMOS-PyTorch"
    ):
        Utmos22Strong(str(tmp_path), "cpu")
