"""The one signature that every metric backend answers to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from codec_cliff.corpus.manifest import Utterance

Value = float | int | str | None  # None is an empty cell: the metric is not defined for this utterance

# Metrics of which something depends on the recording alone: computed once a study and shared by all its codecs.
WITH_REFERENCE = ("stoi", "mcd", "spk_sim")


@dataclass(frozen=True)
class Reference:
    """A recording, float32 (n,) at the scorer's rate, and what the metric has computed of it alone."""

    audio: np.ndarray
    features: Mapping[str, np.ndarray]


class Scorer(Protocol):
    """A metric's backend, constructed once a job as `Scorer(utterances, cache, device)`.
    `utterances` is the reference manifest, `cache` the folder for downloaded weights or None, `device` auto, cpu or
       cuda[:n].
    """

    backend: str
    revision: str
    sample_rate: int | None  # the rate (Hz) that audio comes at; None: the recording's

    def reference(self, utterance: Utterance, audio: np.ndarray) -> Mapping[str, np.ndarray]:
        """What depends on the recording (n,) alone; arrays that are kept on disk and handed back to `score`."""
        ...

    def score(self, utterance: Utterance, reference: Reference, degraded: np.ndarray) -> Mapping[str, Value]:
        """The metric's columns; `degraded` is float32 (n,), of the reference's rate and length."""
        ...


class WithoutReference:
    """A backend that keeps nothing of the recording between codecs, or listens to the reconstruction alone."""

    def reference(self, utterance: Utterance, audio: np.ndarray) -> Mapping[str, np.ndarray]:
        return {}


def referenced(scorer: Scorer, utterance: Utterance, audio: np.ndarray) -> Reference:
    """A recording with its features computed here and now, where no file of them is at hand."""
    return Reference(audio, scorer.reference(utterance, audio))


Item = tuple[Utterance, Reference, np.ndarray]


def score_all(scorer: Scorer, items: Sequence[Item]) -> list[Mapping[str, Value]]:
    """The rows of several utterances: in one batch where the backend makes batches (`score_batch`), else one by one."""
    if hasattr(scorer, "score_batch"):
        return scorer.score_batch(items)
    return [scorer.score(*item) for item in items]
