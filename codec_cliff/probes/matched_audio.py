"""Tokens a clip or audio a step? A square of few and many tokens at little and much audio, in equal steps."""

from collections.abc import Iterator, Sequence

import numpy as np

from codec_cliff.probes.answer import Answer, Verdict, sign, signed, spread_sentence
from codec_cliff.probes.arms import SAME_AUDIO, Arm, Scores
from codec_cliff.statistics.bootstrap import Estimate

Square = tuple[Arm, Arm, Arm, Arm]  # few tokens and little audio, many and little, few and much, many and much


def squares(found: Sequence[Arm]) -> Iterator[Square]:
    """The largest square of each frame rate: one of whole tokens, and one whose few tokens are padded (fixed duration)."""
    for rate in dict.fromkeys(arm.frame_rate for arm in found):
        at_rate = [arm for arm in found if arm.frame_rate == rate]
        for whole in (True, False):
            possible = list(_possible([arm for arm in at_rate if arm.whole_tokens == whole], at_rate))
            if possible:
                yield max(
                    possible,
                    key=lambda square: (square[1].tokens / square[0].tokens, square[2].audio / square[0].audio),
                )


def _possible(few: Sequence[Arm], found: Sequence[Arm]) -> Iterator[Square]:
    for little in few:
        for much in (arm for arm in few if arm.tokens == little.tokens and arm.audio > SAME_AUDIO * little.audio):
            many = [arm for arm in found if arm.whole_tokens and arm.tokens > little.tokens]
            for corner in (arm for arm in many if _equal(arm, little)):
                for opposite in (arm for arm in many if arm.tokens == corner.tokens and _equal(arm, much)):
                    yield little, corner, much, opposite


def _equal(a: Arm, b: Arm) -> bool:
    return 1 / SAME_AUDIO < a.audio / b.audio < SAME_AUDIO


def answer(found: Sequence[Arm], scores: Scores) -> Answer:
    """A row an effect, and a verdict a square."""
    spread = scores.seed_spread(found)
    rows, verdicts = [], []
    for square in squares(found):
        effects = _effects(scores.arm_means(square, spread), scores)
        corners = {"frame_rate": square[0].frame_rate, "few": square[0].name, "many": square[3].name}
        for name, estimate in effects.items():
            rows.append(
                corners | {"effect": name, "difference": estimate.value, "low": estimate.low, "high": estimate.high}
            )
        verdicts.append(_verdict(square, effects, scores, spread))
    return Answer(rows, verdicts or [_unasked(found)])


def _unasked(found: Sequence[Arm]) -> Verdict:
    measured = "; ".join(f"{arm.frame_rate:g} Hz, {arm.name}" for arm in found)
    evidence = (
        f"There is no square of few and many tokens at little and much audio among the measured arms: {measured}."
    )
    return Verdict("Is it tokens a clip or audio a step?", "not settled at this scale", evidence)


def _effects(means: np.ndarray, scores: Scores) -> dict[str, Estimate]:
    few_little, many_little, few_much, many_much = means
    return {
        "tokens, little audio": scores.estimate(many_little - few_little),
        "tokens, much audio": scores.estimate(many_much - few_much),
        "audio, few tokens": scores.estimate(few_much - few_little),
        "audio, many tokens": scores.estimate(many_much - many_little),
        "interaction": scores.estimate(many_much - few_much - many_little + few_little),
    }


def _verdict(square: Square, effects: dict[str, Estimate], scores: Scores, spread: tuple[float, int]) -> Verdict:
    little, _, much, many = square
    question = (
        f"At {little.frame_rate:g} Hz, is it tokens a clip ({little.tokens} or {many.tokens}) or audio a step "
        f"({little.audio:.4g} or {much.audio:.4g} s)" + ("?" if little.whole_tokens else ", clips of fixed duration?")
    )
    evidence = f"{scores.metric.upper()}: " + "; ".join(f"{name} {signed(effect)}" for name, effect in effects.items())
    evidence += f". {spread_sentence(spread)}"
    tokens, audio = (
        {sign(effect) for name, effect in effects.items() if name.startswith(kind)} for kind in ("tokens", "audio")
    )
    if not spread[1] or tokens | audio == {"0"}:
        return Verdict(question, "not settled at this scale", evidence)
    return Verdict(question, f"more tokens: {_words(tokens)}; more audio: {_words(audio)}", evidence)


def _words(signs: set[str]) -> str:
    """The two simple effects of a factor in words."""
    return {
        frozenset("+"): "better at both levels of the other",
        frozenset("-"): "worse at both levels of the other",
        frozenset("0"): "not settled",
        frozenset("+-"): "better at one level of the other, worse at the other level",
        frozenset("+0"): "better at one level of the other, not settled at the other level",
        frozenset("-0"): "worse at one level of the other, not settled at the other level",
    }[frozenset(signs)]
