"""What a training will cost before it has run."""

from codec_cliff.config import Run

# Seconds of audio trained on a second, a deliberately low guess for one data-centre GPU.
AUDIO_SECONDS_PER_SECOND = 250.0


def projected_seconds(run: Run, device: str) -> float:
    """Seconds that `run` takes on `device`."""
    return run.training.steps * run.batch_clips * run.clip_seconds / AUDIO_SECONDS_PER_SECOND
