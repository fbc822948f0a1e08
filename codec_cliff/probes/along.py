"""A training seen along its way: the weights that it kept at some steps, in every variant, and the norms of their taps.

Does what zeroing the uncovered taps gives grow with training, as noise beside shrinking neighbours would, or fade?
"""

from collections.abc import Sequence
from pathlib import Path

from codec_cliff.corpus.store import AudioStore
from codec_cliff.errors import CodecError, exit_cleanly
from codec_cliff.files import write_csv
from codec_cliff.models.dac import TrainedCodec, load_generator
from codec_cliff.probes.drift import drift_rows
from codec_cliff.probes.variants import instruments, measure, measuring_arguments

ASKED = ("whole", "zero-uncovered", "zero-covered", "overlapping-chunks")
FIRST = "decoder.model.0"  # the convolution over tokens

Rows = list[dict[str, object]]


def kept_steps(run_folder: Path) -> list[int]:
    """The steps whose weights a run folder keeps, in their order."""
    return sorted(int(path.parent.name) for path in (run_folder / "steps").glob("*/model.safetensors"))


def step_rows(
    run_folder: Path, step: int, store: AudioStore, scorers: Sequence[object], device: str
) -> tuple[Rows, Rows]:
    """Of the weights kept at `step`: scores, one row an utterance and variant, and tap norms, one row a tap of the first layer."""
    run, model = load_generator(run_folder / "steps" / str(step))
    leading = {"codec": run_folder.name, "step": step}
    taps = [{**row, **leading} for row in drift_rows(run, model) if row["layer"] == FIRST]
    scores, _ = measure(TrainedCodec(run, model, device), store, scorers, ASKED)
    return [{**row, **leading} for row in scores], taps


def along(run_folder: Path, store: AudioStore, scorers: Sequence[object], device: str) -> tuple[Rows, Rows]:
    """The rows of every step that a run kept; CodecError where it kept none."""
    steps = kept_steps(run_folder)
    if not steps:
        raise CodecError(f"{run_folder}: keeps no weights along its training; list steps under training.keep_steps")
    found = [step_rows(run_folder, step, store, scorers, device) for step in steps]
    return [row for scores, _ in found for row in scores], [row for _, taps in found for row in taps]


def main() -> None:
    parser = measuring_arguments(__doc__)
    parser.add_argument("--taps", required=True, type=Path)
    arguments = parser.parse_args()
    scores, taps = along(arguments.run_folder, *instruments(arguments))
    write_csv(arguments.scores, scores)
    write_csv(arguments.taps, taps)


if __name__ == "__main__":
    exit_cleanly(main)
