"""ESPnet-SPK on WavLM: the way in, and, in its environment, a small random model in ESPnet's own file formats."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import MetricError
from codec_cliff.metrics.scorer import Reference
from codec_cliff.metrics.speakers import espnet
from codec_cliff.metrics.spk_sim import BACKENDS

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


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> tuple[Path, Path, Path]:
    """Configuration, weights and WavLM of the published model's classes, small and random."""
    pytest.importorskip("espnet2", reason="this is not the environment envs/espnet.yaml")
    pytest.importorskip("s3prl", reason="this is not the environment envs/espnet.yaml")
    import torch
    from espnet2.tasks.spk import SpeakerTask
    from s3prl.upstream.wavlm.WavLM import WavLM, WavLMConfig

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("espnet")
    shape = {"encoder_layers": 2, "encoder_embed_dim": 32, "encoder_ffn_embed_dim": 32, "encoder_attention_heads": 2}
    shape |= {
        "conv_feature_layers": "[(16,10,5)] + [(16,3,2)] * 4 + [(16,2,2)] * 2",
        "relative_position_embedding": True,
    }
    config = WavLMConfig(
        shape | {"num_buckets": 32, "max_distance": 80, "normalize": True, "extractor_mode": "layer_norm"}
    )
    torch.save({"cfg": config.__dict__, "model": WavLM(config).state_dict()}, folder / "wavlm.pt")
    parts = {
        "frontend": "s3prl",
        "frontend_conf": {
            "frontend_conf": {"upstream": "wavlm_large"},
            "download_dir": "./hub",
            "multilayer_feature": True,
        },
        "normalize": "utterance_mvn",
        "normalize_conf": {"norm_vars": False},
        "encoder": "ska_tdnn",
        "encoder_conf": {"model_scale": 2, "ndim": 8, "ska_dim": 4, "output_size": 24},
        "pooling": "chn_attn_stat",
        "projector": "ska_tdnn",
        "projector_conf": {"output_size": 192},
        "loss": "aamsoftmax_sc_topk",
        "loss_conf": {"margin": 0.3, "scale": 30, "K": 3, "mp": 0.06, "k_top": 5},
        "spk_num": 4,
    }
    arguments = ["--output_dir", str(folder), "--spk_num", "4", "--use_preprocessor", "false"]
    (folder / "parts.yaml").write_text(yaml.safe_dump(espnet.without_downloads(parts, folder / "wavlm.pt")))
    options = SpeakerTask.get_parser().parse_args([*arguments, "--config", str(folder / "parts.yaml")])
    torch.save(SpeakerTask.build_model(options).state_dict(), folder / "16epoch.pth")
    (folder / "config.yaml").write_text(yaml.safe_dump({**vars(options), **parts}))
    return folder / "config.yaml", folder / "16epoch.pth", folder / "wavlm.pt"


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
