"""The way to UTMOS, over a stand-in that lies where torch.hub would have put the pinned code."""

import hashlib

import numpy as np
import pytest
import torch

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import MetricError
from codec_cliff.metrics.predictors.utmos22 import REPOSITORY, Utmos22Strong

HUBCONF = """
import torch

class Mean(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = torch.nn.Parameter(torch.zeros(1))

    def forward(self, wave, rate):
        assert rate == 16000 and wave.ndim == 2
        return wave.mean(1) * self.scale + 3

def utmos22_strong(progress=True, pretrained=True):
    assert not pretrained
    return Mean()
"""
SILENT = Utterance("u", "s", "u.flac", 16000, 16000, "")


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    folder = tmp_path / "torch_hub" / REPOSITORY.replace("/", "_").replace(":", "_")
    folder.mkdir(parents=True)
    (folder / "hubconf.py").write_text(HUBCONF)
    return tmp_path


def weights_file(folder):
    path = folder / "weights.pt"
    torch.save({"scale": torch.tensor([2.0])}, path)
    return path.as_uri(), hashlib.sha256(path.read_bytes()).hexdigest()


def test_pinned_code_and_checked_weights_give_a_score(hub):
    scorer = Utmos22Strong(str(hub), "cpu", *weights_file(hub))
    half = np.full(16000, 0.5, dtype=np.float32)
    assert scorer.score(SILENT, half, half) == {"utmos": 4.0}
    assert scorer.score(SILENT, half[:100], half[:100]) == {"utmos": None}


def test_other_weights_than_the_pinned_ones_are_refused(hub):
    weights, _ = weights_file(hub)
    with pytest.raises(MetricError, match="invalid hash value"):
        Utmos22Strong(str(hub), "cpu", weights, "0" * 64)
    assert not list((hub / "torch_hub" / "checkpoints").glob("*.pt"))


def test_unreachable_weights_name_the_remedy(hub):
    with pytest.raises(MetricError, match="dnsmos_p808"):
        Utmos22Strong(str(hub), "cpu", (hub / "nowhere.pt").as_uri())
