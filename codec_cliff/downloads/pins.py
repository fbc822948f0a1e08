"""Everything that is downloaded, where from and pinned to what: one list for the adapters, the metrics and `downloads`.

A commit or checksum of None could not be established beforehand: the first download is trusted, recorded below
`<cache>/pins`, and every later use held against that record (`codec-cliff downloads pin` collects the records).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HubFiles:
    """Files of a repository on the Hugging Face Hub at a commit; `sha256` of those whose checksum is published."""

    repository: str
    commit: str | None
    names: tuple[str, ...]
    sha256: Mapping[str, str] = field(default_factory=dict)
    licence: str = ""

    @property
    def key(self) -> str:
        return self.repository.replace("/", "--")


@dataclass(frozen=True)
class Release:
    """A single file at a URL, kept at `<cache>/<path>`."""

    url: str
    path: str
    sha256: str | None
    licence: str = ""

    @property
    def key(self) -> str:
        return self.path.replace("/", "--")


@dataclass(frozen=True)
class Source:
    """A GitHub repository (`owner/name`) at a commit (40 hexadecimal digits): code that is in no package."""

    repository: str
    commit: str
    licence: str = ""


Pinned = HubFiles | Release | Source

_DAC = "https://github.com/descriptinc/descript-audio-codec/releases/download"
_MIMI = HubFiles(
    "kyutai/mimi",
    "89091b3e466eb6a9d11e537bf26b144f194978f7",
    ("config.json", "model.safetensors"),
    {"model.safetensors": "bac7e85083dcded655d24eaadde7e6eea34c0da1b35fa2d284e641bd2b942a5e"},
    "CC-BY-4.0",
)
_ENCODEC = HubFiles(
    "facebook/encodec_24khz",
    "c1dbe2ae3f1de713481a3b3e7c47f357092ee040",
    ("config.json", "model.safetensors"),
    {"model.safetensors": "37a7cb100f71a29e6c1d815aca8666a1d7ea8885ebe44c306c751a5103559d57"},
    "MIT code; the card names no licence of the weights",
)
_WAVTOKENIZER = Source("jishengpeng/WavTokenizer", "5cf440d91ac420ca338f117b7003a77450d64730", "MIT")


def _wavtokenizer(name: str, sha256: str) -> HubFiles:
    commit = "8040025592781c0993deb46dc0a503579cab5f54"
    return HubFiles("novateur/WavTokenizer", commit, (name,), {name: sha256}, "MIT")


def _lyra(name: str, sha256: str) -> Release:
    commit = "47698dadf0010abff6a848e02642f55f806d4842"
    url = f"https://raw.githubusercontent.com/google/lyra/{commit}/lyra/model_coeffs/{name}"
    return Release(url, f"lyra/{name}", sha256, "Apache-2.0")


_LYRA = (
    _lyra("soundstream_encoder.tflite", "237da0b16226fb0a68d49551c81bebf614e42142af72764448359f68581e88f1"),
    _lyra("quantizer.tflite", "841ee05989687d32d1f616a8ad1419fc7eda37599d3c05c7cf5a0d60ccf8ac5c"),
    _lyra("lyragan.tflite", "50e7839cda4f30599a3a34cfaddcd9c98449b049eee884e1a74295780448ad06"),
)

CODECS: dict[str, tuple[Pinned, ...]] = {
    "dac_16k": (
        Release(
            f"{_DAC}/0.0.5/weights_16khz.pth",
            "dac/0.0.5/weights_16khz.pth",
            "95ab7176b67137d4d4c6c54b8d6ef3cea797faec228cb03ad084badcad570b4d",
            "MIT",
        ),
    ),
    "dac_24k": (
        Release(
            f"{_DAC}/0.0.4/weights_24khz.pth",
            "dac/0.0.4/weights_24khz.pth",
            "44bad592fc393e03eb0be7a5120b7d487fe9612fa41269dc03fca3d4b87e20ad",
            "MIT",
        ),
    ),
    "bigcodec": (
        Source("Aria-K-Alethia/BigCodec", "09845ab1f5bc7a3d1589c16de820ef15bc2afefe", "MIT"),
        HubFiles(
            "Alethia/BigCodec",
            None,  # the hub's history shows c654883 only in short; the content is pinned by its checksum
            ("bigcodec.pt",),
            {"bigcodec.pt": "1fba3806e87cc01c1a65bea22fa1becefbbf46881e4219593c4d9f3cf56206b9"},
            "CC-BY-SA-4.0",
        ),
    ),
    "qwen3_tts_12hz": (
        HubFiles(
            "Qwen/Qwen3-TTS-Tokenizer-12Hz",
            "7dd38ad4e9bad454aae9cd937d0cd577604fe229",
            ("config.json", "preprocessor_config.json", "model.safetensors"),
            {"model.safetensors": "836b7b357f5ea43e889936a3709af68dfe3751881acefe4ecf0dbd30ba571258"},
            "Apache-2.0",
        ),
    ),
    "mimi_8": (_MIMI,),
    "mimi_32": (_MIMI,),
    "snac_24k": (
        HubFiles(
            "hubertsiuzdak/snac_24khz",
            "d73ad176a12188fcf4f360ba3bf2c2fbbe8f58ec",
            ("config.json", "pytorch_model.bin"),
            {
                "config.json": "e119b9366d4f5e73c6ca5f31137c4ff361578bbb132953a5203afe037c4012be",
                "pytorch_model.bin": "4b8164cc6606bfa627f1a784734c1e539891518f1191ed9194fe1e3b9b4bff40",
            },
            "MIT",
        ),
    ),
    "wavtokenizer_75": (
        _WAVTOKENIZER,
        _wavtokenizer(
            "WavTokenizer_small_320_24k_4096.ckpt", "721a204fcfadf720b1136660b466c53d482c63fdfcaa0ac2a824bf2a006217b6"
        ),
    ),
    "wavtokenizer_40": (
        _WAVTOKENIZER,
        _wavtokenizer(
            "WavTokenizer_small_600_24k_4096.ckpt", "d44c40fbb83d2d42329ac098e252a31b5708fb7b3bf864d108dd3ed26911d004"
        ),
    ),
    "encodec_3": (_ENCODEC,),
    "encodec_6": (_ENCODEC,),
    "speechtokenizer": (
        HubFiles(
            "OpenMOSS-Team/SpeechTokenizer",  # fnlp/SpeechTokenizer before
            "4d54939beef00572fa7bfe41ee35a335c3732f51",
            ("speechtokenizer_hubert_avg/config.json", "speechtokenizer_hubert_avg/SpeechTokenizer.pt"),
            {
                "speechtokenizer_hubert_avg/SpeechTokenizer.pt": "d04593b6c9a4b475f91ca481141a6ef5b23e6ac112f347dd2b2717f193c1c728"
            },
            "Apache-2.0 code; see the card for the weights",
        ),
    ),
    "nanocodec": (
        HubFiles(
            "nvidia/nemo-nano-codec-22khz-1.78kbps-12.5fps",
            "c4ab84a92c8d36a8b5a79eaea807cfaf7f03ed86",
            ("nemo-nano-codec-22khz-1.78kbps-12.5fps.nemo",),
            {},
            "NVIDIA Open Model License",
        ),
    ),
    "flexicodec": (
        HubFiles(
            "jiaqili3/flexicodec", None, ("12hz_v1_half_config.yaml", "12hz_v1_half.safetensors"), {}, "see the card"
        ),
        HubFiles(
            "FunAudioLLM/SenseVoiceSmall",
            None,
            ("config.yaml", "configuration.json", "am.mvn", "chn_jpn_yue_eng_ko_spectok.bpe.model", "model.pt"),
            {},
            "FunASR model licence",
        ),
    ),
    "lyra_3200": _LYRA,
    "lyra_6000": _LYRA,
    "lyra_9200": _LYRA,
}

_SKA = "exp/spk_train_ska_Vox12_emb192_torchmelspec_subcentertopk_wavlm_jt_raw_sp"
METRICS: dict[str, tuple[Pinned, ...]] = {
    "mms_1b_all": (
        HubFiles(
            "facebook/mms-1b-all",
            "3d33597edbdaaba14a8e858e2c8caa76e3cec0cd",
            (
                "config.json",
                "preprocessor_config.json",
                "tokenizer_config.json",
                "special_tokens_map.json",
                "vocab.json",
                "model.safetensors",
                "adapter.eng.safetensors",
            ),
            {},
            "CC-BY-NC-4.0",
        ),
    ),
    "utmos22_strong": (
        HubFiles(  # the original's checkpoint, converted
            "Blinorot/UTMOS-PyTorch",
            "4f2447e519df3b88567b45583d3500006729502b",
            ("utmos_state_dict.pt",),
            {"utmos_state_dict.pt": "21b98001a7d5164d562a40d76aff80ae996deeabe4473c3a6786d1c591c2cc47"},
            "MIT",
        ),
    ),
    "espnet_wavlm": (
        HubFiles(
            "espnet/voxcelebs12_ska_wavlm_joint",
            "da3d5bcdf7e8033846a40dc6f56d52ae1691cfc9",
            (f"{_SKA}/config.yaml", f"{_SKA}/16epoch.pth"),
            {},
            "CC-BY-4.0",
        ),
        HubFiles(  # what ESPnet's front end asks s3prl for when it is built
            "s3prl/converted_ckpts",
            "7bc66aee7c4a8c287923bf853afb702a5f8bf08e",
            ("wavlm_large.pt",),
            {"wavlm_large.pt": "6fb4b3c3e6aa567f0a997b30855859cb81528ee8078802af439f7b2da0bf100f"},
            "MIT",
        ),
    ),
}
METRICS |= {"mms_1b_all_float16": METRICS["mms_1b_all"], "utmos22_strong_padded": METRICS["utmos22_strong"]}

_MFA = "https://github.com/MontrealCorpusTools/mfa-models/releases/download"


def _mfa(model: str, version: str, acoustic: str, dictionary: str) -> tuple[Release, ...]:
    """An acoustic model and its dictionary, where MFA looks for them below MFA_ROOT_DIR, which is `<cache>/mfa`."""
    kinds = (("acoustic", ".zip", acoustic), ("dictionary", ".dict", dictionary))
    return tuple(
        Release(
            f"{_MFA}/{kind}-{model}-v{version}/{model}{suffix}",
            f"mfa/pretrained_models/{kind}/{model}{suffix}",
            sha256,
            "CC-BY-4.0",
        )
        for kind, suffix, sha256 in kinds
    )


ALIGNERS: dict[str, tuple[Pinned, ...]] = {
    "mfa_english_us_arpa": _mfa(
        "english_us_arpa",
        "3.0.0",
        "d35ce271ded357d833d2f4b8d1041dc3748b9538567ba13f2c697f4e4126711b",
        "e8c6c7b036ae2b7c78d2768b8dc6b1f9359175b842956d00b48c53c9c332e6b0",
    ),
    "mfa_english_mfa": _mfa(
        "english_mfa",
        "3.1.0",
        "2c08bd4f82c3943dd57ac09aeac99dbce17a1e1bfe9fd932c8d95cd13d971068",
        "975bf9c7791535c5aec57995e0bd2b77eb7ca364d1d974c2134e07bb0f16b079",
    ),
}
DOWNLOADS = CODECS | METRICS | ALIGNERS
