"""What training hears of a crop: loud enough, at one loudness, at a random phase, as DAC's loader has it.

Source: `AudioSignal.salient_excerpt`, `VolumeNorm`, `RescaleAudio` and `ShiftPhase` of audiotools 0.7.2 with the settings of
https://github.com/descriptinc/descript-audio-codec/blob/c7cfc5d/conf/final/16khz.yml; tests hold these to it on the same clips.
Which crop, which gain and which phase are pure functions of (recordings, seed, clip number), found on the CPU; samples are cut, scaled
and shifted where the networks are.
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from pyloudnorm.iirfilter import IIRfilter
from scipy.signal import sosfilt, sosfreqz

from codec_cliff.corpus.store import INT16_SCALE, AudioStore, Crop, crop, cut
from codec_cliff.study.config import Run

BLOCK_SECONDS, HOP_SECONDS = 0.4, 0.1  # gating blocks of ITU-R BS.1770-4
SHORTEST_SECONDS = 0.5  # audiotools pads what is shorter with zeros before it measures
SILENCE = -70.0  # LUFS
PHASE_WINDOW = 512  # audiotools' 32 ms at 16 kHz
CHUNK = 2**24  # samples copied to the device at once


@dataclass(frozen=True)
class Clips:
    """Some clips of a training step: where each lies, its gain and its phase shift in radians, (B,) each."""

    crops: list[Crop]
    gains: np.ndarray
    phases: np.ndarray


def step_clips(store: AudioStore, run: Run, step: int, first: int = 0, count: int | None = None) -> Clips:
    """Clips `first` to `first + count` of a training step's batch; all of them by default."""
    count = run.batch_clips if count is None else count
    numbers = [step * run.batch_clips + first + number for number in range(count)]
    crops = [crop(store, run.seed, number, run.clip_samples) for number in numbers]
    gains, phases = np.ones(count, dtype=np.float32), np.zeros(count, dtype=np.float32)
    if run.training.loudness is not None or run.training.salient_loudness is not None:
        crops, audio, levels = _salient(store, run, numbers, crops)
        if run.training.loudness is not None:
            peaks = np.abs(audio).max(axis=1)
            gains = 10 ** ((run.training.loudness - levels) / 20)
            gains = np.where(gains * peaks > 1, 1 / np.maximum(peaks, 1e-9), gains).astype(np.float32)  # RescaleAudio
    if run.training.phase_shift:
        draws = [np.random.default_rng([run.seed, 2, number]).uniform(-math.pi, math.pi) for number in numbers]
        phases = np.array(draws, dtype=np.float32)
    return Clips(crops, gains, phases)


def _salient(
    store: AudioStore, run: Run, numbers: list[int], crops: list[Crop]
) -> tuple[list[Crop], np.ndarray, np.ndarray]:
    """Crops, the too quiet ones drawn anew, up to `salient_tries` draws each; their audio (B, T) and loudness in LUFS."""
    audio, levels = cut(store, crops, run.clip_samples), np.full(len(crops), SILENCE)
    limit, tries = run.training.salient_loudness, run.training.salient_tries
    rows = np.arange(len(crops))  # still without a crop to keep
    for attempt in range(1, tries + 1):
        last = limit is None or attempt == tries
        heard = rows if last else rows[loudness_ceiling(audio[rows], run.sample_rate) > limit]
        levels[heard] = loudness(audio[heard], run.sample_rate)
        if last or not (rows := rows[levels[rows] <= limit]).size:
            break
        for row in rows:
            crops[row] = crop(store, run.seed, numbers[row], run.clip_samples, attempt)
        audio[rows] = cut(store, [crops[row] for row in rows], run.clip_samples)
    return crops, audio, levels


@cache
def _weighting(sample_rate: int) -> np.ndarray:
    """The K weighting of BS.1770, a high shelf and a high pass, as second-order sections: filtered in one go, without Python's lock."""
    shelf = IIRfilter(4.0, 1 / math.sqrt(2), 1500.0, sample_rate, "high_shelf")
    stages = (shelf, IIRfilter(0.0, 0.5, 38.0, sample_rate, "high_pass"))
    return np.array([[*(stage.passband_gain * stage.b), *stage.a] for stage in stages])


@cache
def _largest_gain(sample_rate: int) -> float:
    """The most that the K weighting amplifies any frequency, in energy; a little over it, for between the points it is read at."""
    return 1.01 * float((np.abs(sosfreqz(_weighting(sample_rate), 4096)[1]) ** 2).max())


def loudness_ceiling(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """What the loudness of clips (B, T) cannot exceed, in LUFS (B,), without filtering them.

    A filter hands on no more energy than the signal's times its largest gain (Parseval), and no gating block holds more than all of it.
    """
    energy = _largest_gain(sample_rate) * np.vecdot(audio, audio)
    return np.maximum(_lufs(energy / int(BLOCK_SECONDS * sample_rate)), SILENCE)


def loudness(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Integrated gated loudness of clips (B, T), in LUFS (B,), at least -70 (ITU-R BS.1770-4)."""
    clips, length = audio.shape
    shortest = int((SHORTEST_SECONDS - length / sample_rate) * sample_rate)
    heard = np.zeros((clips, length + max(0, shortest)))
    heard[:, :length] = audio
    block, hop = int(BLOCK_SECONDS * sample_rate), int(HOP_SECONDS * sample_rate)
    n_blocks = math.ceil(max(0, heard.shape[1] - block) / hop) + 1
    power = np.zeros((clips, (n_blocks - 1) * hop + block))
    np.square(sosfilt(_weighting(sample_rate), heard), out=power[:, : heard.shape[1]])
    energy = np.stack([power[:, i * hop : i * hop + block].mean(axis=1) for i in range(n_blocks)], axis=1)
    blocks = _lufs(energy)
    gated = _gated_mean(energy, blocks > SILENCE)
    return np.maximum(_lufs(_gated_mean(energy, (blocks > SILENCE) & (blocks > _lufs(gated)[:, None] - 10))), SILENCE)


def _lufs(energy: np.ndarray) -> np.ndarray:
    return -0.691 + 10 * np.log10(np.maximum(energy, 1e-30))


def _gated_mean(energy: np.ndarray, gate: np.ndarray) -> np.ndarray:
    return (energy * gate).sum(axis=1) / np.maximum(gate.sum(axis=1), 1)


class ClipSource:
    """Cuts clips: on the GPU where the store lies there (int16, 2 bytes a sample), else on the CPU."""

    def __init__(self, store: AudioStore, run: Run, device: str, resident: bool):
        self.store, self.run, self.device = store, run, device
        self.samples = _on_device(store.samples, device) if resident else None

    def audio(self, clips: Clips) -> torch.Tensor:
        """Clips as the networks hear them, (B, 1, clip_samples) float32 on the device."""
        samples = self._resident(clips) if self.samples is not None else self._host(clips)
        gains = self._to_device(torch.from_numpy(clips.gains))
        samples = samples * gains[:, None]
        if self.run.training.phase_shift:
            samples = shift_phase(samples, self._to_device(torch.from_numpy(clips.phases)))
        return samples[:, None]

    def _host(self, clips: Clips) -> torch.Tensor:
        return self._to_device(torch.from_numpy(cut(self.store, clips.crops, self.run.clip_samples)))

    def _resident(self, clips: Clips) -> torch.Tensor:
        starts = torch.tensor([self.store.offsets[clip.index] + clip.start for clip in clips.crops])
        lengths = torch.tensor([clip.length for clip in clips.crops])
        positions = torch.arange(self.run.clip_samples, device=self.device)
        inside = positions < self._to_device(lengths)[:, None]
        where = self._to_device(starts)[:, None] + positions
        samples = self.samples[where.clamp(max=self.samples.shape[0] - 1)]
        return torch.where(inside, samples.float() / INT16_SCALE, 0.0)

    def _to_device(self, tensor: torch.Tensor) -> torch.Tensor:
        if not self.device.startswith("cuda"):
            return tensor.to(self.device)
        return tensor.pin_memory().to(self.device, non_blocking=True)


def _on_device(samples: np.ndarray, device: str) -> torch.Tensor:
    """All samples (N,) on the device, a chunk at a time: a whole copy for every process may be more than the host has room for."""
    there = torch.empty(len(samples), dtype=torch.int16, device=device)
    for first in range(0, len(samples), CHUNK):
        chunk = np.array(samples[first : first + CHUNK])
        there[first : first + len(chunk)] = torch.from_numpy(chunk)
    return there


def shift_phase(audio: torch.Tensor, phases: torch.Tensor) -> torch.Tensor:
    """Clips (B, T) with all their frequencies turned by phases (B,), in radians."""
    window = torch.hann_window(PHASE_WINDOW, device=audio.device)
    settings = {"n_fft": PHASE_WINDOW, "hop_length": PHASE_WINDOW // 4, "window": window}
    spectrum = torch.stft(audio, return_complex=True, **settings)
    turned = spectrum * torch.polar(torch.ones_like(phases), phases)[:, None, None]
    return torch.istft(turned, length=audio.shape[1], **settings)
