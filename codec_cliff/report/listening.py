"""Clips to judge by ear: a few utterances picked by rule, every codec's version as Opus, waveform and mel spectrogram.

The rule: among test utterances that are neither very short nor long, the word errors of all trained models are summed; two utterances
in the middle of that order and the two at its end are taken. The length is bounded so that the page's size is.
"""

import argparse
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image
from scipy.signal import resample_poly

from codec_cliff.canvas import matplotlib
from codec_cliff.corpus.audio_files import read_audio
from codec_cliff.corpus.manifest import Utterance, read_manifest
from codec_cliff.errors import CorpusError, exit_cleanly
from codec_cliff.files import atomic_path
from codec_cliff.metrics import mel
from codec_cliff.statistics.summary import read_rows

SHORTEST, LONGEST = 1.5, 12.0  # seconds
PICKS = 2  # utterances of each kind
BITRATE = 48000  # of the copies; speech at 16 and 24 kHz sounds the same
OPUS_RATES = (8000, 12000, 16000, 24000, 48000)
N_FFT, HOP, N_MELS = 512, 160, 80
DECIBELS = 80  # below the recording's loudest: black
PIXELS_A_SECOND = 50
ENVELOPE = 240  # columns of the waveform


@dataclass(frozen=True)
class Pick:
    """An utterance, why it was taken (`median`, `worst`), and its word errors and words over all ranked models."""

    utterance_id: str
    why: str
    errors: int
    words: int


def pick(utterances: Sequence[Utterance], errors: dict[str, int], words: dict[str, int]) -> list[Pick]:
    """The utterances to listen to: the middle and the end of the order by word error rate, ties by id."""
    fit = [utterance for utterance in utterances if SHORTEST <= utterance.seconds <= LONGEST]
    fit = fit or sorted(utterances, key=lambda utterance: utterance.seconds)[:PICKS]
    ids = [utterance.utterance_id for utterance in fit if words.get(utterance.utterance_id)]
    ranked = sorted(ids, key=lambda name: (errors[name] / words[name], name))
    worst = ranked[max(len(ranked) - PICKS, 0) :]
    rest = ranked[: -PICKS or None] if len(ranked) > PICKS else []
    first = max((len(ranked) - PICKS) // 2, 0)
    middle = [name for name in ranked[first : first + PICKS] if name in rest]
    chosen = [(name, "median") for name in middle] + [(name, "worst") for name in reversed(worst)]
    return [Pick(name, why, errors[name], words[name]) for name, why in chosen]


def word_errors(metrics: Path, codecs: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Errors and reference words of each utterance, summed over codecs."""
    tables = [read_rows(metrics / codec / "wer.csv").set_index("utterance_id") for codec in codecs]
    sums = [sum(table[column] for table in tables) for column in ("errors", "reference_words")]
    return sums[0].astype(int).to_dict(), sums[1].astype(int).to_dict()


def opus(audio: np.ndarray, sample_rate: int) -> bytes:
    """Audio (n,) as an Ogg Opus file."""
    if sample_rate not in OPUS_RATES:
        audio, sample_rate = _resampled(audio, sample_rate, 48000), 48000
    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=sample_rate, layout="mono")
        stream.bit_rate = BITRATE
        frame = av.AudioFrame.from_ndarray(audio[None].astype(np.float32), format="flt", layout="mono")
        frame.sample_rate = sample_rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return file.getvalue()


def _resampled(audio: np.ndarray, sample_rate: int, to: int) -> np.ndarray:
    common = math.gcd(sample_rate, to)
    return resample_poly(audio, to // common, sample_rate // common)


def decibels(audio: np.ndarray, sample_rate: int) -> np.ndarray:
    """Mel spectrogram in dB, (N_MELS, frames), low frequencies first."""
    at_16k = _resampled(audio, sample_rate, mel.SAMPLE_RATE) if sample_rate != mel.SAMPLE_RATE else audio
    power = mel.mel_spectrogram(at_16k, N_FFT, HOP, mel.mel_filters(N_FFT, N_MELS))
    return 10 * np.log10(np.maximum(power, 1e-10))


def picture(spectrogram: np.ndarray, loudest: float, seconds: float) -> bytes:
    """A spectrogram (mels, frames) in dB as WebP, in a colour map that the colour-blind can read; high frequencies on top."""
    shade = np.clip(1 + (spectrogram[::-1] - loudest) / DECIBELS, 0, 1)
    colours = (matplotlib.colormaps["cividis"](shade)[..., :3] * 255).astype(np.uint8)
    image = Image.fromarray(colours).resize((max(1, round(seconds * PIXELS_A_SECOND)), N_MELS))
    file = io.BytesIO()
    image.save(file, "webp", quality=60, method=6)
    return file.getvalue()


def envelope(audio: np.ndarray) -> list[list[int]]:
    """Lowest and highest sample of each of ENVELOPE columns, in hundredths of full scale."""
    edges = np.linspace(0, len(audio), ENVELOPE + 1).astype(int)
    parts = [audio[start : max(end, start + 1)] for start, end in pairwise(edges)]
    return [[round(100 * float(part.min())), round(100 * float(part.max()))] for part in parts]


def write_clips(folder: Path, utterance_id: str, paths: dict[str, str]) -> list[dict[str, object]]:
    """Write each codec's clip and picture; `paths` has the originals first, by whose loudest point all are shaded."""
    clips, loudest = [], None
    for codec, path in paths.items():
        audio, sample_rate = read_audio(path)
        spectrogram = decibels(audio, sample_rate)
        loudest = float(spectrogram.max()) if loudest is None else loudest
        seconds = len(audio) / sample_rate
        stem = f"{utterance_id}/{codec}"
        files = {"audio": (f"{stem}.ogg", opus(audio, sample_rate))}
        files["picture"] = (f"{stem}.webp", picture(spectrogram, loudest, seconds))
        for name, content in files.values():
            with atomic_path(folder / name) as temporary:
                temporary.write_bytes(content)
        names = {kind: name for kind, (name, _) in files.items()}
        clips.append({"codec": codec, "seconds": seconds, **names, "envelope": envelope(audio)})
    return clips


def write(results: Path, folder: Path, codecs: Sequence[str], ranked: Sequence[str]) -> None:
    """Fill `folder` with clips and `listening.json`, which lists them; CorpusError where no utterance can be ranked."""
    utterances = read_manifest(results / "data" / "test.tsv")
    picks = pick(utterances, *word_errors(results / "metrics", ranked))
    if not picks:
        raise CorpusError(f"{results}/data/test.tsv: no utterance with words; add transcripts to the test recordings")
    rule = {"shortest": SHORTEST, "longest": LONGEST, "bitrate": BITRATE, "ranked_by": list(ranked)}
    write_listing(folder, rule, picks, utterances, decoded_paths(results, codecs))
    print(f"{folder}: {', '.join(f'{p.utterance_id} ({p.why})' for p in picks)}, {len(codecs)} codecs", flush=True)


def decoded_paths(results: Path, codecs: Sequence[str]) -> dict[str, dict[str, str]]:
    """Each codec's decoded files by utterance id."""
    return {
        codec: {
            row.utterance_id: row.path for row in read_manifest(results / "reconstruction" / codec / "manifest.tsv")
        }
        for codec in codecs
    }


def write_listing(
    folder: Path,
    rule: Mapping[str, Any],
    picks: Sequence[Any],
    utterances: Sequence[Utterance],
    decoded: Mapping[str, Mapping[str, str]],
) -> None:
    """Fill `folder` with every codec's clips of the picked utterances, where it has decoded them, and with listening.json.

    Picks are dataclasses with an `utterance_id`.
    """
    by_id = {utterance.utterance_id: utterance for utterance in utterances}
    listed = []
    for chosen in picks:
        paths = {codec: files[chosen.utterance_id] for codec, files in decoded.items() if chosen.utterance_id in files}
        utterance = by_id[chosen.utterance_id]
        facts = {"speaker_id": utterance.speaker_id, "seconds": utterance.seconds, "transcript": utterance.transcript}
        clips = write_clips(folder, chosen.utterance_id, paths)
        listed.append({**asdict(chosen), **facts, "clips": clips})
    with atomic_path(folder / "listening.json") as temporary:
        temporary.write_text(json.dumps({"rule": rule, "utterances": listed}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", required=True, type=Path, help="results/<study>")
    parser.add_argument("--codecs", required=True, nargs="+", help="to listen to, the originals first")
    parser.add_argument(
        "--ranked-by", required=True, nargs="+", help="the codecs whose word errors rank the utterances"
    )
    parser.add_argument("--folder", required=True, type=Path)
    args = parser.parse_args()
    write(args.results, args.folder, args.codecs, args.ranked_by)


if __name__ == "__main__":
    exit_cleanly(main)
