"""Tensors out of a checkpoint that holds more than tensors, without running or importing anything that it names.

Trainers pickle their own objects beside the weights. `torch.load(weights_only=True)` refuses such a file, and
`weights_only=False` would run its code and need the trainer's packages; here those objects become inert placeholders.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

_KEPT = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
    ("torch._utils", "_rebuild_tensor_v2"): torch._utils._rebuild_tensor_v2,
    ("torch._utils", "_rebuild_parameter"): torch._utils._rebuild_parameter,
}


class Inert:
    """Stands for an object of a class that is not looked up; takes every step of unpickling and keeps nothing."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> "Inert":
        return super().__new__(cls)

    def __init__(self, *_args: Any, **_kwargs: Any):
        pass

    def _ignore(self, *_args: Any) -> "Inert":
        return self

    __call__ = __setstate__ = __setitem__ = append = extend = add = _ignore


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, name: str) -> Any:
        return _KEPT.get((module_name, name), Inert)


def load_inert(path: Path) -> Any:
    """A torch checkpoint on the CPU: containers and tensors as they are, everything else `Inert`."""
    reader = SimpleNamespace(
        __name__=__name__, Unpickler=_Unpickler, load=lambda file, **options: _Unpickler(file, **options).load()
    )
    return torch.load(path, map_location="cpu", pickle_module=reader, weights_only=False)
