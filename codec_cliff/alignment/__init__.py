"""Phone alignment by the Montreal Forced Aligner or, embedded, Pocketsphinx: TextGrids and an index (section 4.3)."""

from codec_cliff.corpus.transcripts import left_out, normalise
from codec_cliff.errors import UserError


class AlignmentError(UserError):
    """An aligner cannot be run, or its TextGrids are not what the pipeline reads."""


def unspeakable(transcript: str) -> str:
    """Why an aligner must not be given a transcript: it would align other words than are said. Empty where it may."""
    if lost := left_out(transcript):
        return f"written in other signs than a-z: {' '.join(lost)}"
    return "" if normalise(transcript) else "empty transcript"
