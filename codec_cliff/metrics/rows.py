"""A metric's rows: one an utterance, named, scored in the backend's batches and checked."""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import numpy as np

from codec_cliff.corpus.store import LOUDEST
from codec_cliff.errors import MetricError
from codec_cliff.metrics.scorer import Item, Scorer, Value, score_all

LEADING = ("utterance_id", "speaker_id", "backend", "revision")


def metric_rows(scorer: Scorer, items: Iterable[Item]) -> Iterator[dict[str, Value]]:
    """The rows of items, in their order; MetricError where a sample or a value is not finite. Digital silence is named."""
    items, silent = iter(items), []
    while batch := list(islice(items, getattr(scorer, "batch_utterances", 1))):
        for utterance, _, degraded in batch:
            check_samples(degraded, utterance.utterance_id)
            silent += [] if degraded.any() else [utterance.utterance_id]
        for (utterance, *_), values in zip(batch, score_all(scorer, batch), strict=True):
            leading = (utterance.utterance_id, utterance.speaker_id, scorer.backend, scorer.revision)
            yield dict(zip(LEADING, leading, strict=True)) | checked(values, utterance.utterance_id)
    if silent:
        print(f"digital silence, every sample zero, in {len(silent)} reconstructions: {', '.join(silent)}", flush=True)


def check_samples(audio: np.ndarray, utterance_id: str) -> None:
    """MetricError where samples are no numbers, or so far beyond full scale that they are no audio in [-1, 1]."""
    if broken := np.count_nonzero(~np.isfinite(audio)):
        raise MetricError(
            f"{utterance_id}: {broken} of the reconstruction's {len(audio)} samples are NaN or infinite; the codec is broken"
        )
    if (peak := np.abs(audio).max(initial=0)) > LOUDEST:
        raise MetricError(
            f"{utterance_id}: the reconstruction peaks at {peak:.4g} times full scale; divide integers by their full scale"
        )


def checked(values: Mapping[str, Value], utterance_id: str) -> Mapping[str, Value]:
    """The values; MetricError where one is NaN or infinite, for no table may hold that."""
    for column, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise MetricError(f"{utterance_id}: {column} is {value}; listen to the reconstruction, then report this")
    return values
