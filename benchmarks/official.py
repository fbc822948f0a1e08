"""The peer: one optimisation step of DAC put together from descript-audio-codec's own modules and losses.

The sequence is that of its training script, without mixed precision as in its 16 kHz recipe:
https://github.com/descriptinc/descript-audio-codec/blob/c7cfc5d/scripts/train.py#L214-L263. The one change is
`mend_odd_strides`, without which an odd stride stops it on its shapes.
"""

import torch
from audiotools import AudioSignal
from dac.model import DAC, Discriminator
from dac.nn.loss import GANLoss, L1Loss, MelSpectrogramLoss, MultiScaleSTFTLoss

from codec_cliff.models.dac import mend_odd_strides
from codec_cliff.study.config import Run
from codec_cliff.training.losses import N_MELS, WINDOW_LENGTHS


class OfficialStep:
    """Networks, losses, optimisers and schedules as the official script has them; call it with a batch of audio."""

    def __init__(self, run: Run, device: str = "cpu"):
        model, training = run.model, run.training
        self.generator = mend_odd_strides(
            DAC(
                encoder_dim=model.encoder_dim,
                encoder_rates=list(run.strides),
                decoder_dim=model.decoder_dim,
                decoder_rates=list(reversed(run.strides)),
                n_codebooks=model.n_codebooks,
                codebook_size=model.codebook_size,
                codebook_dim=model.codebook_dim,
                quantizer_dropout=model.quantizer_dropout,
                sample_rate=run.sample_rate,
            )
        ).to(device)
        self.discriminator = Discriminator(
            rates=[],
            periods=list(run.discriminator.periods),
            fft_sizes=list(run.discriminator.fft_sizes),
            bands=[tuple(band) for band in run.discriminator.bands],
            sample_rate=run.sample_rate,
        ).to(device)
        settings = {"lr": training.learning_rate, "betas": tuple(training.betas)}
        self.optimizer_g = torch.optim.AdamW(self.generator.parameters(), **settings)
        self.optimizer_d = torch.optim.AdamW(self.discriminator.parameters(), **settings)
        self.schedulers = [
            torch.optim.lr_scheduler.ExponentialLR(optimizer, training.learning_rate_decay)
            for optimizer in (self.optimizer_g, self.optimizer_d)
        ]
        scales = len(WINDOW_LENGTHS)
        self.mel_loss = MelSpectrogramLoss(
            n_mels=list(N_MELS),
            window_lengths=list(WINDOW_LENGTHS),
            mel_fmin=[0] * scales,
            mel_fmax=[None] * scales,
            pow=1.0,
            mag_weight=0.0,
        )
        self.stft_loss = MultiScaleSTFTLoss(window_lengths=[2048, 512])
        self.waveform_loss = L1Loss()
        self.gan_loss = GANLoss(self.discriminator)
        self.weights, self.sample_rate = run.losses, run.sample_rate

    def __call__(self, audio: torch.Tensor) -> dict[str, torch.Tensor]:
        """One step on audio (B, 1, T); the losses under codec-cliff's names."""
        signal = AudioSignal(audio, self.sample_rate)
        out = self.generator(signal.audio_data, signal.sample_rate)
        recons = AudioSignal(out["audio"], signal.sample_rate)

        losses = {"discriminator": self.gan_loss.discriminator_loss(recons, signal)}
        self.optimizer_d.zero_grad()
        losses["discriminator"].backward()
        losses["discriminator_norm"] = torch.nn.utils.clip_grad_norm_(self.discriminator.parameters(), 10.0)
        self.optimizer_d.step()
        self.schedulers[1].step()

        losses["stft"] = self.stft_loss(recons, signal)  # of no weight: the script logs these two
        losses["waveform"] = self.waveform_loss(recons, signal)
        losses["mel"] = self.mel_loss(recons, signal)
        losses["adversarial"], losses["feature_matching"] = self.gan_loss.generator_loss(recons, signal)
        losses["commitment"], losses["codebook"] = out["vq/commitment_loss"], out["vq/codebook_loss"]
        loss = sum(weight * losses[name] for name, weight in vars(self.weights).items())
        self.optimizer_g.zero_grad()
        loss.backward()
        losses["generator_norm"] = torch.nn.utils.clip_grad_norm_(self.generator.parameters(), 1e3)
        self.optimizer_g.step()
        self.schedulers[0].step()
        return {"loss": loss.detach(), **{name: value.detach() for name, value in losses.items()}}
