"""Our losses against descript-audio-codec's own, on the same input."""

import pytest
import torch
from audiotools import AudioSignal
from dac.nn.loss import GANLoss, MelSpectrogramLoss

from codec_cliff.training.losses import N_MELS, WINDOW_LENGTHS, MultiScaleMelLoss, discriminator_loss, generator_losses


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    audio = torch.randn(2, 1, 6080) * 0.1
    return audio, audio + 0.03 * torch.randn_like(audio)


def test_mel_loss_is_dacs(pair):
    estimate, target = pair
    theirs = MelSpectrogramLoss(
        n_mels=list(N_MELS),
        window_lengths=list(WINDOW_LENGTHS),
        mel_fmin=[0] * 7,
        mel_fmax=[None] * 7,
        pow=1.0,
        mag_weight=0.0,
    )
    expected = theirs(AudioSignal(estimate, 16000), AudioSignal(target, 16000))
    torch.testing.assert_close(MultiScaleMelLoss(16000)(estimate, target), expected, atol=1e-5, rtol=1e-5)


def test_mel_loss_of_a_signal_with_itself_is_zero(pair):
    assert MultiScaleMelLoss(16000)(pair[0], pair[0]) == 0


class TwoLayers(torch.nn.Module):
    """A discriminator in DAC's form: a list of feature maps a discriminator, the score last."""

    def forward(self, x: torch.Tensor) -> list[list[torch.Tensor]]:
        return [[x * scale, (x * scale).tanh(), x.mean(-1) * scale] for scale in (1.0, 3.0)]


def test_adversarial_losses_are_dacs(pair):
    fake, real = pair
    theirs = GANLoss(TwoLayers())
    signals = AudioSignal(fake, 16000), AudioSignal(real, 16000)
    discriminator = TwoLayers()
    torch.testing.assert_close(
        discriminator_loss(discriminator(real), discriminator(fake)), theirs.discriminator_loss(*signals)
    )
    for ours, expected in zip(
        generator_losses(discriminator(real), discriminator(fake)), theirs.generator_loss(*signals), strict=True
    ):
        torch.testing.assert_close(ours, expected)
