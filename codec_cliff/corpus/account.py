"""What became of every recording that was met: taken, left out with its reason, or beyond the number asked for."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.corpus.transcripts import left_out, normalise
from codec_cliff.errors import CorpusError
from codec_cliff.files import atomic_path


@dataclass
class BadFiles:
    """What becomes of unusable files: raised at once or, with `skip`, left out and remembered as (path, reason).

    `found` are the recordings that were met, `spare` those that are good but more than were asked for.
    """

    skip: bool
    skipped: list[tuple[str, str]] = field(default_factory=list)
    found: list[str] = field(default_factory=list)
    spare: list[str] = field(default_factory=list)

    def report(self, path: str | Path, reason: str) -> None:
        if not self.skip:
            raise CorpusError(
                f"{printable(path)}: {reason}; mend or remove it, or set corpus.bad_files to skip to leave it out"
            )
        self.skipped.append((str(path), reason))

    def write(self, path: str | Path) -> None:
        """Write what was left out as a tab-separated table, `path` and `reason`; its header alone for nothing."""
        with atomic_path(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(("path", "reason"))
            writer.writerows((printable(name), reason) for name, reason in self.skipped)

    def check_sums(self, taken: Iterable[Utterance]) -> None:
        """CorpusError unless every recording that was found is taken, left out or spare, and once."""
        found = set(self.found)
        left_out = [path for path, _ in self.skipped if path in found]
        accounted = [*(utterance.path for utterance in taken), *left_out, *self.spare]
        if sorted(accounted) != sorted(self.found):
            lost = sorted(set(self.found).symmetric_difference(accounted)) or accounted
            raise CorpusError(
                f"{len(self.found)} recordings were found, {len(accounted)} are taken or left out; "
                f"{printable(lost[0])} is not accounted for once: please report this"
            )


def require_words(utterances: Sequence[Utterance]) -> None:
    """CorpusError where no transcript has a word that counts; says how many lose some."""
    if utterances and not any(normalise(utterance.transcript) for utterance in utterances):
        raise CorpusError(
            f"no transcript of {len(utterances)} has a word left after normalising (a-z alone, {utterances[0].utterance_id}: "
            f"{utterances[0].transcript!r}); spell them in English words, for WER and alignment need some"
        )
    if lossy := [utterance for utterance in utterances if left_out(utterance.transcript)]:
        words = " ".join(left_out(lossy[0].transcript))
        print(
            f"{len(lossy)} of {len(utterances)} transcripts hold digits or letters that are not of a-z; the plain normaliser "
            f"leaves them out ({lossy[0].utterance_id}: {words})",
            flush=True,
        )


def printable(path: str | Path) -> str:
    """A path as text: bytes that are no UTF-8 as \\xNN."""
    return str(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
