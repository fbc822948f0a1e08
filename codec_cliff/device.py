"""Where tensors live and how precisely they are computed: what `auto` means, in one place."""

import torch

from codec_cliff.errors import UserError


def choose_device(name: str) -> str:
    """A device that torch has: `auto` is the GPU where there is one, else the CPU. It computes in float32 until it is told otherwise.

    Raises UserError where a GPU is asked for and none is there.
    """
    # cuDNN's convolutions round to TF32 by default: what is measured must not depend on whether a GPU computed it
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"the device is {name}, but torch finds no GPU here; set it to auto or cpu")
    return name


def choose_precision(name: str, device: str) -> str:
    """float32, tf32 or bfloat16; `auto` is bfloat16 where the device computes in it, for elsewhere it is emulated and slower."""
    if name != "auto":
        return name
    if device.startswith("cuda"):
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if native else "float32"
