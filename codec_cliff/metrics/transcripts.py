"""The one normaliser of transcripts: both sides of a word error rate and the aligners' text pass through it."""

import re

NORMALISER = "lower-case, hyphen to space, keep [a-z' ], collapse spaces"


def normalise(text: str) -> str:
    """`Mary-Ann's  HAT!` -> `mary ann's hat`.
    LibriSpeech's transcripts are upper-case without punctuation; recognisers write digits and hyphens now and then. The
       choice of normaliser moves a word error rate by about half a point, so tables name it (NORMALISER).
    """
    return " ".join(re.sub(r"[^a-z' ]", "", re.sub(r"[-\s]+", " ", text.lower())).split())
