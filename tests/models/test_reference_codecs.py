"""Published codecs: Table 1's columns, and every adapter on a small model with random weights in the published format.

What no test here can say is whether the published weights load: they are nowhere but on GitHub and the Hugging Face Hub.
"""

import importlib
import inspect
import math
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file

from codec_cliff.downloads import hub
from codec_cliff.downloads import sources as source_module
from codec_cliff.downloads.pins import CODECS, HubFiles, Source
from codec_cliff.errors import CodecError, DownloadError
from codec_cliff.models import reference
from codec_cliff.models.reference import (
    bigcodec,
    encodec,
    flexicodec,
    load_reference_codec,
    mimi,
    nanocodec,
    qwen3,
    snac,
    speechtokenizer,
    wavtokenizer,
)
from codec_cliff.models.reference.facts import PUBLISHED, TABLE_1, opus_kbps, reference_facts
from codec_cliff.study.checks import REFERENCE_CODECS, is_reference_codec
from tests.internet import weights
from tests.paths import ROOT

CACHE = ROOT / "cache"


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """No network, and random weights in the published ones' place: their checksums are not asked for."""
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    for codec in ("dac_16k", "dac_24k"):
        monkeypatch.setitem(CODECS, codec, tuple(replace(pinned, sha256=None) for pinned in CODECS[codec]))
    for module in (bigcodec, mimi, snac, encodec, speechtokenizer):
        monkeypatch.setattr(module, "FILES", replace(module.FILES, sha256={}))
    variants = {name: (config, replace(files, sha256={})) for name, (config, files) in wavtokenizer.VARIANTS.items()}
    monkeypatch.setattr(wavtokenizer, "VARIANTS", variants)
    monkeypatch.setattr(source_module, "GITHUB", str(tmp_path / "no-network"))
    torch.manual_seed(0)


def speech_like(n_samples: int) -> torch.Tensor:
    return 0.1 * torch.randn(n_samples, generator=torch.Generator().manual_seed(1))


def hub_snapshot(files: HubFiles, cache: Path) -> Path:
    """An empty folder where the hub's client looks for `files`."""
    commit = files.commit or "a" * 40
    folder = cache / "huggingface" / f"models--{files.repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    (folder / "snapshots" / commit).mkdir(parents=True)
    return folder / "snapshots" / commit


def check_contract(codec, n_samples: int, n_frames: int | None = None) -> torch.Tensor:
    """What `Codec` promises of a codec with rectangular codes; gives the codes."""
    codes = codec.encode(speech_like(n_samples))
    assert codes.dtype == torch.int64
    assert codes.shape[0] == codec.facts.n_codebooks
    assert codes.shape[1] == (n_frames or math.ceil(n_samples * codec.facts.frame_rate / codec.facts.sample_rate))
    assert codes.min() >= 0
    assert codes.max() < codec.facts.codebook_size
    audio = codec.decode(codes, n_samples)
    assert audio.shape == (n_samples,)
    assert audio.dtype == torch.float32
    assert audio.isfinite().all()
    return codes


def test_the_lists_of_ids_agree():
    assert tuple(PUBLISHED) == REFERENCE_CODECS
    assert set(CODECS) == set(PUBLISHED)
    assert all(is_reference_codec(codec) for codec in PUBLISHED)
    assert tuple(TABLE_1) == REFERENCE_CODECS[: len(TABLE_1)]
    for codec in ("opus_6", "opus_24", "opus_0", "opus_", "opus_x", "opus", "corpus_6", "opus_6_12", "opus_-6"):
        assert is_reference_codec(codec) == (opus_kbps(codec) is not None), codec


@pytest.mark.parametrize("name", sorted({reference.module_of(codec) for codec in (*PUBLISHED, "opus_6")}))
def test_every_adapter_has_the_same_door(name):
    module = importlib.import_module(f"codec_cliff.models.reference.{name}")
    assert list(inspect.signature(module.load).parameters) == ["codec_id", "cache", "device"]


# The columns of Table 1: sample rate (kHz), frame rate (Hz), codebooks, codebook size, bitrate (bit/s).
@pytest.mark.parametrize(
    ("codec", "khz", "frame_rate", "n_codebooks", "codebook_size", "bitrate"),
    [
        ("dac_16k", 16, 50, 12, 1024, 6000),
        ("bigcodec", 16, 80, 1, 8192, 1040),
        ("dac_24k", 24, 75, 32, 1024, 24000),
        ("qwen3_tts_12hz", 24, 12.5, 16, 2048, 2200),
        ("mimi_8", 24, 12.5, 8, 2048, 1100),
        ("snac_24k", 24, 46.875, 3, 4096, 984.375),
        ("wavtokenizer_75", 24, 75, 1, 4096, 900),
        ("wavtokenizer_40", 24, 40, 1, 4096, 480),
        # not the paper's: the authors' own figures
        ("encodec_3", 24, 75, 4, 1024, 3000),
        ("encodec_6", 24, 75, 8, 1024, 6000),
        ("speechtokenizer", 16, 50, 8, 1024, 4000),
        ("nanocodec", 22.05, 12.5, 13, 2016, 1783.8),
    ],
)
def test_facts_are_table_1(codec, khz, frame_rate, n_codebooks, codebook_size, bitrate):
    facts = reference_facts(codec)
    assert facts.sample_rate == 1000 * khz
    assert (facts.frame_rate, facts.n_codebooks, facts.codebook_size) == (frame_rate, n_codebooks, codebook_size)
    assert facts.bitrate == pytest.approx(bitrate, rel=1e-4)


def test_mimi_32_is_four_times_mimi_8():
    assert reference_facts("mimi_32").bitrate == 4 * reference_facts("mimi_8").bitrate == 4400


@pytest.mark.parametrize("codec", ["dac_44k", "opus_0", "opus_"])
def test_unknown_codec_names_the_known_ones(codec, tmp_path):
    with pytest.raises(CodecError, match=r"dac_16k.*opus_<kbps>"):
        load_reference_codec(codec, tmp_path, "cpu")


def save_dac(codec: str, cache: Path, **changes) -> None:
    weights.dac(codec, cache / CODECS[codec][0].path, **changes)


@pytest.mark.parametrize("codec", ["dac_16k", "dac_24k"])
def test_dac(codec, tmp_path):
    save_dac(codec, tmp_path)
    loaded = load_reference_codec(codec, tmp_path, "cpu")
    assert loaded.facts == reference_facts(codec)
    for n_samples in (1, 100, 6080, 6081):
        check_contract(loaded, n_samples)
    again = load_reference_codec(codec, tmp_path, "cpu")
    assert torch.equal(loaded.encode(speech_like(6081)), again.encode(speech_like(6081)))


def test_dac_decodes_its_codes_to_what_the_model_gives_itself(tmp_path):
    save_dac("dac_16k", tmp_path)
    codec = load_reference_codec("dac_16k", tmp_path, "cpu")
    audio = speech_like(6080)
    decoded = codec.decode(codec.encode(audio), 6080)
    with torch.inference_mode():
        expected = codec._model.decode(codec._model.encode(audio[None, None])[0])[0, 0]
    assert expected.shape == (6072,)  # the published model's odd stride loses 8 samples
    assert torch.allclose(decoded[:6072], expected, atol=1e-5)
    assert torch.equal(decoded[6072:], torch.zeros(8))


@pytest.mark.parametrize("changes", [{"codebook_size": 512}, {"n_codebooks": 9}, {"sample_rate": 44100}])
def test_weights_of_another_model_are_refused(changes, tmp_path):
    save_dac("dac_16k", tmp_path, **changes)
    with pytest.raises(CodecError, match="Table 1"):
        load_reference_codec("dac_16k", tmp_path, "cpu")


def test_dac_with_missing_weights_is_refused(tmp_path):
    save_dac("dac_16k", tmp_path)
    path = tmp_path / "dac" / "0.0.5" / "weights_16khz.pth"
    checkpoint = torch.load(path, weights_only=True)
    del checkpoint["state_dict"]["quantizer.quantizers.3.codebook.weight"]
    torch.save(checkpoint, path)
    with pytest.raises(CodecError, match=r"quantizers\.3\.codebook"):
        load_reference_codec("dac_16k", tmp_path, "cpu")


@pytest.fixture
def mimi_cache(tmp_path) -> Path:
    weights.mimi(hub_snapshot(mimi.FILES, tmp_path))
    return tmp_path


def test_mimi(mimi_cache):
    eight = load_reference_codec("mimi_8", mimi_cache, "cpu")
    all_of_them = load_reference_codec("mimi_32", mimi_cache, "cpu")
    for n_samples in (100, 1920, 24001):
        codes = check_contract(eight, n_samples)
        assert torch.equal(check_contract(all_of_them, n_samples)[:8], codes)
    assert codes.unique().numel() > 8
    assert (eight.facts, all_of_them.facts) == (reference_facts("mimi_8"), reference_facts("mimi_32"))


@pytest.mark.parametrize(("codec", "ending"), [("mimi_8", "q_proj.weight"), ("encodec_3", "codebook.embed")])
def test_weights_that_their_file_lacks_are_named_and_not_made_up(codec, ending, tmp_path):
    module = {"mimi_8": mimi, "encodec_3": encodec}[codec]
    folder = hub_snapshot(module.FILES, tmp_path)
    {"mimi_8": weights.mimi, "encodec_3": weights.encodec}[codec](folder)
    state = load_file(folder / "model.safetensors")
    gone = sorted(name for name in state if name.endswith(ending))
    kept = {name: value for name, value in state.items() if name not in gone}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CodecError, match=rf"lacks {len(gone)} weights.*{gone[0]}.*delete it.*uv sync"):
        load_reference_codec(codec, tmp_path, "cpu")


def test_snac(tmp_path):
    if find_spec("snac") is None:
        pytest.skip("the package snac is not installed")
    weights.snac(hub_snapshot(snac.FILES, tmp_path))
    codec = load_reference_codec("snac_24k", tmp_path, "cpu")
    for n_samples in (100, 2048, 24001):
        codes = codec.encode(speech_like(n_samples))
        n_frames = 4 * math.ceil(n_samples / 2048)
        assert [level.shape for level in codes] == [(n_frames // 4,), (n_frames // 2,), (n_frames,)]
        assert all(level.dtype == torch.int64 and level.max() < 4096 for level in codes)
        audio = codec.decode(codes, n_samples)
        assert audio.shape == (n_samples,)
        torch.manual_seed(n_samples)  # the decoder's noise does not depend on the state of the caller
        assert torch.equal(codec.decode(codes, n_samples), audio)


def test_snac_without_its_package_names_the_remedy(tmp_path, monkeypatch):
    monkeypatch.setattr(snac, "find_spec", lambda name: None)
    with pytest.raises(CodecError, match="pip install snac"):
        load_reference_codec("snac_24k", tmp_path, "cpu")


@pytest.mark.parametrize("codec", ["encodec_3", "encodec_6"])
def test_encodec(codec, tmp_path):
    weights.encodec(hub_snapshot(encodec.FILES, tmp_path))
    loaded = load_reference_codec(codec, tmp_path, "cpu")
    assert loaded.facts == reference_facts(codec)
    for n_samples in (320, 24000, 24001):
        codes = check_contract(loaded, n_samples)
    with torch.inference_mode():  # what the library does itself with the whole recording
        expected = loaded._model(speech_like(24001)[None, None], bandwidth=loaded.facts.bitrate / 1000).audio_values
    assert torch.allclose(loaded.decode(codes, 24001), expected[0, 0, :24001], atol=1e-6)


def test_speechtokenizer(tmp_path):
    weights.speechtokenizer(hub_snapshot(speechtokenizer.FILES, tmp_path))
    codec = load_reference_codec("speechtokenizer", tmp_path, "cpu")
    assert codec.facts == reference_facts("speechtokenizer")
    for n_samples in (320, 16000, 16001):
        codes = check_contract(codec, n_samples)
    assert codes.unique().numel() > 8
    with torch.inference_mode():  # the authors' forward
        expected = codec._model(speech_like(16001)[None, None])[0][0, 0]
    assert torch.allclose(codec.decode(codes, 16001), expected[:16001], atol=1e-5)


class NemoModel:
    """NeMo's calls, on codes that say where the loudest sample of a frame lies."""

    sample_rate, samples_per_frame, num_codebooks, codebook_size = 22050, 1764, 13, 2016

    @classmethod
    def restore_from(cls, path, map_location, override_config_path=None, return_config=False):
        assert Path(path).read_bytes() == b"nemo"
        if return_config:
            return {"discriminator": "wavlm-base-plus of the hub", "use_scl_loss": True, "sample_rate": 22050}
        assert override_config_path == {
            "sample_rate": 22050, "discriminator": None, "use_slm_loss": False, "use_scl_loss": False
        }  # fmt: skip
        return cls()

    def eval(self):
        return self

    def encode(self, audio, audio_len):
        assert audio.shape == (1, int(audio_len[0]))
        frames = torch.nn.functional.pad(audio, (0, -audio.shape[1] % 1764)).reshape(1, 1, -1, 1764)
        return frames.abs().argmax(-1).expand(1, 13, -1).to(torch.int32), audio_len // 1764

    def decode(self, tokens, tokens_len):
        assert tokens.shape == (1, 13, int(tokens_len[0]))
        return torch.nn.functional.one_hot(tokens[:, 0], 1764).reshape(1, -1).float(), tokens_len * 1764


def test_nanocodec_through_nemos_calls(tmp_path, monkeypatch):
    monkeypatch.setattr(nanocodec, "find_spec", lambda name: name)
    monkeypatch.setitem(sys.modules, "nemo.collections.tts.models", SimpleNamespace(AudioCodecModel=NemoModel))
    monkeypatch.setattr(nanocodec, "import_module", lambda name: sys.modules[name])
    (hub_snapshot(nanocodec.FILES, tmp_path) / nanocodec.FILES.names[0]).write_bytes(b"nemo")
    codec = load_reference_codec("nanocodec", tmp_path, "cpu")
    codes = check_contract(codec, 22051)
    assert codec.decode(codes, 22051)[codes[0, 0]] == 1
    monkeypatch.setattr(NemoModel, "samples_per_frame", 1024)
    with pytest.raises(CodecError, match=r"frame_rate 21\.5"):
        load_reference_codec("nanocodec", tmp_path, "cpu")


def test_flexicodec_through_its_authors_calls(tmp_path, monkeypatch):
    def encode_flexicodec(audio, model, sample_rate, num_quantizers, merging_threshold):
        assert (audio.shape, sample_rate) == ((1, 17600), 16000)  # a tenth of a second of silence behind it
        assert not audio[0, 16000:].any()
        lengths = torch.tensor([[1, 3, 2, 2, 4]])
        noise = torch.randint(2**31, (1, 5))  # the features' dither
        return {"semantic_codes": noise, "acoustic_codes": lengths, "token_lengths": lengths, "sim_matrix": None}

    def prepare_model(sensevoice, device, ckpt_path, config_path):
        assert Path(sensevoice).is_dir()
        assert Path(ckpt_path).read_text() == Path(config_path).read_text() == "x"
        decoder = SimpleNamespace(
            decode_from_codes=lambda **codes: codes["token_lengths"].repeat_interleave(3200)[None, None]
        )
        return {"model": decoder}

    infer = SimpleNamespace(encode_flexicodec=encode_flexicodec, prepare_model=prepare_model)
    monkeypatch.setattr(flexicodec, "find_spec", lambda name: name)
    monkeypatch.setattr(flexicodec, "import_module", lambda name: infer)
    for files in (flexicodec.FILES, flexicodec.SENSEVOICE):
        folder = hub_snapshot(files, tmp_path)
        for name in files.names:
            (folder / name).write_text("x")
    codec = load_reference_codec("flexicodec", tmp_path, "cpu")
    codes = codec.encode(speech_like(16000))
    assert codec.decode(codes, 15999).shape == (15999,)
    assert codec.measured_frame_rate == 5
    state = torch.manual_seed(1).get_state()
    assert torch.equal(codec.encode(speech_like(16000))["semantic_codes"], codes["semantic_codes"])
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("codec", "environment"), [("nanocodec", "nemo"), ("flexicodec", "flexicodec")])
def test_outside_its_environment_a_codec_names_it(codec, environment, tmp_path):
    if find_spec(environment):
        pytest.skip(f"this is the environment of {codec}")
    with pytest.raises(CodecError, match=rf"envs/{environment}\.yaml"):
        load_reference_codec(codec, tmp_path, "cpu")


@pytest.mark.skipif(find_spec("qwen_tts") is not None, reason="this is the environment of the Qwen tokenizer")
def test_qwen_outside_its_environment_names_it(tmp_path):
    with pytest.raises(CodecError, match=r"4\.57\.3.*envs/qwen\.yaml"):
        load_reference_codec("qwen3_tts_12hz", tmp_path, "cpu")


def test_qwen_environment_pins_what_the_adapter_asks_for():
    environment = (ROOT / "envs" / "qwen.yaml").read_text()
    assert f"transformers=={qwen3.TRANSFORMERS}" in environment


@pytest.mark.parametrize(
    ("codec", "where"),
    [
        ("dac_16k", r"releases/download/0\.0\.5/weights_16khz\.pth.*put the file at"),
        ("dac_24k", r"releases/download/0\.0\.4/weights_24khz\.pth.*put the file at"),
        ("mimi_8", r"config\.json .*kyutai/mimi .*hf download"),
        ("encodec_6", r"config\.json .*facebook/encodec_24khz .*c1dbe2a.*hf download"),
        ("speechtokenizer", r"config\.json .*OpenMOSS-Team/SpeechTokenizer .*4d54939.*hf download"),
        ("bigcodec", "Aria-K-Alethia/BigCodec at commit 09845ab.*put a checkout"),
        ("wavtokenizer_75", "jishengpeng/WavTokenizer at commit 5cf440d.*put a checkout"),
        ("wavtokenizer_40", "jishengpeng/WavTokenizer at commit 5cf440d.*put a checkout"),
    ],
)
def test_without_network_the_error_names_file_and_remedy(codec, where, tmp_path):
    with pytest.raises(DownloadError, match=where.replace(".*", r"(.|\n)*")):
        load_reference_codec(codec, tmp_path, "cpu")


def published_source(source: Source, tmp_path: Path) -> Path:
    """A cache with the published source, from the study's own cache; skips where it was never fetched."""
    name = f"{source.repository.split('/')[1]}@{source.commit}"
    if not (CACHE / "sources" / name).exists():
        pytest.skip(f"{source.repository} is not in {CACHE / 'sources'}; it is fetched when its codec is first loaded")
    (tmp_path / "sources").mkdir()
    (tmp_path / "sources" / name).symlink_to(CACHE / "sources" / name)
    return tmp_path


@pytest.mark.slow
def test_bigcodec(tmp_path):
    cache = published_source(bigcodec.SOURCE, tmp_path)
    weights.bigcodec(source_module.checkout(bigcodec.SOURCE, cache), hub_snapshot(bigcodec.FILES, cache))
    codec = load_reference_codec("bigcodec", cache, "cpu")
    for n_samples in (100, 16000):
        check_contract(codec, n_samples, n_frames=n_samples // 200 + 1)
    audio = speech_like(3999)
    with torch.inference_mode():  # the authors' inference.py
        padded = torch.nn.functional.pad(audio, (0, 1))[None, None]
        expected = codec._decoder(codec._decoder(codec._encoder(padded), vq=True)[0], vq=False).squeeze()
    assert torch.allclose(codec.decode(codec.encode(audio), 3999), expected[:3999], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["wavtokenizer_75", "wavtokenizer_40"])
def test_wavtokenizer(name, tmp_path):
    cache = published_source(wavtokenizer.SOURCE, tmp_path)
    files = wavtokenizer.VARIANTS[name][1]
    folder = source_module.checkout(wavtokenizer.SOURCE, cache)
    weights.wavtokenizer(name, folder, hub_snapshot(files, cache) / files.names[0])
    codec = load_reference_codec(name, cache, "cpu")
    for n_samples in (100, 24000, 24007):
        check_contract(codec, n_samples)
    audio, bandwidth = speech_like(24000), torch.tensor([0])
    expected = codec._model.decode(  # the authors' README
        codec._model.encode_infer(audio[None], bandwidth_id=bandwidth)[0], bandwidth_id=bandwidth
    )[0]
    assert torch.allclose(codec.decode(codec.encode(audio), 24000), expected, atol=1e-6)
