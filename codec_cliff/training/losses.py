"""DAC's training losses on plain tensors (research basis: `dac.nn.loss`; a test holds these to it on the same input)."""

import warnings

import torch
import torchaudio
from torch import nn

from codec_cliff.models.gpu.spectra import reflect, spectra
from codec_cliff.models.gpu.switches import ways

# https://github.com/descriptinc/descript-audio-codec/blob/c7cfc5d/conf/final/16khz.yml
WINDOW_LENGTHS = (32, 64, 128, 256, 512, 1024, 2048)
N_MELS = (5, 10, 20, 40, 80, 160, 320)
CLAMP = 1e-5


class MultiScaleMelLoss(nn.Module):
    """L1 distance of log10 mel magnitudes, summed over seven resolutions; windows and filter banks are built once.

    Source: MelSpectrogramLoss with `pow: 1.0, mag_weight: 0.0` as in DAC's 16 kHz recipe.
    """

    def __init__(self, sample_rate: int):
        super().__init__()
        for length, n_mels in zip(WINDOW_LENGTHS, N_MELS, strict=True):
            with warnings.catch_warnings(), torch.device("cpu"):
                # At a 32-sample window some mel filters hold no bin; DAC's recipe has them all the same.
                warnings.simplefilter("ignore", UserWarning)
                bank = torchaudio.functional.melscale_fbanks(
                    length // 2 + 1, 0.0, sample_rate / 2, n_mels, sample_rate, norm="slaney", mel_scale="slaney"
                )
            self.register_buffer(f"window_{length}", torch.hann_window(length), persistent=False)
            self.register_buffer(f"bank_{length}", bank.T.contiguous(), persistent=False)

    def forward(self, estimate: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Estimate and target (B, 1, T) to a scalar."""
        return sum(
            torch.nn.functional.l1_loss(self._log_mel(estimate, length), self._log_mel(target, length))
            for length in WINDOW_LENGTHS
        )

    def _log_mel(self, audio: torch.Tensor, length: int) -> torch.Tensor:
        window, bank = getattr(self, f"window_{length}"), getattr(self, f"bank_{length}")
        if ways(audio).spectra:
            spectrum = spectra(reflect(audio[:, 0], length // 2, length // 2), window, length // 4)
            return (spectrum.abs() @ bank.T).clamp(min=CLAMP).log10()
        spectrum = torch.stft(
            audio[:, 0], length, length // 4, window=window, center=True, return_complex=True
        )  # (B, F, frames)
        return (bank @ spectrum.abs()).clamp(min=CLAMP).log10()


def discriminator_loss(real: list[list[torch.Tensor]], fake: list[list[torch.Tensor]]) -> torch.Tensor:
    """LSGAN loss of the discriminators; each argument holds one list of feature maps a discriminator, the score last."""
    return sum((f[-1] ** 2).mean() + ((1 - r[-1]) ** 2).mean() for r, f in zip(real, fake, strict=True))


def generator_losses(
    real: list[list[torch.Tensor]], fake: list[list[torch.Tensor]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The generator's LSGAN loss, and the L1 distance of all feature maps before the score (feature matching)."""
    adversarial = sum(((1 - f[-1]) ** 2).mean() for f in fake)
    matching = sum(
        _distance(f, r.detach())
        for real_maps, fake_maps in zip(real, fake, strict=True)
        for r, f in zip(real_maps[:-1], fake_maps[:-1], strict=True)
    )
    return adversarial, matching


def _distance(fake: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    if not ways(fake).distance:
        return torch.nn.functional.l1_loss(fake, real)
    from codec_cliff.models.gpu.kernels import mean_distance

    return mean_distance(fake, real)
