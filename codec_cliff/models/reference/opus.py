"""Opus at 16 kHz (libopus, in PyAV's wheel): a codec without codebooks that runs anywhere, offline.

Not in the paper. It stands beside the neural codecs as a known quantity, and in the demo in their place.
"""

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import torch
from scipy.signal import resample_poly

from codec_cliff.errors import CodecError
from codec_cliff.models.codec import CodecFacts, fit_length
from codec_cliff.models.reference.facts import opus_kbps, reference_facts

LOWEST, HIGHEST = (
    6,
    256,
)  # kbit/s of one channel: what RFC 6716, section 2, recommends at least; what FFmpeg takes at most
DECODER_RATE = 48000  # FFmpeg's libopus decoder gives nothing else
PRE_SKIP = slice(10, 12)  # of the OpusHead header (RFC 7845, section 5.1): samples at 48 kHz, little-endian

# CBR, so that the bitrate is the one in the name. "audio", not "voip": libopus documents it as the mode whose output is
# as close as possible to the input, where voip high-passes and emphasises formants; the metrics compare with the input.
OPTIONS = {"vbr": "off", "application": "audio", "frame_duration": "20"}


def load(codec_id: str, cache: Path, device: torch.device) -> "Opus":
    """`opus_<kbps>`; there are no weights, and it runs on the CPU whatever the device."""
    return Opus(opus_kbps(codec_id))


class Opus:
    """Opus at a constant `kbps`; `encode` gives the packets as a list of bytes, every call with a fresh encoder."""

    facts: CodecFacts

    def __init__(self, kbps: int):
        if not LOWEST <= kbps <= HIGHEST:
            raise CodecError(
                f"opus_{kbps}: Opus makes {LOWEST} to {HIGHEST} kbit/s of one channel; name a bitrate within"
            )
        self.facts = reference_facts(f"opus_{kbps}")
        self._pre_skip = _pre_skip(self.facts)
        self._bits = 0
        self._seconds = 0.0

    @property
    def measured_bitrate(self) -> float:
        """Bits a second over all `encode` calls: the nominal plus what padding to whole packets and the delay cost."""
        return self._bits / self._seconds if self._seconds else 0.0

    def encode(self, audio: torch.Tensor) -> list[bytes]:
        """Audio (T,) to packets of 20 ms; one more than the audio fills where the codec's delay needs it."""
        encoder = _encoder(self.facts)
        packets = []
        for frame in _frames(audio.detach().cpu().numpy(), encoder.frame_size, self.facts.sample_rate):
            packets += encoder.encode(frame)
        packets = [bytes(packet) for packet in packets + encoder.encode(None)]
        self._bits += 8 * sum(len(packet) for packet in packets)
        self._seconds += len(audio) / self.facts.sample_rate
        return packets

    def decode(self, codes: list[bytes], n_samples: int) -> torch.Tensor:
        """Packets to audio (n_samples,), the codec's delay removed."""
        decoder = av.CodecContext.create("libopus", "r")
        decoder.sample_rate, decoder.layout = DECODER_RATE, "mono"
        frames = [frame for packet in codes for frame in decoder.decode(av.Packet(packet))]
        audio = np.concatenate([frame.to_ndarray()[0] for frame in frames]) / 32768.0  # 16-bit PCM
        audio = resample_poly(audio[self._pre_skip :], 1, DECODER_RATE // self.facts.sample_rate)  # zero-phase
        return fit_length(torch.from_numpy(audio.astype(np.float32)), n_samples)


def _encoder(facts: CodecFacts) -> av.CodecContext:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = facts.sample_rate, "mono", "flt"
    encoder.bit_rate = int(facts.bitrate)
    encoder.options = OPTIONS
    encoder.open()
    return encoder


def _pre_skip(facts: CodecFacts) -> int:
    return int.from_bytes(bytes(_encoder(facts).extradata)[PRE_SKIP], "little")


def _frames(audio: np.ndarray, frame_size: int, sample_rate: int) -> Iterator[av.AudioFrame]:
    padded = np.pad(audio.astype(np.float32), (0, -len(audio) % frame_size))
    for start in range(0, len(padded), frame_size):
        frame = av.AudioFrame.from_ndarray(padded[None, start : start + frame_size], format="flt", layout="mono")
        frame.sample_rate, frame.pts = sample_rate, start
        yield frame
