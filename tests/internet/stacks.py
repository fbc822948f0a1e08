"""Stand-ins for the weights of stacks with an environment of their own, made inside it: `python -m tests.internet.stacks NAME FOLDER`

Small models of the libraries' own classes with random weights, in the published formats, below FOLDER as the hub's repositories lie.
"""

import importlib
import json
import shutil
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


def nanocodec(hub: Path) -> None:
    """NeMo's codec with narrow layers, packed by NeMo; a discriminator is in the archive, as in the published one."""
    library = importlib.import_module("nemo.collections.tts.models")
    modules, losses = (f"nemo.collections.tts.{name}.audio_codec" for name in ("modules", "losses"))
    rates, narrow = [2, 3, 6, 7, 7], {"resblock_kernel_sizes": [3], "resblock_dilation_sizes": [1]}
    encoder = {"encoded_dim": 52, "down_sample_rates": rates, "base_channels": 2, **narrow}
    decoder = {"input_dim": 52, "up_sample_rates": rates[::-1], "base_channels": 64, **narrow}
    periods = {"_target_": f"{modules}_modules.MultiPeriodDiscriminator", "periods": [2]}
    config = {
        "sample_rate": 22050, "samples_per_frame": 1764, "loss_resolutions": [[512, 128, 512]], "mel_loss_dims": [20],
        "audio_encoder": {"_target_": f"{modules}_modules.HiFiGANEncoder", **encoder},
        "vector_quantizer": {
            "_target_": f"{modules}_modules.GroupFiniteScalarQuantizer", "num_groups": 13, "num_levels_per_group": [8, 7, 6, 6],
        },
        "audio_decoder": {"_target_": f"{modules}_modules.CausalHiFiGANDecoder", **decoder},
        "discriminator": {"_target_": f"{modules}_modules.Discriminator", "discriminators": [periods]},
        "generator_loss": {"_target_": f"{losses}_loss.GeneratorSquaredLoss"},
        "discriminator_loss": {"_target_": f"{losses}_loss.DiscriminatorSquaredLoss"},
        "commit_loss_scale": 0.0,
    }  # fmt: skip
    (published,) = DOWNLOADS["nanocodec"]
    model = library.AudioCodecModel(importlib.import_module("omegaconf").OmegaConf.create(config))
    model.save_to(str(place(hub / published.repository, published.names[0])))


def flexicodec(hub: Path) -> None:
    """FlexiCodec's own class at small widths, and a small SenseVoice to take its features from."""
    published, sensevoice = DOWNLOADS["flexicodec"]
    save_sensevoice(hub / sensevoice.repository)
    library = Path(importlib.import_module("flexicodec").__file__).parent
    model = yaml.safe_load((library / "conf/model_config.yaml").read_text())["model"] | {
        "encoder_dim": 4, "decoder_dim": 32, "codebook_size": 16, "convnext_layers": 1, "transformer_num_layers": 1,
        "transformer_dim_feedforward": 16, "agg_transformer_num_layers": 1, "agg_transformer_dim_feedforward": 16,
        "semantic_model_path": str(hub / sensevoice.repository),
    }  # fmt: skip
    made = importlib.import_module("flexicodec.modeling_flexicodec").FlexiCodec(**model)
    config, weights = (place(hub / published.repository, name) for name in published.names)
    config.write_text(yaml.safe_dump({"model": model | {"semantic_model_path": None}}))
    state = {name: value.contiguous().clone() for name, value in made.state_dict().items()}
    importlib.import_module("safetensors.torch").save_file(state, weights)


def save_sensevoice(folder: Path) -> None:
    """A small SenseVoice as FunASR packs it; its feature statistics are those that FlexiCodec's package holds."""
    library = Path(importlib.import_module("flexicodec").__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(library / "am.mvn", folder / "am.mvn")
    pieces = "chn_jpn_yue_eng_ko_spectok.bpe"
    importlib.import_module("sentencepiece").SentencePieceTrainer.train(
        sentence_iterator=iter(["the quick brown fox jumps over the lazy dog"] * 50),
        model_prefix=str(folder / pieces),
        vocab_size=30,
    )
    conf = {
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": {"output_size": 512, "attention_heads": 4, "linear_units": 16, "num_blocks": 2, "tp_blocks": 1},
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {"bpemodel": None, "unk_symbol": "<unk>", "split_with_space": True},
        "frontend": "WavFrontend",
        "frontend_conf": {
            "fs": 16000, "window": "hamming", "n_mels": 80, "frame_length": 25, "frame_shift": 10, "lfr_m": 7, "lfr_n": 6,
            "cmvn_file": None,
        },
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(conf))
    metas = {
        "init_param": "model.pt", "config": "config.yaml", "tokenizer_conf": {"bpemodel": f"{pieces}.model"},
        "frontend_conf": {"cmvn_file": "am.mvn"},
    }  # fmt: skip
    (folder / "configuration.json").write_text(json.dumps({"model": {"type": "funasr"}, "file_path_metas": metas}))
    code = importlib.import_module("flexicodec.customized_sensevoice.model")
    made = code.SenseVoiceSmall(
        encoder=conf["encoder"], encoder_conf=conf["encoder_conf"], input_size=560, vocab_size=30, **conf["model_conf"]
    )
    torch.save(made.state_dict(), folder / "model.pt")


STACKS = {
    "espnet_wavlm": espnet_wavlm, "qwen3_tts_12hz": qwen3_tts_12hz, "nanocodec": nanocodec, "flexicodec": flexicodec,
}  # fmt: skip

if __name__ == "__main__":
    torch.manual_seed(0)
    STACKS[sys.argv[1]](Path(sys.argv[2]))
