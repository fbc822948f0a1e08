"""Word errors of a recogniser on the reconstruction against the reference transcript (section 3.2.1)."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol

import jiwer
import numpy as np

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.metrics.scorer import Value
from codec_cliff.metrics.transcripts import normalise


class Recogniser(Protocol):
    """Audio at `sample_rate` to text, in one way or more: hypotheses by column suffix, the headline under ``""``."""

    backend: str
    revision: str
    sample_rate: int

    def transcribe(self, audio: np.ndarray) -> Mapping[str, str]: ...


class WordErrors:
    """Counts, not rates: a corpus' WER is the sum of `errors` over the sum of `reference_words` (1 and more is
       possible).
    Both sides pass through `transcripts.normalise`. A recogniser that answers in several ways fills one pair of columns
       for each, `errors<suffix>` and `hypothesis<suffix>`.
    """

    def __init__(self, recogniser: Recogniser):
        self.recogniser = recogniser
        self.backend, self.revision, self.sample_rate = recogniser.backend, recogniser.revision, recogniser.sample_rate

    def score(self, utterance: Utterance, reference: np.ndarray, degraded: np.ndarray) -> dict[str, Value]:
        transcript = normalise(utterance.transcript)
        row: dict[str, Value] = {"reference_words": len(transcript.split())}
        for suffix, text in self.recogniser.transcribe(degraded).items():
            hypothesis = normalise(text)
            row |= {f"errors{suffix}": word_errors(transcript, hypothesis), f"hypothesis{suffix}": hypothesis}
        return row


def word_errors(reference: str, hypothesis: str) -> int:
    """Substitutions, deletions and insertions between two normalised texts."""
    if not reference:  # jiwer refuses an empty reference; every word heard is an insertion
        return len(hypothesis.split())
    counts = jiwer.process_words(reference, hypothesis)
    return counts.substitutions + counts.deletions + counts.insertions


def pocketsphinx(utterances: Sequence[Utterance], cache: str | None, device: str) -> WordErrors:
    module = import_module("codec_cliff.metrics.recognisers.pocketsphinx")
    return WordErrors(module.Pocketsphinx([utterance.transcript for utterance in utterances]))


def mms_1b_all(utterances: Sequence[Utterance], cache: str | None, device: str) -> WordErrors:
    module = import_module(
        "codec_cliff.metrics.recognisers.mms"
    )  # transformers and torch: only this backend pays for them
    return WordErrors(module.Mms(cache, device))


BACKENDS = {"pocketsphinx": pocketsphinx, "mms_1b_all": mms_1b_all}
