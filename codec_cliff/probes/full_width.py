"""Two trainings at full width side by side for some minutes, and what tells the explanations apart in the weights both have kept last.

Leaves the scores of every variant of both, an utterance a row, the norms of the first convolution's taps at every kept step, the
curves of the losses, and reconstructions as FLAC: as they are, repaired, and in overlapping chunks of the training length.
"""

import contextlib
import json
import logging
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import replace
from pathlib import Path

import torch

from codec_cliff.corpus.store import AudioStore, open_store
from codec_cliff.errors import TrainingError, exit_cleanly
from codec_cliff.files import atomic_path, write_csv
from codec_cliff.metrics.construct import construct
from codec_cliff.models.codec import CodecFacts
from codec_cliff.models.dac import TrainedCodec, load_generator
from codec_cliff.probes.along import FIRST, kept_steps
from codec_cliff.probes.drift import drift_rows
from codec_cliff.probes.side_by_side import Trainings, abandon, begin, shared_gpu, timed_arguments
from codec_cliff.probes.variants import Variant, measure, variants
from codec_cliff.reconstruction import write_reconstructions
from codec_cliff.study.config import Study

log = logging.getLogger("full width")
HEARD = ("whole", "zero-uncovered", "overlapping-chunks")  # variants whose reconstructions are written


class AsCodec:
    """A variant behind the signature of a codec: codes are the model's own."""

    def __init__(self, variant: Variant):
        self.variant = variant

    @property
    def facts(self) -> CodecFacts:
        return self.variant.codec.facts

    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        return self.variant.codec.encode(audio)

    def decode(self, codes: torch.Tensor, n_samples: int) -> torch.Tensor:
        return self.variant.decode(codes, n_samples)


def common_step(results: Path, codecs: Sequence[str]) -> int:
    """The newest step that every run has kept; TrainingError where there is none."""
    shared = set.intersection(*(set(kept_steps(results / "runs" / codec)) for codec in codecs))
    if not shared:
        raise TrainingError(f"{results}/runs: no step is kept by all of {', '.join(codecs)}; train for longer")
    return max(shared)


def _codec(results: Path, codec: str, step: int, device: str) -> TrainedCodec:
    run, model = load_generator(results / "runs" / codec / "steps" / str(step))
    return TrainedCodec(replace(run, codec=codec), model, device)


def _store(results: Path) -> AudioStore:
    torch.set_num_threads(1)
    return open_store(results / "data" / "test.tsv", results / "data" / "test.npy")


def score(results: Path, codec: str, step: int, device: str) -> None:
    """Scores and errors by position of every variant."""
    store = _store(results)
    scorers = [construct("stoi", "pystoi")(store.utterances, None, "cpu")]
    scores, positions = measure(_codec(results, codec, step, device), store, scorers)
    write_csv(results / "probes" / "scores" / f"{codec}.csv", scores)
    write_csv(results / "probes" / "positions" / f"{codec}.csv", positions)


def write_sound(results: Path, codec: str, step: int, device: str) -> None:
    """The reconstructions of `HEARD`, each under `reconstruction/<codec>-<variant>`."""
    store = _store(results)
    for variant in variants(_codec(results, codec, step, device)):
        if variant.name in HEARD:
            name = f"{codec}-{variant.name}".removesuffix("-whole")
            write_reconstructions(name, AsCodec(variant), store, results / "reconstruction" / name, device)


def write_taps(results: Path, codec: str, step: int, device: str) -> None:
    """Norms of the first convolution's taps and their likeness to the draw they began as, at every kept step."""
    torch.set_num_threads(1)
    rows = []
    for kept in kept_steps(results / "runs" / codec):
        run, model = load_generator(results / "runs" / codec / "steps" / str(kept))
        rows += [{**row, "codec": codec, "step": kept} for row in drift_rows(run, model) if row["layer"] == FIRST]
    write_csv(results / "probes" / "along_taps" / f"{codec}.csv", rows)


JOBS: tuple[Callable[..., None], ...] = (score, write_sound, write_taps)


def compare(study: Study, results: Path, device: str, deadline: float) -> None:
    """Measure both runs at the newest step they share, until the deadline (time.monotonic())."""
    codecs = list(study.probe_runs)
    step = common_step(results, codecs)
    with atomic_path(results / "compared.json") as temporary:
        temporary.write_text(json.dumps({"step": step, "codecs": codecs}, indent=1))
    log.info("comparing %s at step %d", " and ".join(codecs), step)
    pool = ProcessPoolExecutor(2 * len(JOBS), multiprocessing.get_context("spawn"))
    jobs = {(job.__name__, codec): pool.submit(job, results, codec, step, device) for job in JOBS for codec in codecs}
    wait(jobs.values(), timeout=max(0.0, deadline - time.monotonic()))
    for (name, codec), job in jobs.items():
        outcome = "not done, for want of time" if not job.done() else job.exception() or "done"
        log.info("%s of %s: %s", name, codec, outcome)
    abandon(pool)


def main() -> None:
    options = timed_arguments(__doc__).parse_args()
    study, device, start = begin(options)
    runs = [replace(run, training=replace(run.training, device=device)) for run in study.probe_runs.values()]
    with shared_gpu() if device.startswith("cuda") else contextlib.nullcontext(False):
        trainings = Trainings(runs, options.results, start + options.deadline)
        trainings.start(len(runs))
        while trainings.ended.get() is not None:
            pass
        compare(study, options.results, device, start + options.finish)


if __name__ == "__main__":
    exit_cleanly(main)
