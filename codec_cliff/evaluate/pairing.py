"""Which files take part: recordings and reconstructions that can be what their names say, and a problem for each of the others."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from codec_cliff.corpus.manifest import Utterance
from codec_cliff.errors import CorpusError
from codec_cliff.evaluate.inspection import UNLIKE, Decoded, Inspected, another_recording, length_fault
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
    """Recordings, and what is wrong with files; CorpusError where no file of a system can be measured."""
    decoded: dict[str, dict[str, Utterance]] = {name: {} for name in (ORIGINAL, *systems)}
    problems = []
    for utterance_id, found in inspected.items():
        for system, file in found.decoded.items():
            faults = list(_faults(inspected, utterance_id, system, keep_mismatches))
            problems += faults
            if all(fault.measured for fault in faults):
                facts = (str(file.path), file.n_samples, file.sample_rate, transcripts.get(utterance_id, ""))
                decoded[system][utterance_id] = Utterance(utterance_id, speakers[utterance_id], *facts)
    _check(decoded, problems)
    return Recordings(decoded), problems


def _faults(
    inspected: Mapping[str, Inspected], utterance_id: str, system: str, keep_mismatches: bool
) -> Iterable[Problem]:
    """A file's problems, the worst one alone."""
    found = inspected[utterance_id]
    file, original = found.decoded[system], found.decoded[ORIGINAL]

    def problem(kind: str, text: str, measured: bool = False) -> Problem:
        return Problem(system, utterance_id, str(file.path), kind, text, measured)

    if file.fault:
        yield problem("unusable", file.fault)
    elif original.fault:
        yield problem("unusable", f"its original {original.fault}")
    elif file.remark or original.remark:
        yield problem("silence", file.remark or f"its original {original.remark}", measured=True)
    elif system != ORIGINAL:
        yield from _mismatch(inspected, utterance_id, system, file, original, problem, keep_mismatches)


def _mismatch(
    inspected: Mapping[str, Inspected],
    utterance_id: str,
    system: str,
    file: Decoded,
    original: Decoded,
    problem: Callable[..., Problem],
    keep: bool,
) -> Iterable[Problem]:
    """Another recording, another length, or a likeness to nothing."""
    if other := another_recording(inspected, utterance_id, system):
        yield problem("another recording", f"sounds like {other}, not like the recording of its name", keep)
    elif length := length_fault(original, file):
        yield problem("length", length, keep)
    elif (alike := inspected[utterance_id].likenesses[system]) < UNLIKE:
        text = f"resembles its original no more than a stranger's recording does ({alike:.2f}; 1 is the same)"
        yield problem("unlike", text, measured=True)


def _check(decoded: Mapping[str, Mapping[str, Utterance]], problems: Sequence[Problem]) -> None:
    for system, files in decoded.items():
        if not files:
            first = next(problem for problem in problems if problem.system == system)
            raise CorpusError(f"{system}: none of its files can be measured; the first, {first.file}: {first.problem}")
