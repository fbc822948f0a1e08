"""Published weights played by small models of the real classes with random weights, in the published formats under the published names.

Each function writes what its repository holds into a folder; those of stacks with an environment of their own run there
(`stacks.py`).
"""

import importlib
import json
from pathlib import Path

import torch

from codec_cliff.downloads.pins import CODECS
from codec_cliff.models.reference.facts import reference_facts

CHARACTERS = ["<pad>", "<s>", "</s>", "<unk>", "|", *"abcdefghijklmnopqrstuvwxyz'"]


def place(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def dac(codec: str, path: Path, **changes: int) -> None:
    """A DAC of the published kind: its odd stride, sample rate and codebooks."""
    facts = reference_facts(codec)
    shape = {"sample_rate": facts.sample_rate, "n_codebooks": facts.n_codebooks, "codebook_size": 1024} | changes
    rates = [2, 4, 5, 8]
    model = importlib.import_module("dac").DAC(
        encoder_dim=2, latent_dim=8, decoder_dim=32, encoder_rates=rates, decoder_rates=rates[::-1], **shape
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(str(path), package=False)


def mimi(folder: Path) -> None:
    transformers = importlib.import_module("transformers")
    config = transformers.MimiConfig(
        hidden_size=32, num_filters=4, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=2, head_dim=16,
        intermediate_size=64, codebook_size=2048, codebook_dim=16, vector_quantization_hidden_dimension=16,
        num_quantizers=32, upsample_groups=32,
    )  # fmt: skip
    model = transformers.MimiModel(config)
    fill(model, "embed_sum")
    model.save_pretrained(folder)


def fill(model: torch.nn.Module, ending: str) -> None:
    """Codebooks are zeros until trained."""
    for name, buffer in model.named_buffers():
        if name.endswith(ending):
            buffer.normal_()


def encodec(folder: Path) -> None:
    transformers = importlib.import_module("transformers")
    config = transformers.EncodecConfig(
        hidden_size=16, num_filters=4, num_lstm_layers=1, codebook_size=1024, codebook_dim=16
    )
    model = transformers.EncodecModel(config)
    fill(model, "embed")
    model.save_pretrained(folder)


def snac(folder: Path) -> None:
    config = {
        "sampling_rate": 24000, "encoder_dim": 8, "encoder_rates": [2, 4, 8, 8], "decoder_dim": 64,
        "decoder_rates": [8, 8, 4, 2], "attn_window_size": None, "codebook_size": 4096, "codebook_dim": 8,
        "vq_strides": [4, 2, 1],
    }  # fmt: skip
    place(folder, "config.json").write_text(json.dumps(config))
    torch.save(importlib.import_module("snac").SNAC(**config).state_dict(), folder / "pytorch_model.bin")


def speechtokenizer(folder: Path) -> None:
    config = {
        "n_filters": 4, "strides": [8, 5, 4, 2], "dimension": 16, "semantic_dimension": 8, "bidirectional": True,
        "dilation_base": 2, "residual_kernel_size": 3, "n_residual_layers": 1, "lstm_layers": 1, "activation": "ELU",
        "codebook_size": 1024, "n_q": 8, "sample_rate": 16000,
    }  # fmt: skip
    model = importlib.import_module("speechtokenizer.model").SpeechTokenizer(config)
    state = trained_codebooks(model.state_dict(), 1 / 50)
    names = CODECS["speechtokenizer"][0].names
    place(folder, names[0]).write_text(json.dumps(config))
    torch.save(state, place(folder, names[1]))


def trained_codebooks(state: dict[str, torch.Tensor], scale: float) -> dict[str, torch.Tensor]:
    """A state whose codebooks count as initialised, and are not zeros."""
    ones = {name: torch.ones_like(value) for name, value in state.items() if name.endswith("inited")}
    books = {name: scale * torch.randn_like(value) for name, value in state.items() if name.endswith("codebook.embed")}
    return state | ones | books


def bigcodec(source: Path, folder: Path) -> None:
    """Of the source's own classes, whatever their size."""
    vq = from_source(source, "vq")
    state = {"CodecEnc": vq.CodecEncoder().state_dict(), "generator": vq.CodecDecoder().state_dict()}
    torch.save(state, place(folder, "bigcodec.pt"))


def wavtokenizer(codec: str, source: Path, path: Path) -> None:
    """A trainer's checkpoint of the source's own class: discriminators and the trainer's objects beside the weights."""
    config = importlib.import_module("codec_cliff.models.reference.wavtokenizer").VARIANTS[codec][0]
    model = from_source(source, "decoder.pretrained").WavTokenizer.from_hparams0802(str(source / config))
    state = trained_codebooks(model.state_dict(), 1) | {"multiperioddisc.w": torch.zeros(1)}
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": state, "hyper_parameters": {"path": Path("x")}}, path)


def from_source(source: Path, name: str):
    return importlib.import_module("codec_cliff.downloads.sources").import_from(source, name)


def mms(folder: Path) -> None:
    """A Wav2Vec2ForCTC with two adapters, neither of which is what the model's own file holds."""
    transformers, save = importlib.import_module("transformers"), importlib.import_module("safetensors.torch").save_file
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {
        "eng": {character: number for number, character in enumerate(CHARACTERS)},
        "fra": {"<pad>": 0, "<unk>": 1, "|": 2},
    }
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), target_lang="eng")
    extractor = transformers.Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
    config = transformers.Wav2Vec2Config(
        vocab_size=len(CHARACTERS), hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        conv_dim=(8,) * 7, num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, adapter_attn_dim=4,
        do_stable_layer_norm=True, feat_extract_norm="layer",
    )  # fmt: skip
    model = transformers.Wav2Vec2ForCTC(config)
    model.save_pretrained(folder)
    for number, language in enumerate(("eng", "fra"), 1):
        adapter = {name: value.clone() + 0.1 * number for name, value in model._get_adapters().items()}
        save(adapter, folder / f"adapter.{language}.safetensors")
    transformers.Wav2Vec2Processor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    if not (folder / "preprocessor_config.json").exists():
        extractor.save_pretrained(folder)
    marks = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(marks))


def utmos22(folder: Path) -> None:
    """The network has one size."""
    model = importlib.import_module("utmos_pytorch.utmos_torch").UTMOSModel()
    torch.save(model.state_dict(), place(folder, "utmos_state_dict.pt"))
