"""Decoding in clips as long as in training: no layer then meets a length that it was not trained on."""

import torch

from codec_cliff.models.codec import fit_length
from codec_cliff.models.dac import TrainedCodec

AT_ONCE = 16  # chunks decoded in one call


def chunks(n_tokens: int, length: int, hop: int) -> list[tuple[int, int, int, int]]:
    """(first, end, keep_from, keep_to) of each chunk, in tokens: decode [first, end), keep [keep_from, keep_to).

    Chunks of `length` tokens every `hop`; the last one is moved back so that it is whole. Kept stretches tile the utterance: the
    middle `hop` tokens of each chunk, and all up to the edge at both ends.
    """
    starts = sorted({min(start, max(0, n_tokens - length)) for start in range(0, max(1, n_tokens), hop)})
    starts = [start for start in starts if start == starts[-1] or start + length < n_tokens]
    margin = (length - hop) // 2
    borders = [0, *(start + margin for start in starts[1:]), n_tokens]
    return [
        (start, min(start + length, n_tokens), kept, to)
        for start, kept, to in zip(starts, borders[:-1], borders[1:], strict=True)
    ]  # fmt: skip


def decode_in_chunks(codec: TrainedCodec, codes: torch.Tensor, n_samples: int, length: int, hop: int) -> torch.Tensor:
    """Codes (n_codebooks, N) to audio (n_samples,), chunk by chunk of `length` tokens."""
    per_token = codec.run.hop_length
    tiles = chunks(codes.shape[1], length, hop)
    stretches = torch.stack([codes[:, first:end] for first, end, _, _ in tiles])  # all of one length
    decoded = torch.cat([codec.decode_all(part) for part in stretches.split(AT_ONCE)])
    kept = [
        audio[(keep_from - first) * per_token : (keep_to - first) * per_token]
        for audio, (first, _, keep_from, keep_to) in zip(decoded, tiles, strict=True)
    ]
    return fit_length(torch.cat(kept), n_samples)


def borders(n_tokens: int, length: int, hop: int) -> list[int]:
    """The token positions at which two chunks' audio meets."""
    return [kept for _, _, kept, _ in chunks(n_tokens, length, hop)][1:]
