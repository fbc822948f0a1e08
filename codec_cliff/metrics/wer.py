"""Word errors of a recogniser on the reconstruction against the reference transcript (section 3.2.1)."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol

import jiwer
import numpy as np

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.corpus.transcripts import NORMALISERS
from codec_cliff.metrics.scorer import Item, Reference, Value, WithoutReference


class Recogniser(Protocol):
    """Audio at `sample_rate` to text, in one way or more: hypotheses by column suffix, the headline under ``""``.

    `batch_utterances` says how many recordings `transcribe` takes at once.
    """

    backend: str
    revision: str
    sample_rate: int
    batch_utterances: int

    def transcribe(self, audio: Sequence[np.ndarray]) -> list[Mapping[str, str]]: ...


class WordErrors(WithoutReference):
    """Counts, not rates: a corpus' WER is the sum of `errors` over the sum of `reference_words` (1 and more is possible).

    Both sides pass through a normaliser. The chosen one fills `errors` and `reference_words`, the others a pair of columns under their
    names (`errors_whisper`, `reference_words_whisper`). A recogniser that answers in several ways fills columns for
    each, `errors<suffix>` and `hypothesis<suffix>`; hypotheses are kept as they were heard.
    """

    def __init__(self, recogniser: Recogniser, normaliser: str = "plain"):
        self.recogniser, self.normaliser = recogniser, normaliser
        self.backend, self.revision, self.sample_rate = recogniser.backend, recogniser.revision, recogniser.sample_rate
        self.batch_utterances = recogniser.batch_utterances

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> Mapping[str, Value]:
        return self.score_batch([(utterance, reference, degraded)])[0]

    def score_batch(self, items: Sequence[Item]) -> list[Mapping[str, Value]]:
        heard = self.recogniser.transcribe([degraded for _, _, degraded in items])
        return [self._row(utterance, texts) for (utterance, _, _), texts in zip(items, heard, strict=True)]

    def _row(self, utterance: Utterance, texts: Mapping[str, str]) -> dict[str, Value]:
        row: dict[str, Value] = {"normaliser": self.normaliser}
        for name, normalise in NORMALISERS.items():
            ending = "" if name == self.normaliser else f"_{name}"
            transcript = normalise(utterance.transcript)
            row[f"reference_words{ending}"] = len(transcript.split())
            for suffix, text in texts.items():
                row[f"errors{suffix}{ending}"] = word_errors(transcript, normalise(text))
        return row | {f"hypothesis{suffix}": text for suffix, text in texts.items()}


def word_errors(reference: str, hypothesis: str) -> int:
    """Substitutions, deletions and insertions between two normalised texts."""
    if not reference:  # jiwer refuses an empty reference; every word heard is an insertion
        return len(hypothesis.split())
    counts = jiwer.process_words(reference, hypothesis)
    return counts.substitutions + counts.deletions + counts.insertions


def pocketsphinx(utterances: Sequence[Utterance], cache: str | None, device: str, normaliser: str = "plain"):
    module = import_module("codec_cliff.metrics.recognisers.pocketsphinx")
    return WordErrors(module.Pocketsphinx([utterance.transcript for utterance in utterances]), normaliser)


def mms_1b_all(utterances: Sequence[Utterance], cache: str | None, device: str, normaliser: str = "plain"):
    module = import_module(
        "codec_cliff.metrics.recognisers.mms"
    )  # transformers and torch: only this backend pays for them
    return WordErrors(module.Mms(cache, device), normaliser)


BACKENDS = {"pocketsphinx": pocketsphinx, "mms_1b_all": mms_1b_all}
