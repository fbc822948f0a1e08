"""A finished model with its uncovered taps set to zero, nothing retrained: what do taps that no data ever shaped cost?"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from codec_cliff.errors import CodecError, exit_cleanly
from codec_cliff.files import atomic_path
from codec_cliff.models.coverage import generator_taps
from codec_cliff.models.dac import load_generator
from codec_cliff.probes.edits import edit, edit_names, effective_weight


def tap_norms(layer: nn.Module) -> list[float]:
    """Norm of each tap of the effective weight, along the kernel."""
    return effective_weight(layer).norm(dim=(0, 1)).tolist()


def write_repaired(source: Path, folder: Path, name: str = "zero-uncovered") -> None:
    """Read the run folder `source`, write the edited run folder: config.json, model.safetensors, repair.json.

    `name` is one of `edit_names`; CodecError on any other one, unless every tap is covered: then the model stays as it is.
    """
    run, model = load_generator(source)
    layers = generator_taps(run)
    known = edit_names(layers)
    if known and name not in known:
        raise CodecError(f"--edit {name}: not an edit of {run.codec}; known: {', '.join(known)}")
    before = {layer.layer: tap_norms(model.get_submodule(layer.layer)) for layer in layers if layer.uncovered}
    edited = edit(model, name, layers, run.seed)
    record = {layer: {"taps": taps, "tap_norms_before": before[layer]} for layer, taps in edited.items()}
    suffix = "repaired" if name == "zero-uncovered" else name
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in (
        ("config.json", replace(run, codec=f"{run.codec}-{suffix}").to_dict()),
        ("repair.json", {"source": run.codec, "edit": name, "layers": record}),
    ):
        with atomic_path(folder / path) as temporary:
            temporary.write_text(json.dumps(content, indent=1))
    with atomic_path(folder / "model.safetensors") as temporary:
        save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, temporary)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", required=True, type=Path, help="run folder of the finished model")
    parser.add_argument("--folder", required=True, type=Path, help="run folder of the repaired one")
    parser.add_argument(
        "--edit",
        default="zero-uncovered",
        help="zero-uncovered, zero-only:LAYER, or a control: zero-covered, randomise-uncovered",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    write_repaired(arguments.source, arguments.folder, arguments.edit)


if __name__ == "__main__":
    exit_cleanly(main)
