"""Loss curves of our step and of the official one on real speech, from the same weights and the same clips.

Four trainings side by side: ours at seed 0 in float32 and in bfloat16, the official step at seed 0, and the official step at seed 1
(other weights, other clips, other quantizer dropout). Ours is right, and half the bits do no harm, where it stays nearer to the
official one than two seeds of that are to each other.
Writes <output>.csv, one row a step and training, and <output>.png.

    python -m benchmarks.loss_curves --corpus data/LibriSpeech --split train-clean-5 --output benchmarks/loss_curves
"""

import argparse
import csv
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import yaml

from benchmarks.official import OfficialStep
from benchmarks.speech import add_speech, corpus, prepare
from codec_cliff.corpus.store import AudioStore
from codec_cliff.models.quantizer import draw_levels
from codec_cliff.paper.scale import PAPER_STUDY
from codec_cliff.study.config import Run
from codec_cliff.study.load import load_study
from codec_cliff.training.clips import ClipSource, step_clips
from codec_cliff.training.loop import step_seed
from codec_cliff.training.step import MicroBatch, build_networks, optimise

SHOWN = ("mel", "adversarial", "feature_matching", "discriminator", "commitment", "codebook")
OURS = {"ours, seed 0": "float32", "ours in bfloat16, seed 0": "bfloat16"}
OFFICIAL = ("official, seed 0", "official, seed 1")
WINDOW = 25  # steps of the running mean that curves are compared by


def narrow_run(seed: int, steps: int, batch_clips: int, periods: list[int]) -> Run:
    """50 Hz at widths that one CPU core trains in minutes, every loss, DAC's recipe; discriminators have one width, so few of them."""
    config = yaml.safe_load(PAPER_STUDY.read_text())
    clips = {"clip_seconds": 0.38, "clip_tokens": None, "batch_clips": batch_clips}
    config["protocols"] |= {"fixed-duration": clips, "fixed-tokens": clips}
    config["seed"] = seed
    config["model"] |= {"encoder_dim": 8, "decoder_dim": 128}
    config["discriminator"] |= {"periods": periods, "fft_sizes": [512]}
    config["training"] |= {"steps": steps, "learning_rate": 3e-4}
    return load_study(config).runs["50hz"]


class Training:
    """One curve: a step, ours or the official one, and the clips it is fed."""

    def __init__(self, name: str, run: Run, store: AudioStore):
        self.name, self.run, self.store = name, run, store
        self.source = ClipSource(store, run, "cpu", resident=False)
        torch.manual_seed(run.seed)
        self.official = OfficialStep(run)
        self.networks = None
        if precision := OURS.get(name):
            self.run = replace(run, training=replace(run.training, precision=precision))
            self.networks = build_networks(run, "cpu")
            self.networks.generator.load_state_dict(self.official.generator.state_dict())
            self.networks.discriminator.load_state_dict(self.official.discriminator.state_dict())

    def __call__(self, step: int) -> dict[str, float]:
        audio = self.source.audio(step_clips(self.store, self.run, step))
        torch.manual_seed(step_seed(self.run.seed, step))  # of the quantizer's dropout
        if self.networks is None:
            losses = self.official(audio)
        else:
            levels = draw_levels(len(audio), self.run.model.n_codebooks, self.run.model.quantizer_dropout)
            losses = optimise(self.networks, self.run, audio, levels, MicroBatch(len(audio))).losses
        return {name: losses[name].item() for name in SHOWN}


def summary(rows: list[dict]) -> list[str]:
    """Mean distance of running means after the first window: ours to the official step, and the official step's two seeds."""
    lines = []
    for loss in SHOWN:
        curves = {}
        for name in (*OURS, *OFFICIAL):
            values = np.array([row[loss] for row in rows if row["training"] == name])
            curves[name] = np.convolve(values, np.ones(WINDOW) / WINDOW, "valid")
        same, other = (curves[name] for name in OFFICIAL)
        lines.append(
            f"{loss:17} last official {same[-1]:8.4f}, seed 1 {other[-1]:8.4f}, ours "
            + " ".join(f"{curves[name][-1]:8.4f} ({precision})" for name, precision in OURS.items())
            + f"; distance seed 1 - seed 0 {np.abs(other - same).mean():8.5f}, ours - official "
            + " ".join(f"{np.abs(curves[name] - same).mean():8.5f} ({precision})" for name, precision in OURS.items())
        )
    return lines


def draw(rows: list[dict], path: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(2, 3, figsize=(11, 5), layout="constrained")
    for loss, panel in zip(SHOWN, panels.flat, strict=True):
        for name, style in zip((*OFFICIAL[::-1], *OURS), ("0.75", "k", "C1", "C0"), strict=True):
            values = [row[loss] for row in rows if row["training"] == name]
            panel.plot(
                np.convolve(values, np.ones(WINDOW) / WINDOW, "valid"),
                color=style,
                label=name,
                lw=1,
                ls="--" if "ours" in name else "-",
            )
        panel.set(title=loss.replace("_", " "), xlabel="step")
    panels[0, 0].legend(frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_speech(parser)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch-clips", type=int, default=4)
    parser.add_argument("--periods", nargs="*", type=int, default=[5], help="of the period discriminators")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    first = narrow_run(0, arguments.steps, arguments.batch_clips, arguments.periods)
    with tempfile.TemporaryDirectory() as folder, open(arguments.output.with_suffix(".csv"), "w", newline="") as file:
        store = prepare(*corpus(arguments, Path(folder), "train"), Path(folder))
        trainings = [Training(name, first, store) for name in (*OURS, OFFICIAL[0])]
        trainings.append(Training(OFFICIAL[1], replace(first, seed=1), store))
        writer = csv.DictWriter(file, ["training", "step", *SHOWN], lineterminator="\n")
        writer.writeheader()
        rows = []
        for step in range(arguments.steps):
            for training in trainings:
                rows.append({"training": training.name, "step": step, **training(step)})
                writer.writerow(
                    {key: f"{value:.6g}" if isinstance(value, float) else value for key, value in rows[-1].items()}
                )
            file.flush()
    print("\n".join(summary(rows)))
    draw(rows, arguments.output.with_suffix(".png"))


if __name__ == "__main__":
    main()
