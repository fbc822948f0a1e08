"""Metrics a second, against the plain way: one process, each library called file by file, the recording's side anew for each codec.

    python -m benchmarks.evaluation [--corpus DIR --split test-clean] [--utterances N]

Eight systems over the same recordings; the suite of the demo (every backend that runs offline). Both sides import and load
their models beforehand and read the same FLACs. The plain side is one process whose ONNX sessions have one thread that
does not spin; ours are two worker processes, as Snakemake runs two jobs on two cores. Their values must agree to 1e-6.
The plain recogniser is the loop that Moonshine's authors publish: everything goes into the decoder and out of it at every token.
A metric's line compares the plain side's seconds with ours on both workers; the last line is wall time against wall time.
"""

import argparse
import math
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

os.environ |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}

import dac
import numpy as np
import torch
import torchaudio

from benchmarks.degradations import Degradation, noise, opus, reconstruct, shift, smear
from benchmarks.speech import RATE, add_speech, corpus, prepare
from codec_cliff.corpus.store import open_store
from codec_cliff.corpus.transcripts import NORMALISERS
from codec_cliff.metrics import waveform
from codec_cliff.metrics.__main__ import measure
from codec_cliff.metrics.construct import construct
from codec_cliff.metrics.delay import delay
from codec_cliff.metrics.pairs import open_pairs
from codec_cliff.metrics.recognisers.moonshine import Moonshine
from codec_cliff.metrics.references import write_references
from codec_cliff.metrics.rows import LEADING
from codec_cliff.metrics.scorer import WITH_REFERENCE
from codec_cliff.metrics.wer import word_errors

BACKENDS = {
    "naturalness": "distillmos",  # the longest jobs first
    "wer": "moonshine_tiny",
    "spk_sim": "resemblyzer",
    "stoi": "pystoi",
    "mcd": "mel_cepstral_distance",
}
WORKERS = 2
TOLERANCE = 1e-6
TARGETS = {"stoi": 3.0, "mcd": 3.0, "spk_sim": 3.0, "wer": 1.9, "naturalness": 1.9, "whole suite": 2.2}


def random_dac(rate: int, seed: int) -> Degradation:
    """A small DAC that nobody trained, at its own rate."""
    torch.manual_seed(seed)
    strides = [2, 4, 8, 8] if seed else [2, 4, 5, 8]
    model = dac.DAC(8, strides, 32, 64, strides[::-1], n_codebooks=4, sample_rate=rate).eval()

    @torch.inference_mode()
    def apply(audio: np.ndarray) -> np.ndarray:
        n_samples = math.ceil(len(audio) * rate / RATE)
        given = torchaudio.functional.resample(torch.from_numpy(audio), RATE, rate)
        decoded = model.decode(model.encode(model.preprocess(given[None, None], rate))[0])[0, 0].numpy()
        return waveform.fit(0.1 * decoded / (np.abs(decoded).max() + 1e-9), n_samples)

    return apply


def systems() -> dict[str, tuple[int, Degradation]]:
    """Name to sample rate and what it does to a recording."""
    return {
        "dac_random_16k": (RATE, random_dac(RATE, 0)),
        "dac_random_24k": (24000, random_dac(24000, 1)),
        "noise_10db": (RATE, noise(10)),
        "smear_160ms": (RATE, smear(160)),
        "opus_6": (RATE, opus(6)),
        "opus_12": (RATE, opus(12)),
        "opus_24": (RATE, opus(24)),
        "shift_20ms": (RATE, shift(20)),
    }


class Plain:
    """The plain way: what a script that calls pystoi, mel-cepstral-distance, Resemblyzer, DistillMOS and Moonshine does."""

    def __init__(self, metrics: list[str]):
        self.metrics = metrics
        from distillmos import ConvTransformerSQAModel
        from resemblyzer import VoiceEncoder

        torch.set_num_threads(1)
        self.encoder = VoiceEncoder("cpu", verbose=False)
        self.opinion = ConvTransformerSQAModel().eval()
        self.recogniser = PlainMoonshine(None)
        self.seconds: dict[str, float] = defaultdict(float)
        self.processor: dict[str, float] = defaultdict(float)

    def score(self, pairs) -> dict[str, list[dict]]:
        rows: dict[str, list[dict]] = defaultdict(list)
        items = pairs.at(None)
        while item := self.timed("reading", lambda: next(items, None)):
            late = self.timed("lag", lambda item=item: delay(*item[1:], RATE))
            for metric in self.metrics:
                rows[metric].append(self.timed(metric, lambda m=metric, i=item, late=late: getattr(self, m)(*i, late)))
        return rows

    def timed(self, name: str, call):
        start, used = time.perf_counter(), time.process_time()
        result = call()
        self.seconds[name] += time.perf_counter() - start
        self.processor[name] += time.process_time() - used
        return result

    def alone(self, metric: str, clock: dict[str, float]) -> float:
        """What a script for this metric alone would take: it reads the files, and needs the lag for STOI and MCD."""
        return clock[metric] + clock["reading"] + (clock["lag"] if metric in ("stoi", "mcd") else 0)

    def stoi(self, utterance, reference, degraded, late):
        import pystoi

        raw = float(pystoi.stoi(reference, degraded, RATE))
        level = waveform.level_difference_db(reference, degraded)
        row = {"stoi": raw, "stoi_aligned": None, "lag_ms": None, "level_difference_db": level}
        if late.samples is None:
            return row
        shifted = waveform.aligned(reference, degraded, late.samples)
        row["stoi_aligned"] = float(pystoi.stoi(*shifted, RATE)) if late.samples else raw
        return row | {"lag_ms": 1000 * late.samples / RATE}

    def mcd(self, utterance, reference, degraded, late):
        row = {"mcd": library_mcd(reference, degraded), "mcd_matched": None}
        if late.samples is None:
            return row
        matched = degraded.astype(np.float64) * waveform.gain(degraded, reference)
        return row | {"mcd_matched": library_mcd(*waveform.aligned(reference, matched, late.samples))}

    def spk_sim(self, utterance, reference, degraded, late):
        level = max(waveform.rms(reference), 10 ** (-30 / 20))
        embeddings = [
            self.encoder.embed_utterance((audio * (level / waveform.rms(audio))).astype(np.float32))
            for audio in (reference, degraded)
        ]
        return {"spk_sim": float(embeddings[0] @ embeddings[1])}

    @torch.inference_mode()
    def naturalness(self, utterance, reference, degraded, late):
        return {"distillmos": self.opinion(torch.from_numpy(degraded)[None]).item()}

    def wer(self, utterance, reference, degraded, late):
        text = self.recogniser.transcribe([degraded])[0]
        row = {"hypothesis": text}
        for name, normalise in NORMALISERS.items():
            ending = "" if name == "plain" else f"_{name}"
            row[f"errors{ending}"] = word_errors(normalise(utterance.transcript), normalise(text))[0]
        return row


class PlainMoonshine(Moonshine):
    def step(self, given, token, first):
        given |= {"input_ids": np.array([[token]]), "use_cache_branch": np.array([not first])}
        logits, *cache = self.decoder.run(None, given)
        for name, value in zip(self.cached, cache, strict=True):
            if first or name in self.grown:
                given[name] = value
        return int(logits[0, -1].argmax())


def library_mcd(reference: np.ndarray, degraded: np.ndarray) -> float:
    from mel_cepstral_distance import compare_amplitude_spectrograms
    from mel_cepstral_distance.computation import get_X_km

    spectra = [get_X_km(audio.astype(np.float64), 512, 512, 128, "hanning") for audio in (reference, degraded)]
    return float(compare_amplitude_spectrograms(*spectra, RATE, 32, aligning="pad")[0])


_SCORERS: dict = {}


def start_worker(folder: Path, metrics: list[str]) -> None:
    torch.set_num_threads(1)
    store = open_store(folder / "speech.tsv", folder / "speech.npy")
    _SCORERS.update({name: construct(name, BACKENDS[name])(store.utterances, None, "cpu") for name in metrics})
    waveform.resample(store.audio(0)[:100], RATE, 24000)  # imports scipy's filters


def references(folder: Path, metric: str):
    used, start = time.process_time(), time.perf_counter()
    store = open_store(folder / "speech.tsv", folder / "speech.npy")
    write_references(folder / f"{metric}.npz", store, _SCORERS[metric])
    return metric, None, [], time.perf_counter() - start, time.process_time() - used


def job(folder: Path, metric: str, system: str):
    used, start = time.process_time(), time.perf_counter()
    pairs = open_pairs(folder / "speech.tsv", folder / "speech.npy", folder / system / "manifest.tsv")
    rows = measure(metric, _SCORERS[metric], pairs, folder / f"{metric}.npz" if metric in WITH_REFERENCE else None)
    return metric, system, rows, time.perf_counter() - start, time.process_time() - used


def ours(folder: Path, names: list[str], metrics: list[str]) -> tuple[dict, dict, dict, float]:
    """Rows by system and metric, worker seconds and processor seconds by metric, and the wall time."""
    rows: dict[str, dict] = {name: {} for name in names}
    seconds, processor = defaultdict(float), defaultdict(float)
    with ProcessPoolExecutor(WORKERS, initializer=start_worker, initargs=(folder, metrics)) as pool:
        list(pool.map(time.sleep, [1.0] * 2 * WORKERS))  # both workers are up and have their models
        start = time.perf_counter()
        running: set[Future] = {
            pool.submit(references, folder, metric) for metric in WITH_REFERENCE if metric in metrics
        }
        running |= {
            pool.submit(job, folder, metric, name)
            for metric in metrics
            if metric not in WITH_REFERENCE
            for name in names
        }
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for metric, system, table, wall, used in (future.result() for future in done):
                seconds[metric] += wall
                processor[metric] += used
                if system is None:
                    running |= {pool.submit(job, folder, metric, name) for name in names}
                else:
                    rows[system][metric] = table
        return rows, seconds, processor, time.perf_counter() - start


def largest_difference(plain: dict[str, list[dict]], mine: dict[str, list[dict]]) -> dict[str, float]:
    """By metric; texts that differ count as infinite."""
    found: dict[str, float] = defaultdict(float)
    for metric, table in plain.items():
        for expected, row in zip(table, mine[metric], strict=True):
            for column in expected:
                a, b = expected[column], row[column]
                off = abs(a - b) if isinstance(a, float | int) else (0.0 if a == b else math.inf)
                found[metric] = max(found[metric], off)
        assert set(table[0]) <= set(mine[metric][0]) - set(LEADING), metric
    return found


def peak_memory(folder: Path, system: str) -> float:
    """MB that one job of STOI takes, in a process of its own."""
    code = (
        "import sys\nfrom codec_cliff.metrics.__main__ import main\nmain(sys.argv[1:])\n"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    arguments = f"--metric stoi --backend pystoi --manifest {folder}/speech.tsv --store {folder}/speech.npy".split()
    arguments += f"--reconstruction {folder}/{system}/manifest.tsv --output {folder}/memory.csv".split()
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_speech(parser)
    parser.add_argument("--utterances", type=int, default=None)
    parser.add_argument("--metrics", nargs="+", default=list(BACKENDS), choices=list(BACKENDS))
    options = parser.parse_args()
    metrics = [metric for metric in BACKENDS if metric in options.metrics]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = corpus(options, folder)
        store = prepare(*source, folder, options.utterances)
        made = systems()
        for name, (rate, degrade) in made.items():
            reconstruct(store, folder / name, degrade, rate)
        print(
            f"{len(store.utterances)} recordings, {store.seconds:.0f} s, {len(made)} systems, {os.cpu_count()} cores",
            flush=True,
        )
        side = Plain(metrics)
        side.score(open_few(folder, "opus_24"))  # libraries compile themselves, sessions allocate
        side.seconds.clear()
        side.processor.clear()
        start_of_plain = time.perf_counter()
        plain = {
            name: side.score(open_pairs(folder / "speech.tsv", folder / "speech.npy", folder / name / "manifest.tsv"))
            for name in made
        }
        wall = time.perf_counter() - start_of_plain
        rows, seconds, processor, our_wall = ours(folder, list(made), metrics)
        report(side, plain, rows, seconds, processor, wall, our_wall)
        small = folder / "small"
        few = prepare(*source, small, max(2, len(store.utterances) // 8))
        reconstruct(few, small / "opus_6", made["opus_6"][1])
        print(
            f"memory of one job: {peak_memory(small, 'opus_6'):.0f} MB for {few.seconds:.0f} s of speech, "
            f"{peak_memory(folder, 'opus_6'):.0f} MB for {store.seconds:.0f} s"
        )
        print(f"ratio {wall / our_wall:.2f}")


def open_few(folder: Path, system: str):
    """The first three utterances of a system."""
    pairs = open_pairs(folder / "speech.tsv", folder / "speech.npy", folder / system / "manifest.tsv")
    store = type(pairs.store)(pairs.store.utterances[:3], pairs.store.samples, pairs.store.offsets)
    return type(pairs)(store, pairs.reconstruction[:3])


def report(side: Plain, plain, rows, seconds, processor, wall, our_wall) -> None:
    off: dict[str, float] = defaultdict(float)
    for name in plain:
        for metric, value in largest_difference(plain[name], rows[name]).items():
            off[metric] = max(off[metric], value)
    n = sum(len(table) for table in next(iter(plain.values())).values()) * len(plain) / len(side.metrics)
    for metric in side.metrics:
        alone = side.alone(metric, side.seconds)
        ratio = alone / (seconds[metric] / WORKERS)
        by_processor = side.alone(metric, side.processor) / (processor[metric] / WORKERS)
        print(
            f"{metric}: plain {n / alone:.1f} utterances/s, ours {n / (seconds[metric] / WORKERS):.1f}, "
            f"x{ratio:.2f} (by processor time x{by_processor:.2f}, target {TARGETS[metric]}), values within {off[metric]:.1e}"
        )
    total, ours_total = sum(side.processor.values()), sum(processor.values()) / WORKERS
    print(f"whole suite by processor time: x{total / ours_total:.2f} (target {TARGETS['whole suite']})")
    print(
        f"whole suite: plain {n * len(side.metrics) / wall:.1f} utterance-metrics/s, ours {n * len(side.metrics) / our_wall:.1f}"
    )
    if worst := [metric for metric, value in off.items() if value > TOLERANCE]:
        print(f"VALUES DIFFER by more than {TOLERANCE}: {', '.join(worst)}")


if __name__ == "__main__":
    main()
