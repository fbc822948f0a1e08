"""Explanation by experiment: what each says will happen to STOI, what happened, and whether that fits.

*coverage*: taps that no clip trains cost quality. *context*: too few tokens a clip do, whatever the taps. *zeros*: the padding of a
clip to a whole token does. A prediction is a sign, and an interval speaks against it that leaves it less than half of `SMALL`; one
of no effect fits where the whole interval lies within `SMALL`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from codec_cliff.probes.answer import Answer, Verdict
from codec_cliff.probes.arms import SAME_AUDIO, Arm, Contrast, Scores, shared_seeds
from codec_cliff.statistics.bootstrap import Estimate
from codec_cliff.statistics.seeds import UNKNOWN, Spread
from codec_cliff.study.config import Study

EXPLANATIONS = ("coverage", "context", "zeros")
SMALL = 0.02  # of STOI: less than this is no effect
SMALL_EDIT = 0.004  # the same between two edits of one model, which no training tells apart
CUT = "0.38 s"  # the study's fixed duration, which is no whole number of tokens


@dataclass(frozen=True)
class Experiment:
    """A contrast of arms, and the sign that each explanation predicts for it, in the order of `EXPLANATIONS`."""

    name: str
    contrast: Contrast
    predictions: tuple[str, str, str]


def find(found: Sequence[Arm], rate: float, clip: str | int, variant: str, audio: float) -> Arm | None:
    """The arm at a rate with clips of so many whole tokens, or of the fixed duration, at the probes' audio a step."""
    for arm in found:
        equal = 1 / SAME_AUDIO < arm.audio / audio < SAME_AUDIO
        named = not arm.whole_tokens if clip == CUT else arm.whole_tokens and arm.tokens == clip
        if equal and named and (arm.frame_rate, arm.variant) == (rate, variant):
            return arm
    return None


def experiments(study: Study, found: Sequence[Arm], rate: float) -> Iterator[Experiment]:
    """Those whose arms are all measured."""

    def arm(clip: str | int, variant: str = "") -> Arm | None:
        return find(found, rate, clip, variant, study.probes.batch_seconds)

    def minus(a: Arm | None, b: Arm | None) -> list:
        return [(1, a), (-1, b)]

    def beyond(a: list, b: list) -> list:
        return [*a, *((-factor, part) for factor, part in b)]

    cut, long = arm(CUT), arm(19)
    orders = [entry for entry in study.frame_rates if entry.frame_rate == rate and entry.name]
    asked = [
        (f"19 tokens minus {CUT}", minus(long, cut), "+++"),
        (f"3 whole tokens minus {CUT}", minus(arm(3), cut), "00+"),
        (f"2 whole tokens minus {CUT}", minus(arm(2), cut), "--+"),
        ("4 tokens minus 3", minus(arm(4), arm(3)), "++0"),
        ("19 tokens minus 4", minus(long, arm(4)), "0+0"),
        ("3 tokens: replicate minus zeros", minus(arm(3, "replicate"), arm(3)), "+00"),
        (f"{CUT}: replicate minus zeros", minus(arm(CUT, "replicate"), cut), "+00"),
        ("replicate: 19 tokens minus 3", minus(arm(19, "replicate"), arm(3, "replicate")), "0+0"),
        (f"replicate: 19 tokens minus {CUT}", minus(arm(19, "replicate"), arm(CUT, "replicate")), "0++"),
        *(
            (
                f"19 tokens minus {CUT}: strides {','.join(map(str, entry.strides))} minus the study's own",
                beyond(minus(arm(19, entry.name), arm(CUT, entry.name)), minus(long, cut)),
                "+00",
            )
            for entry in orders
        ),
        (
            f"19 tokens minus {CUT}: longer training minus the study's own",
            beyond(minus(arm(19, "longer"), arm(CUT, "longer")), minus(long, cut)),
            "++0",
        ),
        (f"19 tokens minus {CUT}, longer training", minus(arm(19, "longer"), arm(CUT, "longer")), "+++"),
    ]
    for name, contrast, signs in asked:
        if all(part is not None for _, part in contrast):
            yield Experiment(f"{rate:g} Hz: {name}", contrast, tuple(signs))


def fits(estimate: Estimate, predicted: str, small: float = SMALL) -> str:
    """Whether an interval fits a predicted sign, speaks against it, or leaves it open."""
    if predicted == "0":
        if estimate.low > -small and estimate.high < small:
            return "fits"
        return "open" if estimate.low <= 0 <= estimate.high else "against"
    sign = 1 if predicted == "+" else -1
    low, high = sorted((sign * estimate.low, sign * estimate.high))
    return "fits" if low > 0 else "against" if high < small / 2 else "open"


def _row(
    name: str, estimate: Estimate, seeds: int, predictions: Sequence[str], settled: bool, small: float = SMALL
) -> dict[str, object]:
    row = {"experiment": name, "difference": estimate.value, "low": estimate.low, "high": estimate.high, "seeds": seeds}
    for explanation, predicted in zip(EXPLANATIONS, predictions, strict=True):
        row[explanation] = f"{predicted} {fits(estimate, predicted, small) if settled else 'one training'}"
    return row


def answer(study: Study, found: Sequence[Arm], scores: Scores) -> Answer:
    """A row an experiment, and a verdict an explanation; an experiment is not tested whose arms have no seed in common."""
    spread = scores.block_spread(found)
    rows, untested = [], []
    for rate in dict.fromkeys(arm.frame_rate for arm in found):
        for experiment in experiments(study, found, rate):
            shared = shared_seeds(experiment.contrast)
            if not shared:
                untested.append(experiment.name)
                continue
            estimate, seeds = scores.contrast(experiment.contrast, spread if len(shared) > 1 else UNKNOWN)
            rows.append(_row(experiment.name, estimate, seeds, experiment.predictions, seeds > 1))
    rows += [row for arm in found if arm.uncovered and arm.controlled for row in _repairs(arm, scores)]
    asked = EXPLANATIONS if rows or untested else ()
    return Answer(rows, [_verdict(explanation, rows, untested, spread) for explanation in asked])


def _repairs(arm: Arm, scores: Scores) -> Iterator[dict[str, object]]:
    """Within finished models, so that no training differs: zeroing uncovered taps against zeroing as many covered ones.

    Not where the control lets nothing through.
    """
    if not all(scores.has(codec, name) for codec in arm.codecs for name in ("zero-uncovered", "zero-covered")):
        return
    gain = sum(scores.mean(codec, "zero-uncovered") - scores.mean(codec, "zero-covered") for codec in arm.codecs)
    name = f"{arm.frame_rate:g} Hz, {arm.name}: zeroing {arm.uncovered} uncovered taps minus zeroing as many covered"
    yield _row(name, scores.estimate(gain / len(arm.codecs)), len(arm.codecs), "+00", True, SMALL_EDIT)


def _verdict(explanation: str, rows: Sequence[dict[str, object]], untested: Sequence[str], spread: Spread) -> Verdict:
    """How often what happened fits an explanation; the experiments are named that speak against it or are not tested."""
    outcomes: dict[str, list[str]] = {"fits": [], "against": [], "open": [], "one training": []}
    for row in rows:
        outcomes[str(row[explanation]).split(" ", 1)[1]].append(str(row["experiment"]))
    outcomes["not tested"] = list(untested)
    counts = ", ".join(f"{len(names)} {word}" for word, names in outcomes.items() if names)
    against = "; ".join(outcomes["against"]) or "none"
    told = "seeds are in the intervals" if spread[1] else "no arm has two seeds"
    seedless = f" Not tested, for no seed was trained in all of their arms: {'; '.join(untested)}." if untested else ""
    word = "spoken against" if outcomes["against"] else "not settled at this scale"
    return Verdict(
        f"Does the explanation by {explanation} fit the experiments?", f"{word}: {counts}",
        f"Against: {against}. {told.capitalize()}.{seedless}",
    )  # fmt: skip
