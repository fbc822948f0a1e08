"""Which files take part: recordings and reconstructions that can be what their names say, and a problem for each of the others."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import CorpusError
from codec_cliff.evaluate.inspection import UNLIKE, Decoded, Inspected, length_fault, other_recordings
from codec_cliff.evaluate.problems import Problem
from codec_cliff.study.config import ORIGINAL


@dataclass(frozen=True)
class Recordings:
    """What is measured: each system's files by recording id, the originals under ORIGINAL and in the order of all tables."""

    decoded: dict[str, dict[str, Utterance]]

    @property
    def originals(self) -> dict[str, Utterance]:
        return self.decoded[ORIGINAL]

    @property
    def systems(self) -> list[str]:
        """All but the originals, in the user's order."""
        return [name for name in self.decoded if name != ORIGINAL]


def pair(
    inspected: Mapping[str, Inspected],
    systems: Sequence[str],
    speakers: Mapping[str, str],
    transcripts: Mapping[str, str],
    keep_mismatches: bool,
) -> tuple[Recordings, list[Problem]]:
    """Recordings, and what is wrong with files; CorpusError where no original or no system's file can be measured."""
    decoded: dict[str, dict[str, Utterance]] = {name: {} for name in (ORIGINAL, *systems)}
    others, problems = _others(inspected, systems)
    for utterance_id, found in inspected.items():
        for system, file in found.decoded.items():
            faults = list(_faults(found, system, others.get((system, utterance_id)), keep_mismatches))
            problems += faults
            if all(fault.measured for fault in faults):
                facts = (str(file.path), file.n_samples, file.sample_rate, transcripts.get(utterance_id, ""))
                decoded[system][utterance_id] = Utterance(utterance_id, speakers[utterance_id], *facts)
    return Recordings(decoded), [*problems, *_without_files(decoded, problems)]


def _others(
    inspected: Mapping[str, Inspected], systems: Iterable[str]
) -> tuple[dict[tuple[str, str], str], list[Problem]]:
    """By system and id, which other recording a file is; a problem for a system with files that were not looked for."""
    others, problems = {}, []
    for system in systems:
        found, left_out = other_recordings(inspected, system)
        others |= {(system, utterance_id): other for utterance_id, other in found.items()}
        if left_out:
            text = (
                f"too many files are little like their originals: {len(left_out)} of them were not looked for among the "
                "other recordings; if the codec has not collapsed, see whether files and names belong together"
            )
            folder = str(inspected[left_out[0]].decoded[system].path.parent)
            problems.append(Problem(system, "", folder, "not looked for", text, measured=True))
    return others, problems


def _without_files(decoded: Mapping[str, Mapping[str, Utterance]], problems: Sequence[Problem]) -> list[Problem]:
    """A problem for every system without a file that can be measured; CorpusError where the originals or all systems are."""
    without = []
    for system in (system for system, files in decoded.items() if not files):
        first = next(problem for problem in problems if problem.system == system and problem.utterance_id)
        text = f"none of its files can be measured; the first, {first.file}: {first.problem}"
        without.append(Problem(system, "", first.file, "no figure", text, measured=False))
    if not decoded[ORIGINAL] or len(without) == len(decoded) - 1:
        raise CorpusError(f"{without[0].system}: {without[0].problem}")
    return without


def _faults(found: Inspected, system: str, other: str | None, keep_mismatches: bool) -> Iterable[Problem]:
    """A file's problems, the worst one alone; `other` is the recording that it is instead of its own."""
    file, original = found.decoded[system], found.decoded[ORIGINAL]

    def problem(kind: str, text: str, measured: bool = False) -> Problem:
        return Problem(system, found.utterance_id, str(file.path), kind, text, measured)

    if file.fault:
        yield problem("unusable", file.fault)
    elif original.fault:
        yield problem("unusable", f"its original {original.fault}")
    elif file.remark or original.remark:
        yield problem("silence", file.remark or f"its original {original.remark}", measured=True)
    elif system != ORIGINAL:
        yield from _mismatch(file, original, found.likenesses[system], other, problem, keep_mismatches)


def _mismatch(
    file: Decoded, original: Decoded, alike: float, other: str | None, problem: Callable[..., Problem], keep: bool
) -> Iterable[Problem]:
    """Another recording, another length, or a likeness to nothing."""
    if other:
        yield problem("another recording", f"sounds like {other}, not like the recording of its name", keep)
    elif length := length_fault(original, file):
        yield problem("length", length, keep)
    elif alike < UNLIKE:
        text = f"resembles its original no more than a stranger's recording does ({alike:.2f}; 1 is the same)"
        yield problem("unlike", text, measured=True)
