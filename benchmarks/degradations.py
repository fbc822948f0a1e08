"""Speech made worse by known amounts, for benchmarks and for seeing each metric react in the right order.

    python -m benchmarks.degradations [--corpus DIR --split test-clean]

With LibriSpeech it prints the table of docs/metrics.md.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile
import torch

from benchmarks.speech import RATE, add_speech, corpus, prepare
from codec_cliff.corpus.manifest import Utterance, write_manifest
from codec_cliff.corpus.store import AudioStore
from codec_cliff.metrics.__main__ import measure
from codec_cliff.metrics.construct import construct
from codec_cliff.metrics.pairs import open_pairs
from codec_cliff.metrics.references import write_references
from codec_cliff.metrics.scorer import WITH_REFERENCE
from codec_cliff.metrics.waveform import rms
from codec_cliff.models.reference.opus import Opus

Degradation = Callable[[np.ndarray], np.ndarray]


def opus(kbps: int) -> Degradation:
    codec = Opus(kbps)
    return lambda audio: codec.decode(codec.encode(torch.from_numpy(audio)), len(audio)).numpy()


def noise(snr: float) -> Degradation:
    """White noise at a signal-to-noise ratio in decibel."""
    return lambda audio: audio + np.random.default_rng(0).normal(size=len(audio)) * rms(audio) * 10 ** (-snr / 20)


def smear(milliseconds: float) -> Degradation:
    """Every block of so many milliseconds gets one mean log-magnitude spectrum, phases kept: one token that says no more."""

    def apply(audio: np.ndarray) -> np.ndarray:
        hop, block = 128, max(1, round(milliseconds * RATE / 1000 / 128))
        window = torch.hann_window(512)
        spectrum = torch.stft(torch.from_numpy(audio), 512, hop, window=window, return_complex=True)
        logarithm = torch.log(spectrum.abs() + 1e-5)
        for start in range(0, logarithm.shape[1], block):
            logarithm[:, start : start + block] = logarithm[:, start : start + block].mean(1, keepdim=True)
        smeared = torch.polar(logarithm.exp(), spectrum.angle())
        return torch.istft(smeared, 512, hop, window=window, length=len(audio)).numpy()

    return apply


def shift(milliseconds: float) -> Degradation:
    n_samples = round(milliseconds * RATE / 1000)
    return lambda audio: np.concatenate([np.zeros(n_samples, audio.dtype), audio[: len(audio) - n_samples]])


def level(decibel: float) -> Degradation:
    return lambda audio: audio * 10 ** (decibel / 20)


LADDERS: dict[str, dict[str, Degradation]] = {
    "original": {"original": lambda audio: audio},
    "opus": {f"Opus {kbps} kbit/s": opus(kbps) for kbps in (24, 16, 12, 8, 6)},
    "noise": {f"noise {snr} dB": noise(snr) for snr in (30, 20, 10, 0)},
    "smear": {f"smear {ms} ms": smear(ms) for ms in (20, 40, 80, 160)},
    "shift": {"shift 20 ms": shift(20)},
    "level": {"-6 dB": level(-6)},
}


def reconstruct(store: AudioStore, folder: Path, degrade: Degradation, rate: int = RATE) -> Path:
    """Every utterance through `degrade`, as 16-bit FLAC with its manifest, whose path is returned."""
    rows: list[Utterance] = []
    for index, utterance in enumerate(store.utterances):
        path = folder / f"{utterance.utterance_id}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = np.clip(np.round(degrade(store.audio(index)) * 32768), -32768, 32767).astype(np.int16)
        soundfile.write(path, samples, rate, subtype="PCM_16")
        rows.append(replace(utterance, path=str(path), n_samples=len(samples), sample_rate=rate))
    write_manifest(folder / "manifest.tsv", rows)
    return folder / "manifest.tsv"


def mean(rows: list[dict], column: str) -> float:
    values = [row[column] for row in rows if row[column] is not None]
    return float(np.mean(values)) if values else float("nan")


def corpus_figures(rows: dict[str, list[dict]]) -> dict[str, float]:
    """The figures of one degradation, over all utterances: means, and word errors over words in percent."""
    figures = {}
    for table in (table for metric, table in rows.items() if metric != "wer"):
        figures |= {name: mean(table, name) for name, value in table[0].items() if isinstance(value, float)}
    for ending in ("", "_whisper") if "wer" in rows else ():
        errors, words = (
            sum(row[f"{column}{ending}"] for row in rows["wer"]) for column in ("errors", "reference_words")
        )
        figures[f"wer{ending}"] = 100 * errors / words
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_speech(parser)
    parser.add_argument("--mcd", default="mel_cepstral_distance", choices=("mel_cepstral_distance", "pymcd"))
    parser.add_argument("--naturalness", default="distillmos", choices=("distillmos", "dnsmos_p808"))
    parser.add_argument("--metrics", nargs="+", default=["stoi", "wer", "mcd", "spk_sim", "naturalness"])
    parser.add_argument("--utterances", type=int, default=None, help="a subset spread over the speakers")
    options = parser.parse_args()
    backends = {"stoi": "pystoi", "wer": "moonshine_tiny", "mcd": options.mcd, "spk_sim": "resemblyzer"}
    backends |= {"naturalness": options.naturalness}
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        store = prepare(*corpus(options, folder), folder, options.utterances)
        print(
            f"{len(store.utterances)} recordings, {store.seconds:.0f} s, {len({each.speaker_id for each in store.utterances})} speakers"
        )
        scorers = {name: construct(name, backends[name])(store.utterances, None, "cpu") for name in options.metrics}
        for name in set(scorers) & set(WITH_REFERENCE):
            write_references(folder / f"{name}.npz", store, scorers[name])
        header = None
        for label, degrade in (pair for ladder in LADDERS.values() for pair in ladder.items()):
            manifest = reconstruct(store, folder / label.replace("/", "-"), degrade)
            pairs = open_pairs(folder / "speech.tsv", folder / "speech.npy", manifest)
            files = {name: folder / f"{name}.npz" if name in WITH_REFERENCE else None for name in scorers}
            rows = {name: measure(name, scorer, pairs, files[name]) for name, scorer in scorers.items()}
            figures = corpus_figures(rows)
            if header is None:
                header = list(figures)
                print(
                    "| " + " | ".join(["degradation", *header]) + " |\n" + "| --- " * (len(header) + 1) + "|",
                    flush=True,
                )
            print("| " + " | ".join([label, *(f"{figures[name]:.3f}" for name in header)]) + " |", flush=True)


if __name__ == "__main__":
    main()
