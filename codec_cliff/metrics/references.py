"""What a metric computes of the recordings alone, once a study: one file that all of its codecs share (section 3.2)."""

import argparse
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from tqdm import tqdm

from codec_cliff.corpus.store import AudioStore, open_store
from codec_cliff.errors import MetricError, exit_cleanly
from codec_cliff.files import atomic_path
from codec_cliff.metrics.construct import construct
from codec_cliff.metrics.scorer import WITH_REFERENCE, Scorer
from codec_cliff.metrics.waveform import resample


class References:
    """The features of a manifest's utterances, read one utterance at a time, so that memory stays flat."""

    def __init__(self, path: str | Path, store: AudioStore, scorer: Scorer):
        """Raises MetricError where the file is of other recordings or another backend."""
        self._file = np.load(path)
        if list(self._file["identity"]) != identity(store, scorer):
            raise MetricError(
                f"{path}: holds the features of other recordings or another backend than {scorer.backend} "
                f"({scorer.revision}); delete it to have it computed anew"
            )
        self._names: dict[int, list[str]] = {}
        for name in self._file.files:
            index, _, feature = name.partition(".")
            if feature:
                self._names.setdefault(int(index), []).append(feature)

    def features(self, index: int) -> Mapping[str, np.ndarray]:
        return {name: self._file[f"{index}.{name}"] for name in self._names.get(index, [])}


def write_references(path: str | Path, store: AudioStore, scorer: Scorer) -> None:
    """Write an uncompressed .npz with the members `<utterance number>.<feature>`, one utterance in memory at a time."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w") as file:
        _add(file, "identity", np.array(identity(store, scorer)))
        for index, utterance in enumerate(tqdm(store.utterances, "references", disable=None)):
            rate = scorer.sample_rate or utterance.sample_rate
            audio = resample(store.audio(index), utterance.sample_rate, rate)
            for name, array in scorer.reference(utterance, audio).items():
                _add(file, f"{index}.{name}", array)


def _add(file: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    with file.open(f"{name}.npy", "w", force_zip64=True) as member:
        np.lib.format.write_array(member, np.asarray(array))


def identity(store: AudioStore, scorer: Scorer) -> list[str]:
    """What a file of features belongs to: backend, revision, and each utterance with its length."""
    utterances = [f"{utterance.utterance_id} {utterance.n_samples}" for utterance in store.utterances]
    return [scorer.backend, scorer.revision, *utterances]


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m codec_cliff.metrics.references", description=__doc__)
    parser.add_argument("--metric", required=True, choices=WITH_REFERENCE)
    parser.add_argument("--backend", required=True)
    parser.add_argument("--manifest", required=True, help="the split's manifest")
    parser.add_argument("--store", required=True, help="its audio store")
    parser.add_argument("--output", required=True, help="the features, .npz")
    parser.add_argument("--cache", help="folder for downloaded weights")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda[:n]")
    options = parser.parse_args(arguments)
    store = open_store(options.manifest, options.store)
    scorer = construct(options.metric, options.backend)(store.utterances, options.cache, options.device)
    write_references(options.output, store, scorer)


if __name__ == "__main__":
    exit_cleanly(main)
