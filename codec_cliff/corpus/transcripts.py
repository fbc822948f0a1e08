"""Normalisers of transcripts: both sides of a word error rate pass through the same one, and tables name it."""

import re
from collections.abc import Callable
from functools import cache

NORMALISER = "lower-case, hyphen to space, keep [a-z' ], collapse spaces"


def normalise(text: str) -> str:
    """`Mary-Ann's  HAT!` -> `mary ann's hat`.
    LibriSpeech's transcripts are upper-case without punctuation; recognisers write digits and hyphens now and then. The
       choice of normaliser moves a word error rate by about half a point, so tables name it (NORMALISER).
    """
    return " ".join(re.sub(r"[^a-z' ]", "", re.sub(r"[-\s]+", " ", text.lower())).split())


@cache
def _whisper() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer  # here: it reads its spelling table when it is made

    return EnglishTextNormalizer()


def whisper(text: str) -> str:
    """`Mary-Ann's colour, twenty dollars` -> `mary ann is color $20`: Whisper's English normaliser (Radford et al. 2022)."""
    return _whisper()(text)


def hyphens(text: str) -> str:
    """`Mary-Ann's  HAT!` -> `mary-ann's hat`: as `normalise`, but a hyphen makes one word of two."""
    return " ".join(re.sub(r"[^a-z' -]", "", re.sub(r"\s+", " ", text.lower())).split())


NORMALISERS: dict[str, Callable[[str], str]] = {"plain": normalise, "whisper": whisper}  # both are always counted
CHOICES = NORMALISERS | {"hyphens": hyphens}  # of the headline; the last as others evaluate, for comparison with them
