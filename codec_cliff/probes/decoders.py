"""What changing the decoder of finished models changes: the repair and its controls, and decoding in chunks. Paired by utterance.

No training differs between the two sides of these differences, so speakers alone vary; a claim needs every model to agree.
"""

from collections.abc import Sequence

from codec_cliff.probes.answer import Answer, Verdict, in_all, sign, signed
from codec_cliff.probes.arms import Arm, Scores
from codec_cliff.probes.variants import WHOLE
from codec_cliff.statistics.bootstrap import Estimate

REPAIRS = ("zero-uncovered", "zero-only:", "zero-covered", "randomise-uncovered")
CHUNKS = ("chunks", "overlapping-chunks", "zero-uncovered, overlapping-chunks")


def repair(found: Sequence[Arm], scores: Scores) -> Answer:
    """Each edit minus the model as it is; a verdict a frame rate with uncovered taps."""
    damaged = [arm for arm in found if arm.uncovered]
    rows = [row for arm in damaged for row in _rows(arm, scores, REPAIRS)]
    verdicts = [_repair_verdict(rate, arms, scores) for rate, arms in _by_rate(damaged).items()]
    return Answer(rows, verdicts)


def chunked(found: Sequence[Arm], scores: Scores) -> Answer:
    """Each way of decoding in chunks of the training length minus whole utterances; a verdict a frame rate."""
    rows = [row for arm in found for row in _rows(arm, scores, CHUNKS)]
    rates = _by_rate([arm for arm in found if arm.uncovered])
    return Answer(rows, [_chunk_verdict(rate, arms, scores) for rate, arms in rates.items()])


def _by_rate(found: Sequence[Arm]) -> dict[float, list[Arm]]:
    rates: dict[float, list[Arm]] = {}
    for arm in found:
        rates.setdefault(arm.frame_rate, []).append(arm)
    return rates


def _rows(arm: Arm, scores: Scores, names: Sequence[str]) -> list[dict[str, object]]:
    rows = []
    for codec in arm.codecs:
        variants = dict.fromkeys(scores.rows.loc[scores.rows["codec"] == codec, "variant"])
        for variant in variants:
            if any(variant == name or (name.endswith(":") and variant.startswith(name)) for name in names):
                estimate = _difference(scores, codec, variant)
                row = {
                    "codec": codec,
                    "frame_rate": arm.frame_rate,
                    "tokens": arm.tokens,
                    "uncovered_taps": arm.uncovered,
                }
                row |= {"variant": variant, "whole": scores.mean(codec)[0], "value": scores.mean(codec, variant)[0]}
                row |= {"difference": estimate.value, "low": estimate.low, "high": estimate.high}
                rows.append(row)
    return rows


def _difference(scores: Scores, codec: str, variant: str) -> Estimate:
    return scores.estimate(scores.mean(codec, variant) - scores.mean(codec, WHOLE))


def _each(arms: Sequence[Arm], scores: Scores, variant: str) -> dict[str, Estimate]:
    return {codec: _difference(scores, codec, variant) for arm in arms for codec in arm.codecs}


def _sentence(name: str, differences: dict[str, Estimate]) -> str:
    return f"{name}: " + ", ".join(f"{codec} {signed(estimate)}" for codec, estimate in differences.items())


def _agreed(differences: dict[str, Estimate]) -> str:
    """`+`, `-` or `0` where all models agree, else `mixed`."""
    signs = {sign(estimate) for estimate in differences.values()}
    return signs.pop() if len(signs) == 1 else "mixed"


def _repair_verdict(rate: float, arms: Sequence[Arm], scores: Scores) -> Verdict:
    question = f"Do the uncovered taps cost quality at {rate:g} Hz, so that zeroing them in the finished model helps?"
    edits = ("zero-uncovered", "zero-covered", "randomise-uncovered")
    found = {name: _each(arms, scores, name) for name in edits}
    evidence = (
        f"{scores.metric.upper()} minus the model as it is. " + "; ".join(map(_sentence, found, found.values())) + "."
    )
    beyond = {
        codec: scores.estimate(scores.mean(codec, "zero-uncovered") - scores.mean(codec, "zero-covered"))
        for codec in found["zero-uncovered"]
    }
    evidence += f" {_sentence('zero-uncovered minus zero-covered', beyond)}."
    agreed = _agreed(found["zero-uncovered"])
    words = {"-": f"no, zeroing harms, {in_all(beyond)}", "0": "not settled at this scale"}
    verdict = words.get(agreed, "not settled at this scale: the models disagree")
    if agreed == "+":
        more = _agreed(beyond) == "+"
        verdict = f"yes, {in_all(beyond)}" if more else "not settled at this scale: zeroing covered taps helps as much"
    return Verdict(question, verdict, evidence)


def _chunk_verdict(rate: float, arms: Sequence[Arm], scores: Scores) -> Verdict:
    question = f"Does decoding in chunks of the training length help the models with uncovered taps at {rate:g} Hz?"
    found = {
        name: _each([arm for arm in arms if arm.tokens > 1 or name == "chunks"], scores, name)
        for name in ("chunks", "overlapping-chunks")
    }
    evidence = (
        f"{scores.metric.upper()} minus whole utterances. " + "; ".join(map(_sentence, found, found.values())) + "."
    )
    words = {"+": "better", "-": "worse", "0": "not settled", "mixed": "the models disagree"}
    verdict = "; ".join(f"{name.replace('-', ' ')}: {words[_agreed(each)]}" for name, each in found.items() if each)
    settled = any(_agreed(each) in "+-" for each in found.values() if each)
    return Verdict(question, verdict if settled else "not settled at this scale", evidence)
