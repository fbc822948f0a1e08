"""The embedded recogniser: Moonshine tiny English (Jeffries et al. 2024, arXiv:2410.15608), out of its authors' wheel."""

import hashlib
import math
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import onnxruntime

from codec_cliff.errors import MetricError
from codec_cliff.metrics.recognisers.vocabulary import read_vocabulary, spell

VERSION = "0.0.49"  # later wheels hold no weights
FOLDER = Path("moonshine_voice/assets/tiny-en")  # in the wheel
ENCODER, DECODER, TOKENS = "encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin"
SHA256 = {
    ENCODER: "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
    DECODER: "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
    TOKENS: "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
}
TOKENS_A_SECOND = 6.5  # the authors' cap: where more are heard, the decoder is in a loop
MIN_SECONDS = 0.1  # the authors': shorter audio does not fill the convolutions
# ours: 194 positions were trained. Recordings of LibriSpeech strung together have 5.7 % WER at 25 s, 6.9 at 31 and 71 at 53.
PIECE_SECONDS = (20, 30)
PAUSE = 800  # samples, 50 ms
START, END = 1, 2
EMPTY = np.zeros((1, 8, 0, 36), np.float32)  # attention's cache before the first token: heads, tokens, channels


class Moonshine:
    """Greedy transcripts of whole recordings, each by itself, 6.5 tokens a second at most.

    Not the wheel's own loop, which cuts recordings at pauses first: 3.3 % WER instead of 6.5 % on 40 utterances of LibriSpeech
    test-clean. Not in batches: the network counts in 8 bits and scales them over all that it is given, so that a recording's
    words would depend on the others in its batch (3 in 40), for a sixth of the time. What is longer than 30 s is heard in
    pieces, cut where it is quietest.
    """

    backend = "moonshine_tiny"
    revision = f"moonshine-voice {VERSION}, tiny-en"
    sample_rate = 16000
    batch_utterances = 1

    def __init__(self, cache: str | None):
        """`cache`: where the unpacked wheel may lie instead; MetricError, with what to do, where the weights are not found."""
        folder = weights(Path(cache or "cache"))
        self.encoder, self.decoder = session(folder / ENCODER), session(folder / DECODER)
        self.vocabulary = read_vocabulary(folder / TOKENS)
        self.cached = [value.name for value in self.decoder.get_inputs() if value.name.startswith("past_key_values")]
        self.grown = [name for name in self.cached if ".decoder." in name]  # the others are made with the first token

    def transcribe(self, audio: Sequence[np.ndarray]) -> list[str]:
        """Each of float32 (n,) at 16 kHz to text with capitals and punctuation, in the order given; "" below 0.1 s."""
        return [" ".join(filter(None, map(self.hear, pieces(recording)))) for recording in audio]

    def hear(self, audio: np.ndarray) -> str:
        """Audio (n,) at once."""
        seconds = len(audio) / self.sample_rate
        limit = math.ceil(seconds * TOKENS_A_SECOND) if seconds >= MIN_SECONDS else 0
        return spell(self.vocabulary, self.decode(audio, limit)) if limit else ""

    def decode(self, audio: np.ndarray, limit: int) -> list[int]:
        """Greedy tokens, at most `limit`, without start and end."""
        heard = np.ones((1, len(audio)), np.int64)
        states = self.encoder.run(None, {"input_values": audio[None].astype(np.float32), "attention_mask": heard})[0]
        given = {"encoder_attention_mask": heard, "encoder_hidden_states": states} | dict.fromkeys(self.cached, EMPTY)
        tokens = [START]
        while tokens[-1] != END and len(tokens) <= limit:
            tokens.append(self.step(given, tokens[-1], first=len(tokens) == 1))
        return [token for token in tokens if token not in (START, END)]

    def step(self, given: dict[str, np.ndarray], token: int, first: bool) -> int:
        """The likeliest token after `token`; the caches in `given` are brought up to date."""
        names = self.cached if first else self.grown
        given |= {"input_ids": np.array([[token]]), "use_cache_branch": np.array([not first])}
        logits, *cache = self.decoder.run(
            ["logits", *(name.replace("past_key_values", "present") for name in names)], given
        )
        given |= dict(zip(names, cache, strict=True))
        return int(logits[0, -1].argmax())


def pieces(audio: np.ndarray) -> list[np.ndarray]:
    """Audio (n,) in pieces of 30 s at most, each cut in the quietest 50 ms of its last 10 s."""
    earliest, latest = (seconds * Moonshine.sample_rate for seconds in PIECE_SECONDS)
    if len(audio) <= latest:
        return [audio]
    energy = np.convolve(audio[earliest:latest] ** 2, np.ones(PAUSE), mode="valid")
    cut = earliest + int(energy.argmin()) + PAUSE // 2
    return [audio[:cut], *pieces(audio[cut:])]


def session(path: Path) -> onnxruntime.InferenceSession:
    """On one thread that sleeps while it waits: jobs run side by side."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def weights(cache: Path) -> Path:
    """The folder of the three files, in the installed wheel or unpacked below `cache`; MetricError where they are in neither."""
    for folder in (installed(), cache / FOLDER):
        if folder is not None and all((folder / name).is_file() for name in SHA256):
            return checked(folder)
    raise MetricError(
        f"metrics.wer: the weights of moonshine_tiny are not here; run `uv sync --group recogniser`. Where moonshine-voice {VERSION} "
        "has no wheel (glibc below 2.34, macOS below 15), its weights serve all the same: `uv tool run pip download --no-deps "
        f"--only-binary=:all: --platform manylinux_2_34_x86_64 --dest {cache} moonshine-voice=={VERSION}`, then "
        f"`python -m zipfile -e {cache}/moonshine_voice-{VERSION}-py3-none-manylinux_2_34_x86_64.whl {cache}`. "
        "Or set metrics.wer to mms_1b_all"
    )


def installed() -> Path | None:
    try:
        return Path(str(distribution("moonshine-voice").locate_file(FOLDER)))
    except PackageNotFoundError:
        return None


def checked(folder: Path) -> Path:
    """The folder; MetricError where a file is not the one that the figures were measured with."""
    for name, expected in SHA256.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
            raise MetricError(
                f"{folder / name}: not moonshine-voice {VERSION}'s; run `uv sync --group recogniser "
                "--reinstall-package moonshine-voice`, or unpack the wheel again"
            )
    return folder
