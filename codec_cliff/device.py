"""Where tensors live: what `auto` means, in one place."""

import torch

from codec_cliff.errors import UserError


def choose_device(name: str) -> str:
    """A device that torch has: `auto` is the GPU where there is one, else the CPU.

    Raises UserError where a GPU is asked for and none is there.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"the device is {name}, but torch finds no GPU here; set it to auto or cpu")
    return name
