"""Stand-ins for the weights of stacks with an environment of their own, made inside it: `python -m tests.internet.stacks NAME FOLDER`

Small models of the libraries' own classes with random weights, in the published formats, below FOLDER as the hub's repositories lie.
"""

import importlib
import sys
from pathlib import Path

import torch
import yaml

from codec_cliff.downloads.pins import DOWNLOADS


def place(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def espnet_wavlm(hub: Path) -> None:
    """ESPnet-SPK's model of joint fine-tuning, and the WavLM that its front end is built from."""
    from codec_cliff.metrics.speakers.espnet import without_downloads

    published, upstream = DOWNLOADS["espnet_wavlm"]
    config, weights = (place(hub / published.repository, name) for name in published.names)
    wavlm = place(hub / upstream.repository, upstream.names[0])
    save_wavlm(wavlm)
    task = importlib.import_module("espnet2.tasks.spk").SpeakerTask
    parts = {
        "frontend": "s3prl",
        "frontend_conf": {
            "frontend_conf": {"upstream": "wavlm_large"}, "download_dir": "./hub", "multilayer_feature": True,
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
    }  # fmt: skip
    config.write_text(yaml.safe_dump(without_downloads(parts, wavlm)))
    arguments = ["--output_dir", str(hub), "--spk_num", "4", "--use_preprocessor", "false", "--config", str(config)]
    options = task.get_parser().parse_args(arguments)
    torch.save(task.build_model(options).state_dict(), weights)
    config.write_text(yaml.safe_dump({**vars(options), **parts}))


def save_wavlm(path: Path) -> None:
    """A small WavLM in s3prl's converted format."""
    module = importlib.import_module("s3prl.upstream.wavlm.WavLM")
    shape = {
        "encoder_layers": 2, "encoder_embed_dim": 32, "encoder_ffn_embed_dim": 32, "encoder_attention_heads": 2,
        "conv_feature_layers": "[(16,10,5)] + [(16,3,2)] * 4 + [(16,2,2)] * 2", "relative_position_embedding": True,
        "num_buckets": 32, "max_distance": 80, "normalize": True, "extractor_mode": "layer_norm",
    }  # fmt: skip
    config = module.WavLMConfig(shape)
    torch.save({"cfg": config.__dict__, "model": module.WavLM(config).state_dict()}, path)


def qwen3_tts_12hz(hub: Path) -> None:
    """The tokenizer's own class, its encoder a small Mimi."""
    transformers, core = importlib.import_module("transformers"), importlib.import_module("qwen_tts.core")
    encoder = {
        "hidden_size": 32, "num_filters": 4, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
        "head_dim": 16, "intermediate_size": 64, "codebook_size": 2048, "codebook_dim": 16, "num_quantizers": 32,
        "vector_quantization_hidden_dimension": 16, "upsample_groups": 32,
    }  # fmt: skip
    decoder = {
        "codebook_size": 2048, "codebook_dim": 16, "hidden_size": 32, "latent_dim": 32, "num_attention_heads": 2,
        "num_key_value_heads": 2, "head_dim": 16, "intermediate_size": 64, "num_hidden_layers": 1, "num_quantizers": 16,
        "decoder_dim": 96,
    }  # fmt: skip
    config = core.Qwen3TTSTokenizerV2Config(encoder_config=encoder, decoder_config=decoder)
    model = core.Qwen3TTSTokenizerV2Model(config)
    for name, buffer in [*model.named_buffers(), *model.named_parameters()]:
        if name.endswith(("embed_sum", "embedding_sum")):  # codebooks are zeros until trained
            buffer.data.normal_()
    folder = hub / DOWNLOADS["qwen3_tts_12hz"][0].repository
    model.save_pretrained(folder)
    transformers.EncodecFeatureExtractor(feature_size=1, sampling_rate=24000).save_pretrained(folder)


STACKS = {"espnet_wavlm": espnet_wavlm, "qwen3_tts_12hz": qwen3_tts_12hz}

if __name__ == "__main__":
    torch.manual_seed(0)
    STACKS[sys.argv[1]](Path(sys.argv[2]))
