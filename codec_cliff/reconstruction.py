"""Every test utterance through a codec and back: 16-bit FLAC at the codec's own rate, and the codes (section 3.2)."""

import argparse
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio
from tqdm import tqdm

from codec_cliff.corpus.decoded import DecodedFiles
from codec_cliff.corpus.manifest import Utterance, write_manifest
from codec_cliff.corpus.store import AudioStore, open_store
from codec_cliff.device import choose_device
from codec_cliff.errors import CodecError, exit_cleanly
from codec_cliff.files import atomic_path
from codec_cliff.models.codec import Codec
from codec_cliff.models.reference import load_reference_codec
from codec_cliff.study.config import ORIGINAL

PROGRESS_SECONDS = 20


def reconstruct(codec: Codec, audio: torch.Tensor, sample_rate: int) -> tuple[torch.Tensor, object]:
    """Audio (T,) at `sample_rate` to its reconstruction at the codec's own rate, shape (ceil(T * rate / sample_rate),), and the codes.

    Resampling into the codec's rate is torchaudio's windowed sinc with its defaults.
    """
    n_samples = math.ceil(audio.shape[0] * codec.facts.sample_rate / sample_rate)
    if codec.facts.sample_rate != sample_rate:
        audio = torchaudio.functional.resample(audio, sample_rate, codec.facts.sample_rate)
    codes = codec.encode(audio)
    return codec.decode(codes, n_samples), codes


def write_reconstructions(
    codec_id: str, codec: Codec | DecodedFiles | None, store: AudioStore, folder: Path, device: str
) -> None:
    """Fill `folder` with FLACs, manifest.tsv, codes.npz (where the codec has codebooks) and codec.json.

    `codec` None stands for the unprocessed recordings, DecodedFiles for what somebody else's codec has made of them. Raises
    CodecError where a reconstruction is not finite.
    """
    utterances, codes, peaks = [], [], {}
    start = shown = time.monotonic()
    for index, utterance in enumerate(tqdm(store.utterances, codec_id, disable=None)):
        audio, sample_rate, utterance_codes = _decoded(codec, store, index)
        codes.append(utterance_codes)
        peaks[utterance.utterance_id] = float(audio.abs().max()) if len(audio) else 0.0
        utterances.append(_write_flac(folder, utterance, audio, sample_rate))
        if time.monotonic() - shown > PROGRESS_SECONDS:
            print(f"{codec_id}: {index + 1} of {len(store.utterances)} utterances", flush=True)
            shown = time.monotonic()
    if all(isinstance(item, torch.Tensor) for item in codes) and codec.facts.n_codebooks:
        _write_codes(folder / "codes.npz", codes)
    facts = _facts(codec, utterances) | {"codec": codec_id, "device": device}
    facts |= {"seconds": time.monotonic() - start, "audio_seconds": store.seconds} | oddities(codec_id, peaks)
    with atomic_path(folder / "codec.json") as temporary:
        temporary.write_text(json.dumps(facts, indent=1))
    write_manifest(folder / "manifest.tsv", utterances)


def oddities(codec_id: str, peaks: Mapping[str, float]) -> dict[str, int]:
    """How many reconstructions are digital silence or were clipped, where any are; printed with their ids. `peaks`: by utterance."""
    found = {
        "silent_utterances": [name for name, peak in peaks.items() if peak == 0],
        "clipped_utterances": [name for name, peak in peaks.items() if peak > 1],
    }
    for what, names in found.items():
        if names:
            print(f"{codec_id}: {len(names)} {what.replace('_', ' ')}: {', '.join(names)}", flush=True)
    return {what: len(names) for what, names in found.items() if names}


def _decoded(
    codec: Codec | DecodedFiles | None, store: AudioStore, index: int
) -> tuple[torch.Tensor, int, torch.Tensor | object | None]:
    """What becomes of an utterance: audio (n,), its sample rate, and the codes where there are any."""
    utterance = store.utterances[index]
    if isinstance(codec, DecodedFiles):
        audio, sample_rate = codec.audio(utterance)
        return torch.from_numpy(audio), sample_rate, None
    audio = torch.from_numpy(store.audio(index))
    if codec is None:
        return audio, utterance.sample_rate, None
    audio, codes = reconstruct(codec, audio, utterance.sample_rate)
    return audio, codec.facts.sample_rate, codes


def _write_flac(folder: Path, utterance: Utterance, audio: torch.Tensor, sample_rate: int) -> Utterance:
    if not torch.isfinite(audio).all():
        raise CodecError(
            f"{utterance.utterance_id}: the reconstruction holds NaN or infinity; the model's weights are broken"
        )
    path = folder / utterance.speaker_id / f"{utterance.utterance_id}.flac"
    path.parent.mkdir(parents=True, exist_ok=True)
    pcm = (audio.numpy().astype(np.float64) * 32768).round().clip(-32768, 32767).astype(np.int16)
    soundfile.write(path, pcm, sample_rate, subtype="PCM_16")
    return replace(utterance, path=str(path), n_samples=len(pcm), sample_rate=sample_rate)


def _write_codes(path: Path, codes: list[torch.Tensor]) -> None:
    """`codes` int32 (n_codebooks, frames of all utterances) and `offsets`: utterance i is codes[:, offsets[i]:offsets[i + 1]]."""
    offsets = np.concatenate([[0], np.cumsum([item.shape[1] for item in codes])])
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, codes=torch.cat(codes, dim=1).numpy().astype(np.int32), offsets=offsets)


def _facts(codec: Codec | DecodedFiles | None, decoded: list[Utterance]) -> dict[str, object]:
    if codec is None or isinstance(codec, DecodedFiles):
        empty = dict.fromkeys(("frame_rate", "n_codebooks", "codebook_size", "bitrate"))
        return {"sample_rate": decoded[0].sample_rate, **empty}
    facts = asdict(codec.facts)
    for name in ("bitrate", "frame_rate"):  # codecs of variable rate know only afterwards
        if measured := getattr(codec, f"measured_{name}", None):
            facts |= {f"nominal_{name}": facts[name], name: measured}
    return facts


def load_codec(codec_id: str, run_folder: Path, cache: Path, device: str) -> Codec | None:
    """The codec behind an id: a trained run's, a published one's, or None for the originals."""
    if codec_id == ORIGINAL:
        return None
    if (run_folder / "config.json").exists():
        # by name: descript-audio-codec is missing where a published codec has an environment of its own
        return import_module("codec_cliff.models.dac").load_trained_codec(run_folder, device)
    return load_reference_codec(codec_id, cache, device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", required=True)
    parser.add_argument(
        "--run-folder",
        required=True,
        type=Path,
        help="results/<study>/runs/<codec>; need not exist for a published codec",
    )
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--folder", required=True, type=Path)
    parser.add_argument("--cache", required=True, type=Path)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--recordings", type=Path, help="folder of what the codec made of them, in place of a codec")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = choose_device(arguments.device)
    store = open_store(arguments.manifest, arguments.store)
    if arguments.recordings:
        codec = DecodedFiles(arguments.recordings, store.utterances)
    else:
        codec = load_codec(arguments.codec, arguments.run_folder, arguments.cache, device)
    write_reconstructions(arguments.codec, codec, store, arguments.folder, device)


if __name__ == "__main__":
    exit_cleanly(main)
