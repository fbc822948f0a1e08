"""Folders as users have them: recordings that sound unlike each other, and what a system made of them."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 16000
SECONDS = (1.6, 1.7, 1.8, 1.9)


def recording(number: int) -> np.ndarray:
    """Noise whose level and colour change like syllables, another way in every recording."""
    random = np.random.default_rng(number)
    n_samples = round(SECONDS[number % len(SECONDS)] * RATE)
    bands = [np.repeat(random.random(1 + n_samples // 1600) ** 3, 1600)[:n_samples] for _ in range(4)]
    time = np.arange(n_samples) / RATE
    carriers = [
        np.sin(2 * np.pi * hertz * time + random.normal(size=n_samples).cumsum() / 30)
        for hertz in (200, 700, 1500, 2800)
    ]
    return (0.15 * sum(level * tone for level, tone in zip(bands, carriers, strict=True))).astype(np.float32)


def originals(folder: Path, n: int = 4) -> Path:
    for number in range(n):
        save(folder / f"s{number % 2}" / f"u{number}.wav", recording(number))
    return folder


def system(folder: Path, change=lambda audio: audio, n: int = 4, rate: int = RATE, suffix: str = ".wav") -> Path:
    """`change` of every recording, in a folder without sub-folders."""
    for number in range(n):
        save(folder / f"u{number}{suffix}", change(recording(number)), rate)
    return folder


def noisy(audio: np.ndarray) -> np.ndarray:
    return audio + 0.01 * np.random.default_rng(0).normal(size=len(audio)).astype(np.float32)


def save(path: Path, audio: np.ndarray, rate: int = RATE, subtype: str | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, audio, rate, subtype)
