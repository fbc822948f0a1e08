"""One finished model in all its variants: as it is, repaired, its controls, decoded in chunks; every utterance scored for each.

Variants that differ in the decoder, or in how it is called, share the codes of the model as it is; an edited encoder makes its own.
"""

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from codec_cliff.corpus.store import AudioStore, open_store
from codec_cliff.device import choose_device
from codec_cliff.errors import exit_cleanly
from codec_cliff.files import write_csv
from codec_cliff.metrics.construct import construct
from codec_cliff.metrics.rows import checked
from codec_cliff.metrics.scorer import referenced
from codec_cliff.metrics.waveform import resample
from codec_cliff.models.coverage import generator_taps
from codec_cliff.models.dac import TrainedCodec, build_generator, load_generator
from codec_cliff.probes import chunks
from codec_cliff.probes.edits import edit, edit_names
from codec_cliff.probes.positions import distances, frame_errors, position_rows

WHOLE = "whole"  # the model as it is, on whole utterances


class Variant:
    """A name, a codec, and how it decodes: chunk length and hop in tokens, or None for whole utterances.

    `encodes` where its encoder is not the model's own.
    """

    def __init__(self, name: str, codec: TrainedCodec, chunk: tuple[int, int] | None = None, encodes: bool = False):
        self.name, self.codec, self.chunk, self.encodes = name, codec, chunk, encodes

    def codes(self, audio: torch.Tensor, shared: torch.Tensor) -> torch.Tensor:
        """The codes (n_codebooks, N) that this variant decodes: `shared`, or its own encoder's of audio (T,)."""
        return self.codec.encode(audio) if self.encodes else shared

    def decode(self, codes: torch.Tensor, n_samples: int) -> torch.Tensor:
        """Codes (n_codebooks, N) to audio (n_samples,), rounded to 16 bits like every reconstruction."""
        call = self.codec.decode if self.chunk is None else partial(self._in_chunks)
        return (call(codes, n_samples) * 32768).round().clamp(-32768, 32767) / 32768

    def _in_chunks(self, codes: torch.Tensor, n_samples: int) -> torch.Tensor:
        return chunks.decode_in_chunks(self.codec, codes, n_samples, *self.chunk)

    def borders(self, n_tokens: int) -> list[int]:
        return [] if self.chunk is None else chunks.borders(n_tokens, *self.chunk)


def variants(codec: TrainedCodec) -> Iterator[Variant]:
    """The model as it is; the repair and its controls where taps are uncovered; chunks, side by side and overlapping."""
    run = codec.run
    yield Variant(WHOLE, codec)
    layers = generator_taps(run)
    edited = {}
    for name in edit_names(layers):
        model = build_generator(run)  # a weight-normed module cannot be copied
        model.load_state_dict(codec.model.state_dict())
        touched = edit(model, name, layers, run.seed)
        encodes = any(layer.startswith("encoder.") for layer in touched)
        edited[name] = Variant(name, TrainedCodec(run, model, codec.device), encodes=encodes)
        yield edited[name]
    length = run.tokens_per_clip
    yield Variant("chunks", codec, (length, length))
    if length > 1:
        overlapping = length, max(1, length // 3)
        yield Variant("overlapping-chunks", codec, overlapping)
        if edited:
            repaired = edited["zero-uncovered"]
            yield Variant(f"{repaired.name}, overlapping-chunks", repaired.codec, overlapping, repaired.encodes)


def measure(
    codec: TrainedCodec, store: AudioStore, scorers: Sequence[object], only: Sequence[str] | None = None
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Scores, one row an utterance and variant, and errors by position, one row an utterance, variant and distance.

    `only` names the variants that are asked for; all of them by default.
    """
    scores, positions = [], []
    decoders = [variant for variant in variants(codec) if only is None or variant.name in only]
    for index, utterance in enumerate(tqdm(store.utterances, codec.run.codec, disable=None)):
        audio = torch.from_numpy(store.audio(index))
        shared = codec.encode(audio)
        for variant in decoders:
            codes = variant.codes(audio, shared)
            decoded = variant.decode(codes, audio.shape[0])
            leading = {"codec": codec.run.codec, "variant": variant.name}
            leading |= {"utterance_id": utterance.utterance_id, "speaker_id": utterance.speaker_id}
            scores.append(leading | _score(scorers, utterance, audio.numpy(), decoded.numpy()))
            errors, middles = frame_errors(audio, decoded, utterance.sample_rate)
            bins = distances(middles, codec.run.hop_length, audio.shape[0], variant.borders(codes.shape[1]))
            positions += [leading | row for row in position_rows(errors, bins)]
        if (index + 1) % 20 == 0:
            print(f"{codec.run.codec}: {index + 1} of {len(store.utterances)} utterances", flush=True)
    return scores, positions


def _score(scorers: Sequence[object], utterance, reference: np.ndarray, degraded: np.ndarray) -> dict[str, object]:
    found = {}
    for scorer in scorers:
        rate = scorer.sample_rate or utterance.sample_rate
        original, decoded = (resample(audio, utterance.sample_rate, rate) for audio in (reference, degraded))
        found |= checked(
            scorer.score(utterance, referenced(scorer, utterance, original), decoded), utterance.utterance_id
        )
    return found


def measuring_arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser of what every measurement of a run needs: the run, the recordings, the metrics, and where the scores go."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--run-folder", required=True, type=Path)
    parser.add_argument("--manifest", required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--metrics", required=True, nargs="+", help="metric:backend, as in stoi:pystoi")
    parser.add_argument("--cache", default=None)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--scores", required=True, type=Path)
    return parser


def instruments(arguments: argparse.Namespace) -> tuple[AudioStore, list[object], str]:
    """The recordings, the metrics, and the device that the codec is to run on."""
    torch.set_num_threads(1)
    store = open_store(arguments.manifest, arguments.store)
    scorers = [
        construct(*pair.split(":"))(store.utterances, arguments.cache, arguments.device) for pair in arguments.metrics
    ]
    return store, scorers, choose_device(arguments.device)


def main() -> None:
    parser = measuring_arguments(__doc__)
    parser.add_argument("--positions", required=True, type=Path)
    arguments = parser.parse_args()
    store, scorers, device = instruments(arguments)
    scores, positions = measure(TrainedCodec(*load_generator(arguments.run_folder), device), store, scorers)
    write_csv(arguments.scores, scores)
    write_csv(arguments.positions, positions)


if __name__ == "__main__":
    exit_cleanly(main)
