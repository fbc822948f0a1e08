"""Normalisers of transcripts: both sides of a word error rate pass through the same one, and tables name it."""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

NORMALISER = (
    "lower-case, accents off, typographic apostrophes plain, other punctuation (dashes, ellipses, slashes) to spaces but single "
    "full stops, which go, keep [a-z' ], collapse spaces"
)
APOSTROPHES = dict.fromkeys(map(ord, "’‘‛ʼʻ＇′´`ꞌ"), "'")
LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ð": "d", "đ": "d", "þ": "th", "ł": "l", "ı": "i"})
QUOTED = re.compile(r"‘([^‘’]*(?:\w’\w[^‘’]*)*)’(?!\w)")  # the closing one looks like an apostrophe


def composed(text: str) -> str:
    """Text in the one Unicode form (NFC) in which file names and ids meet: some file systems hand out `é` as `e` and an accent."""
    return unicodedata.normalize("NFC", text)


def text_lines(text: str) -> list[str]:
    """The lines of a transcript file, composed; they end at a line feed alone, not at what else Unicode calls a line's end."""
    return composed(text).split("\n")


def normalise(text: str) -> str:
    """`Mary-Ann’s café…  HAT!` -> `mary ann's cafe hat`. What is no letter of a-z then, digits too, is left out (`left_out`).

    LibriSpeech's transcripts are upper-case without punctuation; recognisers write digits and hyphens now and then. The
    choice of normaliser moves a word error rate by about half a point, so tables name it (NORMALISER).
    """
    return _spelled(text, "")


def hyphens(text: str) -> str:
    """`Mary-Ann's  HAT!` -> `mary-ann's hat`: as `normalise`, but a hyphen makes one word of two."""
    return _spelled(re.sub("[‐‑]", "-", text), "-")


def _spelled(text: str, inner: str) -> str:
    """Words of a-z, apostrophes and `inner` signs."""
    words = re.sub(rf"\.{{2,}}|[^\w'.{inner}]|_", " ", _plain(text)).split()
    kept = (re.sub(rf"[^a-z'{inner}]", "", word) for word in words)
    return " ".join(word for word in kept if word.strip("'-"))


def left_out(text: str) -> list[str]:
    """The words of which `normalise` leaves out a letter or a digit: nobody may take the rest for what was said."""
    return [word for word in text.split() if any(sign.isalnum() and not "a" <= sign <= "z" for sign in _plain(word))]


def _plain(text: str) -> str:
    """Lower-case letters without accents, one kind of apostrophe, no single quotation marks around words."""
    text = punctuated(composed(text)).lower()
    apart = "".join(unicodedata.normalize("NFKD", sign) if sign.isalpha() else sign for sign in text)
    return "".join(sign for sign in apart if not unicodedata.combining(sign)).translate(LETTERS)


def punctuated(text: str) -> str:
    """Single quotation marks around words taken off, and every apostrophe the typewriter's."""
    return QUOTED.sub(r" \1 ", text).translate(APOSTROPHES)


@cache
def _whisper() -> Callable[[str], str]:
    from whisper_normalizer.english import EnglishTextNormalizer  # here: it reads its spelling table when it is made

    return EnglishTextNormalizer()


def whisper(text: str) -> str:
    """`Mary-Ann's colour, twenty dollars` -> `mary ann is color $20`: Whisper's English normaliser (Radford et al. 2022).

    It knows the typewriter's apostrophe alone, and would leave a full stop of an ellipsis as a word.
    """
    return _whisper()(re.sub(r"…|\.{2,}", " ", punctuated(text)))


NORMALISERS: dict[str, Callable[[str], str]] = {"plain": normalise, "whisper": whisper}  # both are always counted
CHOICES = NORMALISERS | {"hyphens": hyphens}  # of the headline; the last as others evaluate, for comparison with them
