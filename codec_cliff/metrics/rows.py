"""A metric's rows: one an utterance, named, scored in the backend's batches and checked."""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

from codec_cliff.errors import MetricError
from codec_cliff.metrics.scorer import Item, Scorer, Value, score_all

LEADING = ("utterance_id", "speaker_id", "backend", "revision")


def metric_rows(scorer: Scorer, items: Iterable[Item]) -> Iterator[dict[str, Value]]:
    """The rows of items, in their order; MetricError where a value is not finite."""
    items = iter(items)
    while batch := list(islice(items, getattr(scorer, "batch_utterances", 1))):
        for (utterance, *_), values in zip(batch, score_all(scorer, batch), strict=True):
            leading = (utterance.utterance_id, utterance.speaker_id, scorer.backend, scorer.revision)
            yield dict(zip(LEADING, leading, strict=True)) | checked(values, utterance.utterance_id)


def checked(values: Mapping[str, Value], utterance_id: str) -> Mapping[str, Value]:
    """The values; MetricError where one is NaN or infinite, for no table may hold that."""
    for column, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise MetricError(f"{utterance_id}: {column} is {value}; listen to the reconstruction, then report this")
    return values
