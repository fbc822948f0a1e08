"""Plays the Montreal Forced Aligner's command where only conda-forge has the real one: TextGrids in its shape, not its alignments.

Silence as empty labels, ARPAbet with stress, `spn` for a word that the dictionary lacks, and, as MFA does with what it cannot align,
no TextGrid at all for one utterance.
"""

import os
import sys
from pathlib import Path

import soundfile
from praatio import textgrid

VERSION = "3.4.3"
SILENCE_SECONDS = 0.1
PHONES = ("AH0", "T", "IY1", "S", "N")
UNKNOWN_EVERY = 7  # words


def tiers(words: list[str], seconds: float) -> tuple[list, list]:
    """Words and phones of even length between two silences."""
    start, step = SILENCE_SECONDS, (seconds - 2 * SILENCE_SECONDS) / max(1, len(words))
    word_tier, phone_tier = [(0, start, "")], [(0, start, "")]
    for number, word in enumerate(words):
        begin, end = start + number * step, start + (number + 1) * step
        unknown = number % UNKNOWN_EVERY == UNKNOWN_EVERY - 1
        word_tier.append((begin, end, "<unk>" if unknown else word))
        phones = ["spn"] if unknown else [PHONES[ord(letter) % len(PHONES)] for letter in word[:3]]
        width = (end - begin) / len(phones)
        phone_tier += [(begin + i * width, begin + (i + 1) * width, phone) for i, phone in enumerate(phones)]
    end = start + len(words) * step
    return [*word_tier, (end, seconds, "")], [*phone_tier, (end, seconds, "")]


def write(lab: Path, grid: Path) -> None:
    seconds = soundfile.info(lab.with_suffix(".flac")).duration
    aligned = textgrid.Textgrid(0, seconds)
    for name, entries in zip(("words", "phones"), tiers(lab.read_text().split(), seconds), strict=True):
        aligned.addTier(textgrid.IntervalTier(name, entries, 0, seconds))
    grid.parent.mkdir(parents=True, exist_ok=True)
    aligned.save(str(grid), format="long_textgrid", includeBlankSpaces=True)


def check(dictionary: str, acoustic: str) -> None:
    models = Path(os.environ["MFA_ROOT_DIR"]) / "pretrained_models"
    for path in (models / "dictionary" / f"{dictionary}.dict", models / "acoustic" / f"{acoustic}.zip"):
        if not path.exists():
            sys.exit(f"PretrainedModelNotFoundError: {path}")


def main(arguments: list[str]) -> None:
    if arguments == ["version"]:
        print(VERSION)
        return
    kind, corpus, dictionary, acoustic, output = arguments[:5]
    if kind != "align":
        sys.exit(f"this stand-in for MFA does not know: {' '.join(arguments)}")
    check(dictionary, acoustic)
    labs = sorted(Path(corpus).glob("*/*.lab"))
    for lab in labs[:-1] if len(labs) > 1 else labs:
        write(lab, Path(output) / lab.parent.name / f"{lab.stem}.TextGrid")


if __name__ == "__main__":
    main(sys.argv[1:])
