"""The way to UTMOS, over a stand-in that lies where the pinned code is checked out."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import DownloadError
from codec_cliff.metrics.predictors.utmos22 import SOURCE, Utmos22Strong
from codec_cliff.metrics.scorer import Reference
from codec_cliff.pins import Release

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
def cache(tmp_path, monkeypatch):
    """A cache that already holds the pinned code."""
    folder = tmp_path / "sources" / f"SpeechMOS@{SOURCE.commit}"
    folder.mkdir(parents=True)
    (folder / "hubconf.py").write_text(HUBCONF)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


def weights_file(folder) -> Release:
    path = folder / "weights.pt"
    torch.save({"scale": torch.tensor([2.0])}, path)
    return Release("https://example.org/weights.pt", "weights.pt", hashlib.sha256(path.read_bytes()).hexdigest())


def test_pinned_code_and_checked_weights_give_a_score(cache):
    scorer = Utmos22Strong(str(cache), "cpu", weights_file(cache))
    half = np.full(16000, 0.5, dtype=np.float32)
    nothing = Reference(half, {})
    assert scorer.score(SILENT, nothing, half) == {"utmos": 4.0}
    assert scorer.score(SILENT, nothing, half[:100]) == {"utmos": None}


def test_other_weights_than_the_pinned_ones_are_refused(cache):
    with pytest.raises(DownloadError, match=r"SHA-256 is .* published is 0000"):
        Utmos22Strong(str(cache), "cpu", replace(weights_file(cache), sha256="0" * 64))


def test_unreachable_weights_name_the_file_and_the_remedy(cache):
    with pytest.raises(DownloadError, match=r"HF_HUB_OFFLINE is set; put the file at .*utmos22_strong"):
        Utmos22Strong(str(cache), "cpu")
