"""Which codecs and degradations each offline instrument tells apart: the tables of docs/metrics.md.

    python -m benchmarks.separation FOLDER [--corpus DIR --split test-clean] [--weights CACHE] [--metrics wer:moonshine_tiny ...]

Measures what is not yet in FOLDER, one CSV file a system and instrument, and prints the value of each with its interval, then for
each pair of neighbours on a ladder whether the paired interval leaves out zero: `yes`, `-` (not settled), or `WRONG` where the
instrument prefers the worse one. Recordings and intervals as in a study: 95 %, resampled over speakers.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from benchmarks.degradations import Degradation, noise, opus, reconstruct
from benchmarks.speech import RATE, add_speech, corpus, prepare
from codec_cliff.corpus.store import AudioStore
from codec_cliff.files import write_csv
from codec_cliff.metrics.__main__ import measure
from codec_cliff.metrics.construct import construct
from codec_cliff.metrics.headings import METRICS, Shown
from codec_cliff.metrics.pairs import open_pairs
from codec_cliff.models.reference import load_reference_codec
from codec_cliff.statistics.bootstrap import Estimate, Resampling, bootstrap_ratio, paired_difference, verdict
from codec_cliff.statistics.summary import FIGURES, Figure, read_rows, scored

BY = Resampling(samples=2000, confidence=0.95, seed=0)
INSTRUMENTS = (
    "stoi:pystoi",
    "wer:moonshine_tiny",
    "naturalness:distillmos",
    "naturalness:dnsmos_p808",
    "spk_sim:resemblyzer",
    "mcd:mel_cepstral_distance",
)
SHOWN = ("stoi", "wer", "mcd", "spk_sim", "distillmos", "dnsmos_p808")
PAIRS = (  # the better one first
    ("original", "Opus 24"),
    ("Opus 24", "Opus 12"),
    ("Opus 12", "Opus 6"),
    ("original", "Lyra 9.2"),
    ("Lyra 9.2", "Lyra 6"),
    ("Lyra 6", "Lyra 3.2"),
    ("original", "noise 20 dB"),
    ("noise 20 dB", "noise 10 dB"),
    ("noise 10 dB", "noise 0 dB"),
    ("original", "low-pass 4 kHz"),
)


def low_pass(hz: float) -> Degradation:
    """A Butterworth filter of order 16, forth and back."""
    from scipy.signal import butter, sosfiltfilt

    filters = butter(8, hz, fs=RATE, output="sos")
    return lambda audio: sosfiltfilt(filters, audio).astype(np.float32)


def lyra(bitrate: int, weights: Path) -> Degradation:
    codec = load_reference_codec(f"lyra_{bitrate}", weights, "cpu")
    return lambda audio: codec.decode(codec.encode(torch.from_numpy(audio)), len(audio)).numpy()


def systems(weights: Path) -> dict[str, Degradation]:
    made: dict[str, Degradation] = {"original": lambda audio: audio}
    made |= {f"Opus {kbps}": opus(kbps) for kbps in (24, 12, 6)}
    if weights.is_dir():
        made |= {f"Lyra {rate / 1000:.2g}": lyra(rate, weights) for rate in (9200, 6000, 3200)}
    made |= {f"noise {snr} dB": noise(snr) for snr in (20, 10, 0)}
    return made | {"low-pass 4 kHz": low_pass(4000)}


def measured(folder: Path, store: AudioStore, weights: Path, instruments: list[str]) -> None:
    """Fill in the files that the folder lacks."""
    for name, degrade in systems(weights).items():
        if not (folder / name / "manifest.tsv").exists():
            reconstruct(store, folder / name, degrade)
    for instrument in instruments:
        metric, backend = instrument.split(":")
        scorer = None
        for name in systems(weights):
            if not (path := folder / name / f"{metric}-{backend}.csv").exists():
                scorer = scorer or construct(metric, backend)(store.utterances, None, "cpu")
                pairs = open_pairs(folder / "speech.tsv", folder / "speech.npy", folder / name / "manifest.tsv")
                write_csv(path, measure(metric, scorer, pairs, None))
                print(f"{path} written", flush=True)


@dataclass(frozen=True)
class Column:
    """One figure of one instrument, by system: the utterances' sums."""

    title: str
    shown: Shown
    sums: dict[str, pd.DataFrame]

    def value(self, system: str) -> Estimate:
        sums = self.sums[system]
        return bootstrap_ratio(sums["numerator"], sums["denominator"], sums["speaker_id"], BY)

    def separates(self, better: str, worse: str) -> str:
        both = self.sums[better].join(self.sums[worse], lsuffix="_a", rsuffix="_b", how="inner")
        a, b = ((both[f"numerator_{x}"].to_numpy(), both[f"denominator_{x}"].to_numpy()) for x in "ab")
        found = verdict(paired_difference(a, b, both["speaker_id_a"], BY))
        expected = "lower" if self.shown.better == "higher" else "higher"
        return {"not settled": "-", expected: "yes"}.get(found, "WRONG")


def columns(folder: Path, instrument: str, names: list[str]) -> list[Column]:
    """The instrument's headline."""
    metric, backend = instrument.split(":")
    rows = {name: read_rows(folder / name / f"{metric}-{backend}.csv") for name in names}
    figures = [figure for figure in FIGURES if figure.file == metric and figure.numerator in rows[names[0]].columns]
    return [column(figure, backend, rows) for figure in figures if figure.name in SHOWN]


def column(figure: Figure, backend: str, rows: dict[str, pd.DataFrame]) -> Column:
    shown = METRICS[figure.name]
    return Column(f"{shown.heading}, {backend}", shown, {name: scored(table, figure) for name, table in rows.items()})


def table(header: list[str], lines: list[list[str]]) -> None:
    for line in (header, ["---"] * len(header), *lines):
        print("| " + " | ".join(line) + " |")
    print()


def cell(estimate: Estimate, digits: int) -> str:
    return f"{estimate.value:.{digits}f} [{estimate.low:.{digits}f}, {estimate.high:.{digits}f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    add_speech(parser)
    parser.add_argument("--weights", type=Path, default=Path("../shared/data/weights"), help="that holds lyra/")
    parser.add_argument("--metrics", nargs="+", default=list(INSTRUMENTS), help="metric:backend")
    parser.add_argument("--utterances", type=int, default=None, help="a subset spread over the speakers")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    store = prepare(*corpus(options, options.folder), options.folder, options.utterances)
    measured(options.folder, store, options.weights, options.metrics)
    names = list(systems(options.weights))
    found = [each for instrument in options.metrics for each in columns(options.folder, instrument, names)]
    titles = [each.title for each in found]
    table(
        ["system", *titles], [[name, *(cell(each.value(name), each.shown.digits) for each in found)] for name in names]
    )
    pairs = [(a, b) for a, b in PAIRS if a in names and b in names]
    table(["pair", *titles], [[f"{a} > {b}", *(each.separates(a, b) for each in found)] for a, b in pairs])


if __name__ == "__main__":
    main()
