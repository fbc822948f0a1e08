"""The same recordings in training and test, whatever they are called: no model may be tested on what it was trained on."""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.corpus.store import read_int16
from codec_cliff.corpus.walk import identity
from codec_cliff.errors import CorpusError

SHOWN = 3


def refuse_overlap(ours: Iterable[Utterance], others: Iterable[Utterance], where: str | Path) -> None:
    """CorpusError where an utterance of ours is one of `others`, which `where` names: the same file, or the same length and
    transcript with the same id or the same samples.
    """
    ours, others = list(ours), list(others)
    files = {identity(Path(other.path)): other for other in others if Path(other.path).exists()}
    named = {(other.utterance_id, _content(other)): other for other in others}
    found = {each: files.get(_file(each)) or named.get((each.utterance_id, _content(each))) for each in ours}
    both = {each: other for each, other in found.items() if other is not None}
    both |= _copies([each for each in ours if each not in both], others)
    if both:
        shown = ", ".join(f"{each.path} (there {other.path})" for each, other in islice(both.items(), SHOWN))
        raise CorpusError(
            f"{len(both)} recordings are in {where} too: {shown}{' ...' if len(both) > SHOWN else ''}; "
            "test on speech that was not trained on: take them out of corpus.train or corpus.test"
        )


def _file(utterance: Utterance) -> tuple[int, int] | None:
    return identity(Path(utterance.path)) if Path(utterance.path).exists() else None


def _content(utterance: Utterance) -> tuple[int, int, str]:
    return utterance.n_samples, utterance.sample_rate, utterance.transcript


def _copies(ours: list[Utterance], others: list[Utterance]) -> dict[Utterance, Utterance]:
    """Each of ours that has the samples of one of `others`; only where length and transcript agree are files read."""
    alike = {_content(each) for each in ours} & {_content(other) for other in others}
    heard = {_samples(other): other for other in others if _content(other) in alike}
    heard.pop(None, None)
    found = {each: heard.get(_samples(each)) for each in ours if _content(each) in alike}
    return {each: other for each, other in found.items() if other is not None}


def _samples(utterance: Utterance) -> bytes | None:
    """A hash of what an audio store holds of an utterance; None where its file is gone or has changed."""
    try:
        return hashlib.sha256(read_int16(utterance)).digest()
    except CorpusError:
        return None


def of_splits(utterances: Iterable[Utterance], root: str | Path, names: Sequence[str]) -> list[Utterance]:
    """Those that lie in some splits of a root: a manifest that an earlier choice of splits left behind holds others."""
    folders = [Path(root) / name for name in names]
    return [each for each in utterances if any(folder in Path(each.path).parents for folder in folders)]
