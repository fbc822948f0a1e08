"""The one signature that every metric backend answers to."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from codec_cliff.corpus.manifest import Utterance

Value = float | int | str | None  # None is an empty cell: the metric is not defined for this utterance


class Scorer(Protocol):
    """A metric's backend, constructed once a job as `Scorer(utterances, cache, device)`.
    `utterances` is the reference manifest, `cache` the folder for downloaded weights or None, `device` auto, cpu or
       cuda[:n].
    """

    backend: str
    revision: str
    sample_rate: int | None  # the rate (Hz) that `score` wants its audio at; None: any

    def score(self, utterance: Utterance, reference: np.ndarray, degraded: np.ndarray) -> Mapping[str, Value]:
        """Audio float32 (n,), both at one rate and of one length, to the metric's columns."""
        ...
