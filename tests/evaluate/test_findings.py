"""Files that have a figure but no delay."""

from types import SimpleNamespace

import pandas as pd

from codec_cliff.evaluate.findings import without_delay
from codec_cliff.evaluate.problems import Problem


def test_a_file_whose_delay_cannot_be_found_is_named_once():
    """Measured and without a delay: named, but where something else has been said of it, or where there is no figure at all."""
    files = {name: SimpleNamespace(path=f"mine/{name}.wav") for name in ("u1", "u2", "u3", "u4")}
    rows = pd.DataFrame(
        {"utterance_id": ["u1", "u2", "u3", "u4"], "stoi": [0.9, 0.2, 0.1, None], "lag_ms": [0.0, None, None, None]}
    )
    named = [
        Problem("mine", "u2", "mine/u2_b.wav", "further file", "left out", measured=False),
        Problem("mine", "u3", "mine/u3.wav", "unlike", "unlike the original", measured=True),
    ]
    (problem,) = without_delay(SimpleNamespace(decoded={"mine": files}), {"mine": rows}, named)
    assert (problem.system, problem.utterance_id, problem.file, problem.measured) == ("mine", "u2", "mine/u2.wav", True)
