"""The listening grid: each picked utterance with every codec's clip, its picture, and its transcript with the errors marked."""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jiwer

from codec_cliff.corpus.transcripts import normalise
from codec_cliff.report.quality import model_name
from codec_cliff.statistics.results import Results
from codec_cliff.study.config import ORIGINAL, Study

TYPES = {"audio": "audio/ogg", "picture": "image/webp"}


@dataclass(frozen=True)
class Word:
    """A word of a transcript: `equal`, `replaced` (`heard` instead of `said`), `missed` (said, not heard), `added`."""

    kind: str
    said: str
    heard: str


@dataclass(frozen=True)
class Clip:
    """One codec's version of an utterance; audio and picture are data URIs, `outline` an SVG path of the waveform."""

    codec: str
    name: str
    audio: str
    picture: str
    outline: str
    errors: str
    words: list[Word]


@dataclass(frozen=True)
class Heard:
    """An utterance to listen to; `groups` are clips under the heading of their kind of codec."""

    utterance_id: str
    title: str
    remark: str
    seconds: float
    transcript: str
    groups: dict[str, list[Clip]]


@dataclass(frozen=True)
class Listening:
    """`picked` says by which rule; `weight` is the bytes of base64 by kind, for the page's statement of its size."""

    picked: str
    utterances: list[Heard]

    @cached_property
    def codecs(self) -> set[str]:
        return {clip.codec for clip in self._clips()}

    def weight(self, kind: str) -> int:
        return sum(len(getattr(clip, kind)) for clip in self._clips())

    def _clips(self) -> Iterable[Clip]:
        return (clip for heard in self.utterances for clips in heard.groups.values() for clip in clips)


def listening(study: Study, results: Results) -> Listening | None:
    """The grid; None where the study has not made its clips."""
    if (listed := read_listing(results)) is None:
        return None
    rule, transcripts = listed["rule"], Transcripts(results, "wer")
    picked = (
        f"test utterances of {rule['shortest']} to {rule['longest']} seconds, in the order of their word error rate over all "
        "trained models; the middle and the end of that order"
    )
    names = Names(lambda codec: codec_name(study, codec), lambda codec: group(study, codec))
    entries = [(entry, *_study_words(entry, len(rule["ranked_by"]))) for entry in listed["utterances"]]
    return Listening(picked, [heard(results, names, transcripts, *entry) for entry in entries])


def _study_words(entry: Mapping[str, Any], n_models: int) -> tuple[str, str]:
    """The title of an utterance and the remark beside its transcript."""
    title = f"{entry['why'].capitalize()} word error rate: {entry['utterance_id']}"
    return title, f"{entry['errors']} of {entry['words']} words wrong over {n_models} models"


def read_listing(results: Results) -> dict[str, Any] | None:
    """listening.json; None where no clips have been made."""
    path = results.folder / "listening" / "listening.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


@dataclass(frozen=True)
class Names:
    """What a codec is called, and the heading it stands under."""

    name: Callable[[str], str]
    group: Callable[[str], str]


def heard(
    results: Results, names: Names, transcripts: "Transcripts", entry: Mapping[str, Any], title: str, remark: str
) -> Heard:
    """An entry of listening.json with its files, and the recogniser's words where it has heard any."""
    groups: dict[str, list[Clip]] = {}
    for clip in entry["clips"]:
        codec = clip["codec"]
        errors, words = transcripts.words(codec, entry)
        uris = {kind: _data_uri(results, clip[kind], kind) for kind in TYPES}
        made = Clip(codec, names.name(codec), outline=outline(clip["envelope"]), errors=errors, words=words, **uris)
        groups.setdefault(names.group(codec), []).append(made)
    groups = {name: groups[name] for name in sorted(groups, key=_place)}
    return Heard(entry["utterance_id"], title, remark, entry["seconds"], entry["transcript"], groups)


class Transcripts:
    """What the recogniser heard, by codec and utterance; each file of the metric is read once."""

    def __init__(self, results: Results, metric: str):
        self.results, self.metric, self._rows = results, metric, {}

    def words(self, codec: str, entry: Mapping[str, Any]) -> tuple[str, list[Word]]:
        """How many words are wrong, and the words; neither where this was not measured."""
        row = self._row(codec, entry["utterance_id"])
        if row is None or row["errors"] is None:
            return "", []
        errors = f"{row['errors']:.0f} of {row['reference_words']:.0f} words wrong"
        return errors, marked(normalise(entry["transcript"]), normalise(str(row["hypothesis"] or "")))

    def _row(self, codec: str, utterance_id: str) -> dict[str, Any] | None:
        if codec not in self._rows:
            rows = self.results.rows(f"metrics/{codec}/{self.metric}.csv")
            self._rows[codec] = {row["utterance_id"]: row for row in rows}
        return self._rows[codec].get(utterance_id)


def marked(said: str, heard: str) -> list[Word]:
    """Two normalised texts, aligned word by word as the word error rate has them."""
    if not said:
        return [Word("added", "", word) for word in heard.split()]
    output = jiwer.process_words(said, heard)
    references, hypotheses = output.references[0], output.hypotheses[0]
    words = []
    for chunk in output.alignments[0]:
        said_words = references[chunk.ref_start_idx : chunk.ref_end_idx]
        heard_words = hypotheses[chunk.hyp_start_idx : chunk.hyp_end_idx]
        if chunk.type == "delete":
            words += [Word("missed", word, "") for word in said_words]
        elif chunk.type == "insert":
            words += [Word("added", "", word) for word in heard_words]
        else:
            kind = "equal" if chunk.type == "equal" else "replaced"
            words += [Word(kind, *pair) for pair in zip(said_words, heard_words, strict=True)]
    return words


def outline(envelope: list[list[int]]) -> str:
    """An SVG path round a waveform's envelope, in a box of one unit a column and -100 to 100."""
    top = [f"{x},{-high}" for x, (_, high) in enumerate(envelope)]
    bottom = [f"{x},{-low}" for x, (low, _) in reversed(list(enumerate(envelope)))]
    return f"M{' '.join([*top, *bottom])}Z"


def group(study: Study, codec: str) -> str:
    """The heading a codec stands under."""
    if codec == ORIGINAL:
        return "Original"
    if codec in study.repaired:
        return "Repaired"
    if codec not in study.runs:
        return "Published codecs"
    if codec in study.codecs("fixed-duration") and codec in study.codecs("fixed-tokens"):
        return "Both protocols"
    return study.runs[codec].protocol.replace("-", " ").capitalize()


def _place(group: str) -> int:
    """Where a group stands: the original first, published codecs last."""
    first = ("Original", "Both protocols", "Fixed duration", "Fixed tokens", "Repaired")
    return first.index(group) if group in first else len(first) + (group == "Published codecs")


def codec_name(study: Study, codec: str) -> str:
    """A codec as a reader knows it: `6.25 Hz, fixed tokens`, `Mimi (8 codebooks)`."""
    if codec in study.repaired:
        return f"{codec_name(study, study.repaired[codec])}, repaired"
    if codec not in study.runs:
        return model_name(codec)
    run = study.runs[codec]
    both = codec in study.codecs("fixed-duration") and codec in study.codecs("fixed-tokens")
    return f"{run.frame_rate:g} Hz, {'both protocols' if both else run.protocol.replace('-', ' ')}"


def _data_uri(results: Results, name: str, kind: str) -> str:
    content = (results.folder / "listening" / name).read_bytes()
    return f"data:{TYPES[kind]};base64,{base64.b64encode(content).decode('ascii')}"
