"""Frame-rate variants of DAC, through descript-audio-codec's own layers: strides in, generator and discriminator out (section 3.3)."""

import math
import warnings
from pathlib import Path

import torch
from dac.model.dac import DAC
from dac.model.discriminator import Discriminator
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import nn

from codec_cliff.errors import CodecError, ResultsError, anew
from codec_cliff.files import read_json, sha256
from codec_cliff.models.codec import CodecFacts, fit_length
from codec_cliff.models.gpu.layers import replace_for_gpu
from codec_cliff.models.layers import replace_layers
from codec_cliff.models.periods import replace_column_convolutions
from codec_cliff.models.quantizer import replace_quantizer
from codec_cliff.study.config import Run

WEIGHTS = "model.safetensors"
REMEDY = "make it anew: %s, then the same command as before"

# descript-audio-codec 1.0.0 uses weight_norm and jit as they were when it was written; both still work.
warnings.filterwarnings("ignore", message=".*(weight_norm|torch.jit).*")


def build_generator(run: Run) -> DAC:
    """The variant's generator, with output length = input length at every stride."""
    model = DAC(
        encoder_dim=run.model.encoder_dim,
        encoder_rates=list(run.strides),
        decoder_dim=run.model.decoder_dim,
        decoder_rates=list(reversed(run.strides)),
        n_codebooks=run.model.n_codebooks,
        codebook_size=run.model.codebook_size,
        codebook_dim=run.model.codebook_dim,
        quantizer_dropout=run.model.quantizer_dropout,
        sample_rate=run.sample_rate,
    )
    pad(model, run.model.padding)
    return replace_for_gpu(replace_quantizer(replace_layers(mend_odd_strides(model))))


def pad(model: nn.Module, mode: str) -> None:
    """What the "same" convolutions meet beyond a clip's ends: zeros (DAC's own), its last value (replicate), its mirror (reflect).

    The convolutions that change the rate keep their zeros: from two tokens on, each of their taps meets data anyway.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv1d) and module.stride == (1,) and module.kernel_size[0] > 1:
            module.padding_mode = mode


def mend_odd_strides(model: nn.Module) -> nn.Module:
    """Give each transposed convolution of odd stride the one output sample it drops.

    With kernel 2s, stride s and padding ceil(s/2), an odd stride loses a frame: DAC's 16 kHz decoder returns 8 samples less than
    the encoder read, and its training stops on the shapes (https://github.com/descriptinc/descript-audio-codec/issues/42).
    """
    for module in model.modules():
        if isinstance(module, nn.ConvTranspose1d):
            module.output_padding = (module.stride[0] % 2,)
    return model


def build_discriminator(run: Run) -> Discriminator:
    """DAC's discriminator: multi-period, and multi-band multi-resolution spectrogram."""
    model = Discriminator(
        rates=[],
        periods=list(run.discriminator.periods),
        fft_sizes=list(run.discriminator.fft_sizes),
        bands=[tuple(band) for band in run.discriminator.bands],
        sample_rate=run.sample_rate,
    )
    return replace_for_gpu(replace_column_convolutions(model))


class TrainedCodec:
    """A trained variant behind the signature that all codecs share; whole utterances, no chunking, no level change."""

    def __init__(self, run: Run, model: DAC, device: str):
        self.run = run
        self.model = model.to(device).eval()
        self.device = device
        self.facts = CodecFacts(
            run.sample_rate, run.frame_rate, run.model.n_codebooks, run.model.codebook_size, run.bitrate
        )

    @torch.inference_mode()
    def encode(self, audio: torch.Tensor) -> torch.Tensor:
        """Audio (T,) to codes (n_codebooks, ceil(T / hop_length)), int64."""
        n_tokens = math.ceil(audio.shape[0] / self.run.hop_length)
        padded = fit_length(audio, n_tokens * self.run.hop_length)
        _, codes, *_ = self.model.encode(padded.to(self.device)[None, None])
        return codes[0].cpu()

    @torch.inference_mode()
    def decode(self, codes: torch.Tensor, n_samples: int) -> torch.Tensor:
        """Codes (n_codebooks, N) to audio (n_samples,)."""
        return fit_length(self.decode_all(codes[None])[0], n_samples)

    @torch.inference_mode()
    def decode_all(self, codes: torch.Tensor) -> torch.Tensor:
        """Codes (B, n_codebooks, N) of stretches of one length to their audio, (B, N * hop_length)."""
        z, *_ = self.model.quantizer.from_codes(codes.to(self.device))
        return self.model.decode(z)[:, 0].cpu()


def load_run(run_folder: str | Path) -> Run:
    """The resolved configuration that a run folder was trained with; CodecError where it is missing or damaged."""
    path = Path(run_folder) / "config.json"
    if not path.exists():
        raise CodecError(f"{path}: not there, so this folder holds no trained codec; train it first")
    try:
        return Run.from_dict(read_json(path))
    except (ResultsError, KeyError, TypeError, AttributeError) as error:
        raise CodecError(f"{path}: is no configuration of a run ({error}); {REMEDY % anew(run_folder)}") from error


def load_generator(run_folder: str | Path) -> tuple[Run, DAC]:
    """A run folder's configuration and its generator with the final weights; CodecError where they are missing or damaged."""
    run, weights = load_run(run_folder), Path(run_folder) / WEIGHTS
    if not weights.exists():
        raise CodecError(f"{weights}: not there; the training of {run.codec} has not finished")
    if not is_whole(run_folder, Path(run_folder) / "run.json"):
        raise CodecError(f"{weights}: is damaged, or not the model that run.json tells of; {REMEDY % anew(run_folder)}")
    model = build_generator(run)
    try:
        model.load_state_dict(load_file(weights))
    except RuntimeError as error:
        raise CodecError(f"{weights}: does not fit its config.json; {REMEDY % anew(run_folder)}") from error
    return run, model


def is_whole(folder: str | Path, record: Path) -> bool:
    """Whether a folder's weights are all there and, where the run's record has their SHA-256, those that it tells of."""
    weights = Path(folder) / WEIGHTS
    try:
        with safe_open(weights, "pt"):  # reads the header, and whether the file is as long as that says
            pass
    except (OSError, SafetensorError):
        return False
    expected = read_json(record).get("weights_sha256") if record.exists() else None
    return expected in (None, sha256(weights))


def load_trained_codec(run_folder: str | Path, device: str = "cpu") -> TrainedCodec:
    """The codec of a finished run folder."""
    return TrainedCodec(*load_generator(run_folder), device)
