"""Word errors of a recogniser on the reconstruction against the reference transcript (section 3.2.1)."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from importlib import import_module
from typing import Any, Protocol

import jiwer
import numpy as np

from codec_cliff.corpus.account import require_words
from codec_cliff.corpus.manifest import Utterance
from codec_cliff.corpus.transcripts import CHOICES, NORMALISERS
from codec_cliff.metrics.scorer import Item, Reference, Value, WithoutReference


class Recogniser(Protocol):
    """Audio at `sample_rate` to text. `batch_utterances` says how many recordings `transcribe` takes at once."""

    backend: str
    revision: str
    sample_rate: int
    batch_utterances: int

    def transcribe(self, audio: Sequence[np.ndarray]) -> list[str]: ...


class WordErrors(WithoutReference):
    """Counts, not rates: a corpus' WER is the sum of `errors` over the sum of `reference_words` (1 and more is possible).

    Both sides pass through a normaliser. The chosen one fills `errors` and `reference_words`, the others a pair of columns under their
    names (`errors_whisper`, `reference_words_whisper`). A recogniser may loop on broken speech: `insertions` counts the words
    heard beyond those that were said, `beyond_all` is 1 where the errors outnumber the words. Hypotheses are kept as heard.
    """

    def __init__(self, recogniser: Recogniser, normaliser: str = "plain"):
        self.recogniser, self.normaliser = recogniser, normaliser
        self.backend, self.sample_rate = recogniser.backend, recogniser.sample_rate
        self.revision = recogniser.revision + ("" if normaliser in NORMALISERS else f", {normaliser} kept")
        self.batch_utterances = recogniser.batch_utterances

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> Mapping[str, Value]:
        return self.score_batch([(utterance, reference, degraded)])[0]

    def score_batch(self, items: Sequence[Item]) -> list[Mapping[str, Value]]:
        heard = self.recogniser.transcribe([degraded for _, _, degraded in items])
        return [self._row(utterance, text) for (utterance, _, _), text in zip(items, heard, strict=True)]

    def _row(self, utterance: Utterance, text: str) -> dict[str, Value]:
        row: dict[str, Value] = {"normaliser": self.normaliser}
        for name, normalise in {**NORMALISERS, self.normaliser: CHOICES[self.normaliser]}.items():
            said, heard = normalise(utterance.transcript), normalise(text)
            errors, insertions = word_errors(said, heard)
            n_words = len(said.split())
            if name == self.normaliser:
                row |= {"reference_words": n_words, "errors": errors}
                row |= {"insertions": insertions, "beyond_all": int(errors > n_words)}
            else:
                row |= {f"reference_words_{name}": n_words, f"errors_{name}": errors}
        return row | {"hypothesis": text}


def word_errors(reference: str, hypothesis: str) -> tuple[int, int]:
    """Errors between two normalised texts (substitutions, deletions and insertions), and the insertions among them."""
    if not reference:  # jiwer refuses an empty reference; every word heard is an insertion
        return len(hypothesis.split()), len(hypothesis.split())
    counts = jiwer.process_words(reference, hypothesis)
    return counts.substitutions + counts.deletions + counts.insertions, counts.insertions


def needs_words(backend: Callable[..., WordErrors]) -> Callable[..., WordErrors]:
    """A backend that is not even loaded where no transcript has a word."""

    @wraps(backend)
    def checked(utterances: Sequence[Utterance], *arguments: Any, **options: Any) -> WordErrors:
        require_words(utterances)
        return backend(utterances, *arguments, **options)

    return checked


def moonshine_tiny(utterances: Sequence[Utterance], cache: str | None, device: str, normaliser: str = "plain"):
    module = import_module("codec_cliff.metrics.recognisers.moonshine")
    return WordErrors(module.Moonshine(cache), normaliser)


def mms_1b_all(utterances: Sequence[Utterance], cache: str | None, device: str, normaliser: str = "plain"):
    module = import_module("codec_cliff.metrics.recognisers.mms")  # transformers and torch: only this backend has them
    return WordErrors(module.Mms(cache, device), normaliser)


def mms_1b_all_float16(utterances: Sequence[Utterance], cache: str | None, device: str, normaliser: str = "plain"):
    module = import_module("codec_cliff.metrics.recognisers.mms")
    return WordErrors(module.Mms(cache, device, half=True), normaliser)


BACKENDS = {
    "moonshine_tiny": needs_words(moonshine_tiny),
    "mms_1b_all": needs_words(mms_1b_all),
    "mms_1b_all_float16": needs_words(mms_1b_all_float16),
}
