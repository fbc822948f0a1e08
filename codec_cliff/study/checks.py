"""What a schema cannot say: rates, strides, protocols, tables and codecs that must fit together."""

import os
import re
from pathlib import Path

import yaml

from codec_cliff.errors import ConfigError
from codec_cliff.study.config import Corpus, Study
from codec_cliff.study.messages import suggestion
from codec_cliff.study.schema import SCHEMA

REFERENCE_CODECS = (
    "dac_16k",
    "bigcodec",
    "dac_24k",
    "qwen3_tts_12hz",
    "mimi_8",
    "mimi_32",
    "snac_24k",
    "wavtokenizer_75",
    "wavtokenizer_40",
    "encodec_3",
    "encodec_6",
    "speechtokenizer",
    "nanocodec",
    "flexicodec",
    "lyra_3200",
    "lyra_6000",
    "lyra_9200",
)

OPUS_KBPS = range(6, 257)  # libopus encodes one channel at no other bitrate


def is_reference_codec(codec: str) -> bool:
    """Whether `codec` names a published codec that has an adapter in `models/reference/`."""
    name, _, kbps = codec.rpartition("_")
    return codec in REFERENCE_CODECS or (name == "opus" and kbps.isdigit() and int(kbps) in OPUS_KBPS)


def check_frame_rates(study: Study) -> None:
    """Strides make the rate, rates divide the sample rate, and only the strides differ (section 3.3)."""
    for number, rate in enumerate(study.frame_rates):
        key = f"frame_rates[{number}]"
        if (study.sample_rate / rate.frame_rate) % 1:
            raise ConfigError(
                f"{key}.frame_rate: {rate.frame_rate:g} Hz does not divide the sample rate of {study.sample_rate} Hz; "
                "a token must span a whole number of samples"
            )
        if rate.hop_length * rate.frame_rate != study.sample_rate:
            raise ConfigError(
                f"{key}.strides: {list(rate.strides)} multiply to {rate.hop_length} samples a token, but {rate.frame_rate:g} Hz at "
                f"{study.sample_rate} Hz needs {study.sample_rate / rate.frame_rate:g}; change the strides or the frame rate"
            )
    entries = [(rate.frame_rate, rate.name) for rate in study.frame_rates]
    if len(set(entries)) < len(entries):
        raise ConfigError(
            "frame_rates: a frame rate is listed twice; keep one, or give the other order of strides a name"
        )
    for frame_rate, name in entries:
        if name and (frame_rate, None) not in entries:
            raise ConfigError(
                f"frame_rates: {frame_rate:g} Hz has only strides of a name ({name}); list the rate's own without one"
            )
    if len({len(rate.strides) for rate in study.frame_rates}) > 1:
        raise ConfigError(
            "frame_rates: every rate needs the same number of strides, for only they may differ (section 3.3)"
        )
    if study.model.decoder_dim % 2 ** len(study.frame_rates[0].strides):
        raise ConfigError(
            f"model.decoder_dim: {study.model.decoder_dim} must be divisible by {2 ** len(study.frame_rates[0].strides)}: each of the "
            "decoder's blocks halves it"
        )


def check_protocols(study: Study) -> None:
    """One of each pair is given, and the protocols of Tables 2 and 4 are there."""
    for name, protocol in study.protocols.items():
        for one, other in (("clip_seconds", "clip_tokens"), ("batch_clips", "batch_seconds")):
            if (getattr(protocol, one) is None) == (getattr(protocol, other) is None):
                raise ConfigError(f"protocols.{name}: give exactly one of {one} and {other} (set the other to null)")
    for name in ("fixed-duration", "fixed-tokens"):
        if name not in study.protocols:
            raise ConfigError(f"protocols: {name} is missing; Tables 2 and 4 need the paper's two protocols")
    for name in study.controls:
        if name not in study.protocols:
            raise ConfigError(
                f"controls.{name}: unknown protocol{suggestion(name, study.protocols)}; define it under protocols"
            )


def check_tables(study: Study) -> None:
    """Every rate has strides, every repaired model is trained, every published codec has an adapter."""
    known = {rate.frame_rate for rate in study.frame_rates}
    listed = {f"tables.{name}": study.tables[name] for name in ("fixed_duration", "fixed_tokens", "repaired")}
    listed |= {f"controls.{name}": rates for name, rates in study.controls.items()}
    for key, rates in listed.items():
        for rate in rates:
            if rate not in known:
                raise ConfigError(f"{key}: {rate:g} Hz has no strides; add it to frame_rates")
    for rate in study.tables["repaired"]:
        if rate not in study.tables["fixed_duration"]:
            raise ConfigError(
                f"tables.repaired: {rate:g} Hz is not in tables.fixed_duration, so there is no model to repair; add it there"
            )
    for name in study.folders:
        if (
            is_reference_codec(name)
            or name == "original"
            or name in study.runs
            or study.reference_codecs.count(name) > 1
        ):
            raise ConfigError(f"tables.reference_codecs: the name {name} is taken; give the folder another one")
    for codec in study.reference_codecs:
        if codec not in study.folders and not is_reference_codec(codec):
            raise ConfigError(
                f"tables.reference_codecs: unknown codec {codec}{suggestion(codec, REFERENCE_CODECS)}; "
                f"known: {', '.join(REFERENCE_CODECS)}, opus_6 to opus_256"
            )


def check_corpus(study: Study) -> None:
    """A folder is named where one is needed, and no split is read twice or both trained and tested on, whatever its path."""
    corpus = study.corpus
    if corpus.kind != "synthetic" and not corpus.root:
        raise ConfigError(f"corpus.root: a {corpus.kind} corpus needs the folder that holds its splits")
    for key, names, others in (("train", corpus.train, ()), ("test", corpus.test, corpus.train)):
        for number, name in enumerate(names):
            for other in names[:number]:
                if _overlap(corpus, name, other):
                    raise ConfigError(f"corpus.{key}: {name} and {other} hold the same folders; name each once")
            for other in others:
                if _overlap(corpus, name, other):
                    also = (
                        "also in corpus.train"
                        if name == other
                        else f"the same folder as {other} in corpus.train, or one in the other"
                    )
                    raise ConfigError(f"corpus.test: {name} is {also}; test on speech that was not trained on")


def _overlap(corpus: Corpus, one: str, other: str) -> bool:
    """Whether two splits are one folder, or one lies in the other, as they are written or where links lead."""
    paths = [Path(corpus.root or "") / name for name in (one, other)]
    written, real = [Path(os.path.abspath(path)) for path in paths], [path.resolve() for path in paths]
    return any(a == b or a in b.parents or b in a.parents for a, b in (written, real))


RATES = {  # Hz that a tool takes audio at; those that are not named take any
    ("alignment.aligner", "pocketsphinx"): 16000,
}


def check_rates_of_tools(study: Study) -> None:
    """No tool is chosen that cannot take the study's recordings: it would fail beside the trainings, or after them."""
    for (key, tool), rate in RATES.items():
        section, name = key.split(".")
        if getattr(study, section)[name] == tool and study.sample_rate != rate:
            raise ConfigError(
                f"{key}: {tool} takes {rate} Hz, not the study's sample_rate of {study.sample_rate} Hz; choose another one "
                f"({', '.join(_others(section, name, tool))}), or recordings at {rate} Hz"
            )


def _others(section: str, name: str, tool: str) -> list[str]:
    schema = yaml.safe_load(SCHEMA.read_text())
    return [other for other in schema["properties"][section]["properties"][name]["enum"] if other != tool]


def check_probes(study: Study) -> None:
    """The arms' rates and protocols are known, and no protocol has the name that a clip length gets."""
    for number, arms in enumerate(study.probes.arms):
        key = f"probes.arms[{number}]"
        if arms.frame_rate not in {rate.frame_rate for rate in study.frame_rates}:
            raise ConfigError(f"{key}.frame_rate: {arms.frame_rate:g} Hz has no strides; add it to frame_rates")
        for name in arms.protocols:
            if name not in study.protocols:
                raise ConfigError(
                    f"{key}.protocols: unknown protocol {name}{suggestion(name, study.protocols)}; define it under protocols"
                )
        study.rate(arms.frame_rate, arms.strides)
        if arms.variant is not None and arms.variant not in study.probes.variants:
            raise ConfigError(
                f"{key}.variant: unknown variant {arms.variant}{suggestion(arms.variant, study.probes.variants)}; "
                "define it under probes.variants"
            )
        for name in arms.protocols:
            if arms.label and f"{name}-{arms.label}" in study.protocols:
                raise ConfigError(
                    f"{key}: {name}-{arms.label} is a protocol already; name the variant or the strides anew"
                )
        if not arms.tokens and not arms.protocols:
            raise ConfigError(f"{key}: name the clip lengths (tokens) or the protocols that it trains")
    for name in (*study.probes.variants, *(rate.name for rate in study.frame_rates if rate.name)):
        if re.search(r"(^|-)(repaired|seed\d+|step\d+)$", name):
            raise ConfigError(f"probes: {name} reads like a seed, a kept step or a repaired model; choose another name")
    taken = [name for name in study.protocols if re.fullmatch(r"\d+-tokens(-.*x-audio)?", name)]
    if taken:
        raise ConfigError(f"protocols.{taken[0]}: this name is kept for the probes' clip lengths; choose another one")


def check_gpus(study: Study) -> None:
    """Codecs that are given several GPUs, or a share of one, exist, and their batches divide evenly."""
    for codec, gpus in study.gpus.items():
        if codec not in study.runs:
            raise ConfigError(
                f"gpus.{codec}: unknown codec{suggestion(codec, study.runs)}; known: {', '.join(study.runs)}"
            )
        clips = study.runs[codec].batch_clips
        if gpus > 1 and (clips % gpus or gpus != round(gpus)):
            raise ConfigError(
                f"gpus.{codec}: a batch of {clips} clips does not divide among {gpus} GPUs; choose a number that divides {clips}"
            )
