"""Phone alignment by the Montreal Forced Aligner or, embedded, Pocketsphinx: TextGrids and an index (section 4.3)."""

from codec_cliff.errors import UserError


class AlignmentError(UserError):
    """An aligner cannot be run, or its TextGrids are not what the pipeline reads."""
