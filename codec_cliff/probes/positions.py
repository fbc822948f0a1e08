"""Where in an utterance a model errs: by distance from the nearest token boundary, utterance edge and chunk border.

The error of a frame is the mean absolute difference of two log-mel spectra, in dB.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
import torchaudio

FRAME_SECONDS = 0.016  # two frames a frame length: short against a token at 12.5 Hz and below
N_MELS = 40
FLOOR = 1e-7  # of power: about 70 dB below full scale
PHASE_BINS = 8  # of half a token
EDGE_BINS = 8  # whole tokens from an edge; the last one holds all that lies further in


@lru_cache
def _mel(sample_rate: int) -> torchaudio.transforms.MelSpectrogram:
    n_fft = round(2 * FRAME_SECONDS * sample_rate)
    return torchaudio.transforms.MelSpectrogram(
        sample_rate, n_fft=n_fft, hop_length=n_fft // 4, n_mels=N_MELS, center=False
    )


def frame_errors(reference: torch.Tensor, decoded: torch.Tensor, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Error in dB of each frame (F,), and the sample at its middle (F,); both signals (T,)."""
    mel = _mel(sample_rate)
    if reference.shape[0] < mel.n_fft:
        return np.empty(0), np.empty(0)
    levels = [10 * torch.log10(mel(audio) + FLOOR) for audio in (reference, decoded)]  # (N_MELS, F)
    errors = (levels[0] - levels[1]).abs().mean(0).numpy()
    return errors, np.arange(len(errors)) * mel.hop_length + mel.n_fft / 2


def distances(middles: np.ndarray, hop_length: int, n_samples: int, borders: Sequence[int]) -> dict[str, np.ndarray]:
    """The bin of each frame's distance, by what it is a distance from.

    `token_boundary` in `PHASE_BINS`-ths of half a token; `utterance_edge` and `chunk_border` in half tokens, the last bin open.
    """
    in_tokens = middles / hop_length
    from_boundary = np.abs(in_tokens - np.round(in_tokens))  # 0 to 0.5
    from_edge = np.minimum(in_tokens, n_samples / hop_length - in_tokens)
    found = {
        "token_boundary": np.minimum(from_boundary * 2 * PHASE_BINS, PHASE_BINS - 1).astype(int),
        "utterance_edge": np.clip(from_edge * 2, 0, EDGE_BINS - 1).astype(int),
    }
    if borders:
        nearest = np.abs(in_tokens[:, None] - np.asarray(borders)).min(1)
        found["chunk_border"] = np.clip(nearest * 2, 0, EDGE_BINS - 1).astype(int)
    return found


def position_rows(errors: np.ndarray, bins: dict[str, np.ndarray]) -> list[dict[str, object]]:
    """One row a kind of distance and bin: how many frames, and the sum of their errors."""
    return [
        {"distance": kind, "bin": int(number), "frames": int((found == number).sum())}
        | {"error_sum": float(errors[found == number].sum())}
        for kind, found in bins.items()
        for number in np.unique(found)
    ]
