"""A study's configuration, checked at the door and frozen; every derived number of the paper is computed here and nowhere else."""

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema
import yaml

from codec_cliff.errors import ConfigError

SCHEMA = Path(__file__).resolve().parent.parent / "workflow" / "schemas" / "config.schema.yaml"
ORIGINAL = "original"  # the unprocessed recordings, measured like any codec: the floor of WER, the ceiling of UTMOS


@dataclass(frozen=True)
class Corpus:
    kind: str
    root: str | None
    train: tuple[str, ...]
    test: tuple[str, ...]
    max_train_utterances: int | None
    max_test_utterances: int | None
    bad_files: str


@dataclass(frozen=True)
class FrameRate:
    """A frame rate (Hz) and the encoder strides that make it; the decoder's are the reverse (section 3.3)."""

    frame_rate: float
    strides: tuple[int, ...]

    @property
    def hop_length(self) -> int:
        """Samples a token spans: the product of the strides."""
        return math.prod(self.strides)


@dataclass(frozen=True)
class Protocol:
    """How long a training clip is, and how many make a batch (section 3.4); one of each pair is given."""

    clip_seconds: float | None
    clip_tokens: int | None
    batch_clips: int | None
    batch_seconds: float | None

    def clip_samples(self, hop_length: int, sample_rate: int) -> int:
        if self.clip_tokens is not None:
            return self.clip_tokens * hop_length
        return round(self.clip_seconds * sample_rate)

    def clips_per_batch(self, clip_samples: int, sample_rate: int) -> int:
        if self.batch_clips is not None:
            return self.batch_clips
        return max(1, round(self.batch_seconds * sample_rate / clip_samples))


@dataclass(frozen=True)
class Model:
    encoder_dim: int
    decoder_dim: int
    n_codebooks: int
    codebook_size: int
    codebook_dim: int
    quantizer_dropout: float


@dataclass(frozen=True)
class Discriminator:
    enabled: bool
    periods: tuple[int, ...]
    fft_sizes: tuple[int, ...]
    bands: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Losses:
    mel: float
    adversarial: float
    feature_matching: float
    commitment: float
    codebook: float


@dataclass(frozen=True)
class Training:
    steps: int
    learning_rate: float
    betas: tuple[float, float]
    weight_decay: float
    learning_rate_decay: float
    warmup_steps: int
    generator_gradient_clip: float
    discriminator_gradient_clip: float
    device: str
    log_every_steps: int
    checkpoint_every_seconds: float


@dataclass(frozen=True)
class Run:
    """Everything that determines one trained codec; a training job gets this and nothing else of the study."""

    codec: str
    protocol: str
    frame_rate: float
    strides: tuple[int, ...]
    sample_rate: int
    clip_samples: int
    batch_clips: int
    seed: int
    model: Model
    discriminator: Discriminator
    losses: Losses
    training: Training

    @property
    def hop_length(self) -> int:
        return math.prod(self.strides)

    @property
    def tokens_per_clip(self) -> int:
        """Tokens the decoder sees in training: DAC pads a clip to a whole token."""
        return math.ceil(self.clip_samples / self.hop_length)

    @property
    def clip_seconds(self) -> float:
        return self.clip_samples / self.sample_rate

    @property
    def bitrate(self) -> float:
        return bitrate(self.frame_rate, self.model.n_codebooks, self.model.codebook_size)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Run":
        parts = {"model": Model, "discriminator": Discriminator, "losses": Losses, "training": Training}
        return _build(cls, {**values, **{name: _build(part, values[name]) for name, part in parts.items()}})


def bitrate(frame_rate: float, n_codebooks: int, codebook_size: int) -> float:
    """Theoretical bitrate in bits a second (Eq. 1)."""
    return frame_rate * n_codebooks * math.log2(codebook_size)


@dataclass(frozen=True)
class Study:
    """A whole study; build it with `load_study`."""

    study: str
    seed: int
    sample_rate: int
    cache: str
    corpus: Corpus
    frame_rates: tuple[FrameRate, ...]
    protocols: Mapping[str, Protocol]
    tables: Mapping[str, Any]
    controls: Mapping[str, tuple[float, ...]]
    model: Model
    discriminator: Discriminator
    losses: Losses
    training: Training
    alignment: Mapping[str, str]
    metrics: Mapping[str, str]
    statistics: Mapping[str, float]

    def codec_id(self, frame_rate: float, protocol: str) -> str:
        """`6.25hz-fixed-duration`; plain `50hz` where the paper's two protocols give the same clips, hence one shared run."""
        rate = next((rate for rate in self.frame_rates if rate.frame_rate == frame_rate), None)
        if rate is None:
            known = ", ".join(f"{rate.frame_rate:g}" for rate in self.frame_rates)
            raise ConfigError(f"frame rate {frame_rate:g} has no strides; add it to frame_rates (known: {known})")
        shared = {self._clips(rate, name) for name in ("fixed-duration", "fixed-tokens")}
        if len(shared) == 1 and self._clips(rate, protocol) in shared:
            return f"{frame_rate:g}hz"
        return f"{frame_rate:g}hz-{protocol}"

    def _clips(self, rate: FrameRate, protocol: str) -> tuple[int, int]:
        clip_samples = self.protocols[protocol].clip_samples(rate.hop_length, self.sample_rate)
        return clip_samples, self.protocols[protocol].clips_per_batch(clip_samples, self.sample_rate)

    def _run(self, rate: FrameRate, protocol: str) -> Run:
        clip_samples, batch_clips = self._clips(rate, protocol)
        return Run(
            codec=self.codec_id(rate.frame_rate, protocol),
            protocol=protocol,
            frame_rate=rate.frame_rate,
            strides=rate.strides,
            sample_rate=self.sample_rate,
            clip_samples=clip_samples,
            batch_clips=batch_clips,
            seed=self.seed,
            model=self.model,
            discriminator=self.discriminator,
            losses=self.losses,
            training=self.training,
        )

    @cached_property
    def runs(self) -> dict[str, Run]:
        """Every run that the study can train, by codec id: each frame rate under each protocol."""
        runs = (self._run(rate, protocol) for protocol in self.protocols for rate in self.frame_rates)
        return {run.codec: run for run in reversed(list(runs))}  # reversed: a shared run keeps the first protocol's name

    def codecs(self, protocol: str) -> list[str]:
        """The codec ids of a table's rows, in the table's order; `protocol` is fixed-duration or fixed-tokens."""
        return [self.codec_id(rate, protocol) for rate in self.tables[protocol.replace("-", "_")]]

    @property
    def trained(self) -> list[str]:
        """The runs that `all` trains: the paper's, without the controls."""
        return list(dict.fromkeys(self.codecs("fixed-duration") + self.codecs("fixed-tokens")))

    @property
    def repaired(self) -> dict[str, str]:
        """Repaired codec id -> the fixed-duration run whose weights it edits."""
        sources = [self.codec_id(rate, "fixed-duration") for rate in self.tables["repaired"]]
        return {f"{source}-repaired": source for source in sources}

    @property
    def control_runs(self) -> list[str]:
        return [self.codec_id(rate, protocol) for protocol, rates in self.controls.items() for rate in rates]

    @property
    def reference_codecs(self) -> list[str]:
        return list(self.tables["reference_codecs"])

    @property
    def evaluated(self) -> list[str]:
        """Every codec that the tables of `all` print, the originals first."""
        return [ORIGINAL, *self.reference_codecs, *self.trained, *self.repaired]


def load_study(values: Mapping[str, Any]) -> Study:
    """Check a merged configuration and freeze it.

    Raises ConfigError naming the key and the remedy, before any job starts: unknown keys, wrong types, strides whose product
    does not make the frame rate, a rate that does not divide the sample rate, unknown protocols, metrics, backends and codecs.
    """
    values = _validated(values)
    study = _build(
        Study,
        {
            **values,
            "corpus": _build(Corpus, values["corpus"]),
            "frame_rates": tuple(_build(FrameRate, rate) for rate in values["frame_rates"]),
            "protocols": {name: _build(Protocol, protocol) for name, protocol in values["protocols"].items()},
            "model": _build(Model, values["model"]),
            "discriminator": _build(Discriminator, values["discriminator"]),
            "losses": _build(Losses, values["losses"]),
            "training": _build(Training, values["training"]),
        },
    )
    _check_frame_rates(study)
    _check_protocols(study)
    _check_tables(study)
    _check_corpus(study)
    return study


def _check_frame_rates(study: Study) -> None:
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
    rates = [rate.frame_rate for rate in study.frame_rates]
    if len(set(rates)) < len(rates):
        raise ConfigError("frame_rates: a frame rate is listed twice; keep one")
    if len({len(rate.strides) for rate in study.frame_rates}) > 1:
        raise ConfigError("frame_rates: every rate needs the same number of strides, for only they may differ (section 3.3)")
    if study.model.decoder_dim % 2 ** len(study.frame_rates[0].strides):
        raise ConfigError(
            f"model.decoder_dim: {study.model.decoder_dim} must be divisible by {2 ** len(study.frame_rates[0].strides)}: each of the "
            "decoder's blocks halves it"
        )


def _check_protocols(study: Study) -> None:
    for name, protocol in study.protocols.items():
        for one, other in (("clip_seconds", "clip_tokens"), ("batch_clips", "batch_seconds")):
            if (getattr(protocol, one) is None) == (getattr(protocol, other) is None):
                raise ConfigError(f"protocols.{name}: give exactly one of {one} and {other} (set the other to null)")
    for name in ("fixed-duration", "fixed-tokens"):
        if name not in study.protocols:
            raise ConfigError(f"protocols: {name} is missing; Tables 2 and 4 need the paper's two protocols")
    for name in study.controls:
        if name not in study.protocols:
            raise ConfigError(f"controls.{name}: unknown protocol{_suggestion(name, study.protocols)}; define it under protocols")


def _check_tables(study: Study) -> None:
    known = {rate.frame_rate for rate in study.frame_rates}
    listed = {f"tables.{name}": study.tables[name] for name in ("fixed_duration", "fixed_tokens", "repaired")}
    listed |= {f"controls.{name}": rates for name, rates in study.controls.items()}
    for key, rates in listed.items():
        for rate in rates:
            if rate not in known:
                raise ConfigError(f"{key}: {rate:g} Hz has no strides; add it to frame_rates")
    for rate in study.tables["repaired"]:
        if rate not in study.tables["fixed_duration"]:
            raise ConfigError(f"tables.repaired: {rate:g} Hz is not in tables.fixed_duration, so there is no model to repair; add it there")
    for codec in study.reference_codecs:
        if not is_reference_codec(codec):
            raise ConfigError(
                f"tables.reference_codecs: unknown codec {codec}{_suggestion(codec, REFERENCE_CODECS)}; "
                f"known: {', '.join(REFERENCE_CODECS)}, opus_<kbps>"
            )


def _check_corpus(study: Study) -> None:
    corpus = study.corpus
    if corpus.kind != "synthetic" and not corpus.root:
        raise ConfigError(f"corpus.root: a {corpus.kind} corpus needs the folder that holds its splits")
    both = set(corpus.train) & set(corpus.test)
    if both:
        raise ConfigError(f"corpus.test: {', '.join(sorted(both))} is also in corpus.train; test on speech that was not trained on")


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
)


def is_reference_codec(codec: str) -> bool:
    """Whether `codec` names a published codec that has an adapter in `models/reference/`."""
    name, _, kbps = codec.rpartition("_")
    return codec in REFERENCE_CODECS or (name == "opus" and kbps.isdigit() and int(kbps) > 0)


def _build(cls: type, values: Mapping[str, Any]) -> Any:
    return cls(**{field.name: _frozen(values[field.name]) for field in fields(cls)})


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value


def _validated(values: Mapping[str, Any]) -> dict[str, Any]:
    schema = yaml.safe_load(SCHEMA.read_text())
    values = _plain(values)
    _fill_defaults(values, schema)
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(values))
    if errors:
        raise ConfigError("; ".join(_message(error) for error in errors))
    return values


def _plain(value: Any) -> Any:
    """A deep copy in dicts and lists; the caller's config stays as it was."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _fill_defaults(values: Any, schema: Mapping[str, Any]) -> None:
    if not isinstance(values, dict):
        return
    for name, part in schema.get("properties", {}).items():
        if "default" in part and name not in values:
            values[name] = _plain(part["default"])
        if name in values:
            _fill_defaults(values[name], part)
    extra = schema.get("additionalProperties")
    if isinstance(extra, Mapping):
        for name in set(values) - set(schema.get("properties", {})):
            _fill_defaults(values[name], extra)


def _message(error: jsonschema.ValidationError) -> str:
    key = ".".join(str(part) for part in error.absolute_path) or "the configuration"
    if error.validator == "additionalProperties":
        unknown = sorted(set(error.instance) - set(error.schema["properties"]))
        prefix = ".".join(str(part) for part in error.absolute_path)
        names = ", ".join(f"{prefix}.{name}" if prefix else name for name in unknown)
        return f"{names}: unknown key{_suggestion(unknown[0], error.schema['properties'])}; remove or correct it"
    if error.validator == "required":
        return f"{key}: {error.message}; add it (config.yaml shows each key with its meaning)"
    if error.validator == "enum":
        allowed = ", ".join(str(value) for value in error.validator_value)
        return f"{key}: {error.instance!r} is not one of {allowed}{_suggestion(str(error.instance), error.validator_value)}"
    return f"{key}: {error.message}; config.yaml shows what belongs there"


def _suggestion(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, [str(item) for item in known], n=1)
    return f" (did you mean {close[0]}?)" if close else ""
