"""The same recordings in training and test, whatever they are called: no model may be tested on what it was trained on."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.corpus.walk import identity
from codec_cliff.errors import CorpusError

SHOWN = 3


def refuse_overlap(ours: Iterable[Utterance], others: Iterable[Utterance], where: str | Path) -> None:
    """CorpusError where an utterance of ours is one of `others`, which `where` names: the same file, or id, length and transcript."""
    files = {identity(Path(other.path)): other for other in others if Path(other.path).exists()}
    contents = {_content(other): other for other in others}
    both = [(each, files.get(_file(each)) or contents.get(_content(each))) for each in ours]
    both = [(each, other) for each, other in both if other is not None]
    if both:
        named = ", ".join(f"{each.path} (there {other.path})" for each, other in both[:SHOWN])
        raise CorpusError(
            f"{len(both)} recordings are in {where} too: {named}{' ...' if len(both) > SHOWN else ''}; "
            "test on speech that was not trained on: take them out of corpus.train or corpus.test"
        )


def _file(utterance: Utterance) -> tuple[int, int] | None:
    return identity(Path(utterance.path)) if Path(utterance.path).exists() else None


def _content(utterance: Utterance) -> tuple[str, int, int, str]:
    return utterance.utterance_id, utterance.n_samples, utterance.sample_rate, utterance.transcript


def of_splits(utterances: Iterable[Utterance], root: str | Path, names: Sequence[str]) -> list[Utterance]:
    """Those that lie in some splits of a root: a manifest that an earlier choice of splits left behind holds others."""
    folders = [Path(root) / name for name in names]
    return [each for each in utterances if any(folder in Path(each.path).parents for folder in folders)]
