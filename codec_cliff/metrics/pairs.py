"""References and reconstructions, utterance by utterance, at one rate and of one length."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from codec_cliff.corpus.manifest import Utterance, read_manifest
from codec_cliff.corpus.store import INT16_SCALE, AudioStore, open_store, read_int16
from codec_cliff.errors import MetricError
from codec_cliff.metrics.waveform import fit, resample


@dataclass(frozen=True)
class Pairs:
    """A split and its reconstruction by one codec: same ids, same order, same durations."""

    store: AudioStore
    reconstruction: list[Utterance]

    def __len__(self) -> int:
        return len(self.reconstruction)

    def at(self, sample_rate: int | None) -> Iterator[tuple[Utterance, np.ndarray, np.ndarray]]:
        """Reference utterance, its audio, the reconstruction's: float32 (n,) at `sample_rate` or the reference's."""
        for index, (utterance, decoded) in enumerate(zip(self.store.utterances, self.reconstruction, strict=True)):
            rate = sample_rate or utterance.sample_rate
            reference = resample(self.store.audio(index), utterance.sample_rate, rate)
            degraded = resample(read_int16(decoded).astype(np.float32) / INT16_SCALE, decoded.sample_rate, rate)
            yield utterance, reference, fit(degraded, len(reference))


def open_pairs(manifest: str | Path, store: str | Path, reconstruction: str | Path) -> Pairs:
    """Open and check both sides; MetricError where the reconstruction is not one of this manifest."""
    references, decoded = open_store(manifest, store), read_manifest(reconstruction)
    remedy = f"delete {reconstruction} to have it rebuilt from {manifest}"
    if [utterance.utterance_id for utterance in references.utterances] != [
        utterance.utterance_id for utterance in decoded
    ]:
        missing = {utterance.utterance_id for utterance in references.utterances} - {
            row.utterance_id for row in decoded
        }
        raise MetricError(
            f"{reconstruction}: not the utterances of {manifest} in their order "
            f"({len(decoded)} of {len(references.utterances)}, missing {sorted(missing)[:3]}); {remedy}"
        )
    for utterance, row in zip(references.utterances, decoded, strict=True):
        expected = math.ceil(utterance.n_samples * row.sample_rate / utterance.sample_rate)
        if row.n_samples != expected:
            raise MetricError(
                f"{reconstruction}: {row.utterance_id} has {row.n_samples} samples at {row.sample_rate} Hz, "
                f"the original's duration asks for {expected}; {remedy}"
            )
    return Pairs(references, decoded)
