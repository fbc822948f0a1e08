"""A study's configuration, frozen; every derived number of the paper is computed here and nowhere else."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cached_property
from typing import Any

from codec_cliff.errors import ConfigError

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
    """A frame rate (Hz) and the encoder strides that make it; the decoder's are the reverse (section 3.3).

    A `name` tells a further order of strides for the same rate from the rate's own, which has none; the probes' arms ask for it.
    """

    frame_rate: float
    strides: tuple[int, ...]
    name: str | None = None

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
        return max(1, round(self.clip_seconds * sample_rate))

    def clips_per_batch(self, clip_samples: int, sample_rate: int) -> int:
        if self.batch_clips is not None:
            return self.batch_clips
        return max(1, round(self.batch_seconds * sample_rate / clip_samples))


@dataclass(frozen=True)
class Model:
    """A study may give `n_codebooks` and `codebook_size` by frame rate, `{"12.5": 12, "6.25": 24}`; a run has numbers."""

    encoder_dim: int
    decoder_dim: int
    n_codebooks: int | Mapping[str, int]
    codebook_size: int | Mapping[str, int]
    codebook_dim: int
    quantizer_dropout: float
    padding: str = "zeros"  # of the "same" convolutions; younger than some run folders, which have zeros

    def at(self, frame_rate: float) -> "Model":
        """The model at a frame rate (Hz); KeyError where its codebooks are given by frame rate and not for this one."""
        codebooks = {name: getattr(self, name) for name in BY_FRAME_RATE}
        given = {name: value for name, value in codebooks.items() if isinstance(value, Mapping)}
        return replace(self, **{name: value[f"{frame_rate:g}"] for name, value in given.items()})


BY_FRAME_RATE = ("n_codebooks", "codebook_size")  # keys of a model that may be given by frame rate


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
    # Keys younger than some run folders: the values here are what a run without the key was trained with.
    loudness: float | None = None
    salient_loudness: float | None = None
    salient_tries: int = 1
    phase_shift: bool = False
    precision: str = "float32"
    deterministic: bool = False
    resident_store: bool = True
    micro_batch_clips: int | None = None
    keep_steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class Arms:
    """Probe runs of one frame rate: each clip length in `tokens` and each of the study's `protocols`, with every seed.

    `audio` is the audio a step of the `tokens`, in multiples of the probes' `batch_seconds`; `strides` names one of the rate's further
    stride orders, `variant` one of the probes' variants.
    """

    frame_rate: float
    seeds: tuple[int, ...]
    tokens: tuple[int, ...] = ()
    protocols: tuple[str, ...] = ()
    audio: float = 1.0
    strides: str | None = None
    variant: str | None = None

    @property
    def label(self) -> str:
        """What tells these runs from the study's own at the same rate and clips; empty where nothing does."""
        return "-".join(filter(None, (self.strides, self.variant)))


@dataclass(frozen=True)
class Probes:
    """What the probes train and compare beyond the paper; `arms` are ranked, the most telling first.

    `variants` are changes to the study's model, losses and training by name: `{"replicate": {"model": {"padding": "replicate"}}}`.
    """

    batch_seconds: float
    metrics: tuple[str, ...]
    arms: tuple[Arms, ...]
    variants: Mapping[str, Mapping[str, Mapping[str, Any]]]


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
    gpus: float = 1  # below 1: a share of one
    variant: str = ""  # what tells a probe's run from the study's own: a stride order, a variant

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
        return build(cls, {**values, **{name: build(part, values[name]) for name, part in parts.items()}})


# What may differ between two trainings that make the same weights: where they run and how they are watched.
FREE_KEYS = ("device", "log_every_steps", "checkpoint_every_seconds", "deterministic", "resident_store")
FREE_KEYS += ("micro_batch_clips", "keep_steps")


def digest(run: Run) -> str:
    """A hash of everything in a run's configuration that shapes its weights.

    A key younger than a checkpoint, at the value that it had without a name, makes no difference.
    """
    values = {key: value for key, value in run.to_dict().items() if key not in ("gpus", "variant")}
    for part, cls in (("model", Model), ("training", Training)):
        younger = {field.name: field.default for field in fields(cls) if field.default is not MISSING}
        values[part] = {
            key: value
            for key, value in values[part].items()
            if key not in FREE_KEYS and not (key in younger and value == younger[key])
        }
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def bitrate(frame_rate: float, n_codebooks: int, codebook_size: int) -> float:
    """Theoretical bitrate in bits a second (Eq. 1)."""
    return frame_rate * n_codebooks * math.log2(codebook_size)


@dataclass(frozen=True)
class Study:
    """A whole study; made by `study.load.load_study`."""

    study: str
    seed: int
    sample_rate: int
    cache: str
    corpus: Corpus
    frame_rates: tuple[FrameRate, ...]
    protocols: Mapping[str, Protocol]
    tables: Mapping[str, Any]
    controls: Mapping[str, tuple[float, ...]]
    probes: Probes
    model: Model
    discriminator: Discriminator
    losses: Losses
    training: Training
    gpus: Mapping[str, float]
    alignment: Mapping[str, str]
    transcripts: Mapping[str, str]
    metrics: Mapping[str, str]
    statistics: Mapping[str, float]

    def codec_id(self, frame_rate: float, protocol: str) -> str:
        """`6.25hz-fixed-duration`; plain `50hz` where the paper's two protocols give the same clips, hence one shared run."""
        rate = self.rate(frame_rate)
        shared = {self._clips(rate, name) for name in ("fixed-duration", "fixed-tokens")}
        if len(shared) == 1 and self._clips(rate, protocol) in shared:
            return f"{frame_rate:g}hz"
        return f"{frame_rate:g}hz-{protocol}"

    def rate(self, frame_rate: float, name: str | None = None) -> FrameRate:
        """The study's entry for a frame rate in Hz, or for a named stride order of it; ConfigError where it has none."""
        for rate in self.frame_rates:
            if (rate.frame_rate, rate.name) == (frame_rate, name):
                return rate
        known = ", ".join(f"{rate.frame_rate:g}" + (f" {rate.name}" if rate.name else "") for rate in self.frame_rates)
        asked = f"{frame_rate:g}" + (f" {name}" if name else "")
        raise ConfigError(f"frame rate {asked} has no strides; add it to frame_rates (known: {known})")

    @property
    def own_rates(self) -> list[FrameRate]:
        """The frame rates in their own stride order, one entry each: what tables and figures walk over."""
        return [rate for rate in self.frame_rates if rate.name is None]

    def _clips(self, rate: FrameRate, name: str) -> tuple[int, int]:
        protocol = self.protocols[name] if name in self.protocols else self._clip_lengths[name]
        clip_samples = protocol.clip_samples(rate.hop_length, self.sample_rate)
        return clip_samples, protocol.clips_per_batch(clip_samples, self.sample_rate)

    def _run(self, rate: FrameRate, protocol: str, codec: str, seed: int, arms: Arms | None = None) -> Run:
        clip_samples, batch_clips = self._clips(rate, protocol)
        parts = self.parts(arms.variant if arms else None)
        return Run(
            codec=codec,
            protocol=protocol,
            frame_rate=rate.frame_rate,
            strides=rate.strides,
            sample_rate=self.sample_rate,
            clip_samples=clip_samples,
            batch_clips=batch_clips,
            seed=seed,
            model=parts["model"].at(rate.frame_rate),
            discriminator=self.discriminator,
            losses=parts["losses"],
            training=parts["training"],
            gpus=self.gpus.get(codec, 1),
            variant=arms.label if arms else "",
        )

    def parts(self, variant: str | None = None) -> dict[str, Any]:
        """Model, losses and training, as the study has them or as one of the probes' variants changes them."""
        changes = self.probes.variants[variant] if variant else {}
        return {
            name: replace(getattr(self, name), **{key: frozen(value) for key, value in changes.get(name, {}).items()})
            for name in ("model", "losses", "training")
        }

    @cached_property
    def runs(self) -> dict[str, Run]:
        """Every run that the study can train, by codec id: each frame rate under each protocol, and the probes' own."""
        cells = [(rate, protocol) for protocol in self.protocols for rate in self.own_rates]
        runs = [
            self._run(rate, name, self.codec_id(rate.frame_rate, name), self.seed) for rate, name in reversed(cells)
        ]  # reversed: a shared run keeps the first protocol's name
        return {run.codec: run for run in runs} | self.probe_runs

    @cached_property
    def _clip_lengths(self) -> dict[str, Protocol]:
        """The protocols that the probes' arms imply, by name: `3-tokens`, `3-tokens-8x-audio`."""
        return {
            _clip_length(tokens, arms.audio): Protocol(None, tokens, None, arms.audio * self.probes.batch_seconds)
            for arms in self.probes.arms
            for tokens in arms.tokens
        }

    @cached_property
    def probe_runs(self) -> dict[str, Run]:
        """The probes' runs by codec id, in rank order; a label and another seed than the study's are suffixes, `-replicate-seed1`.

        A variant that changes nothing at a frame rate is the study's own run there.
        """
        runs: dict[str, Run] = {}
        for arms in self.probes.arms:
            rate = self.rate(arms.frame_rate, arms.strides)
            lengths = [_clip_length(tokens, arms.audio) for tokens in arms.tokens]
            for seed in arms.seeds:
                suffix = "" if seed == self.seed else f"-seed{seed}"
                for name in (*arms.protocols, *lengths):
                    codec = (
                        self.codec_id(rate.frame_rate, name)
                        if name in arms.protocols
                        else f"{rate.frame_rate:g}hz-{name}"
                    )
                    plain = self._run(self.rate(rate.frame_rate), name, f"{codec}{suffix}", seed)
                    changed = self._run(rate, name, f"{codec}-{arms.label}{suffix}", seed, arms)
                    run = plain if replace(changed, codec=plain.codec, variant=plain.variant) == plain else changed
                    runs.setdefault(run.codec, run)
        return runs

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
        """Published codecs by id, and folders of somebody's reconstructions by the name that the study gives them."""
        return [codec if isinstance(codec, str) else codec["name"] for codec in self.tables["reference_codecs"]]

    @property
    def folders(self) -> dict[str, str]:
        """Codec -> the folder that holds what it made of the test recordings, for codecs that are no more than that."""
        return {
            codec["name"]: codec["folder"] for codec in self.tables["reference_codecs"] if not isinstance(codec, str)
        }

    @property
    def evaluated(self) -> list[str]:
        """Every codec that the tables of `all` print, the originals first."""
        return [ORIGINAL, *self.reference_codecs, *self.trained, *self.repaired]


def _clip_length(tokens: int, audio: float) -> str:
    return f"{tokens}-tokens" + ("" if audio == 1 else f"-{audio:g}x-audio")


def build(cls: type, values: Mapping[str, Any]) -> Any:
    """A dataclass from values; a key that is not there takes the field's default, where it has one."""
    known = [field for field in fields(cls) if field.name in values or field.default is MISSING]
    return cls(**{field.name: frozen(values[field.name]) for field in known})


def frozen(value: Any) -> Any:
    return tuple(frozen(item) for item in value) if isinstance(value, list | tuple) else value
