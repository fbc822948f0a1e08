"""Fixtures that several test files share: a legal configuration, a tiny run, and a small audio store."""

import os

import numpy as np
import pytest
import soundfile
import yaml

from codec_cliff.corpus.manifest import Utterance, write_manifest
from codec_cliff.corpus.store import AudioStore, open_store, write_store
from codec_cliff.study.config import Run
from codec_cliff.study.load import load_study
from tests.paths import ROOT

os.environ.pop("UV_COMPILE_BYTECODE", None)  # make sets it; environments that tests make serve a command or two


LONGEST_FIRST = ("slurm", "internet", "workflow", "test_docs.py", "training", "test_package.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of minutes begin first, so that no process is left alone with one at the end; within them nothing changes."""
    tests = ROOT / "tests"

    def rank(item: pytest.Item) -> int:
        first = item.path.relative_to(tests).parts[0]
        return LONGEST_FIRST.index(first) if first in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=rank)


@pytest.fixture
def paper_config() -> dict:
    """config.yaml as a fresh dict."""
    return yaml.safe_load((ROOT / "config.yaml").read_text())


def tiny_config() -> dict:
    """The paper's study at widths and lengths that train in seconds."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    config["protocols"] = {
        "fixed-duration": {"clip_seconds": 0.38, "batch_clips": 2},
        "fixed-tokens": {"clip_tokens": 19, "batch_seconds": 0.76},
    }
    config["controls"], config["probes"] = {}, {}
    config["model"] = {
        "encoder_dim": 4,
        "decoder_dim": 32,
        "n_codebooks": 2,
        "codebook_size": 16,
        "quantizer_dropout": 0.5,
    }
    config["discriminator"] = {"enabled": False}
    config["training"] = {"steps": 6, "learning_rate": 1e-3, "log_every_steps": 2, "device": "cpu"}
    return config


@pytest.fixture
def tiny_run() -> Run:
    return load_study(tiny_config()).runs["6.25hz-fixed-duration"]


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> AudioStore:
    """Five utterances of amplitude-modulated noise, one shorter than a clip of 0.38 s."""
    folder = tmp_path_factory.mktemp("store")
    random = np.random.default_rng(0)
    utterances = []
    for number, n_samples in enumerate([16000, 20001, 4000, 33333, 12345]):
        envelope = 1 + np.sin(2 * np.pi * 4 * np.arange(n_samples) / 16000)
        audio = (2000 * envelope * random.standard_normal(n_samples)).astype(np.int16)
        path = folder / f"u{number}.flac"
        soundfile.write(path, audio, 16000, subtype="PCM_16")
        utterances.append(Utterance(f"u{number}", f"s{number % 2}", str(path), n_samples, 16000, "HELLO"))
    write_manifest(folder / "train.tsv", utterances)
    write_store(folder / "train.tsv", folder / "train.npy")
    return open_store(folder / "train.tsv", folder / "train.npy")
