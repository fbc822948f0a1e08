"""Models of transformers hold every weight: what their files lack, the library would fill with random numbers and go on."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, __version__

from codec_cliff.errors import UserError

SHOWN = 3


def check_whole(
    model: PreTrainedModel,
    report: Mapping[str, Any],
    folder: Path,
    error: type[UserError],
    elsewhere: Collection[str] = (),
) -> None:
    """Raise `error` where weights are random, for the files in `folder` lack them or have them in another shape.

    `report` is what `from_pretrained` says with `output_loading_info`; weights `elsewhere` are no matter of these files.
    """
    random = report["missing_keys"] | {name for name, *_ in report["mismatched_keys"]}
    if random := sorted(random - set(elsewhere)):
        raise error(
            f"{folder}: lacks {len(random)} weights that the {type(model).__name__} of transformers {__version__} asks for, or has "
            f"them in another shape ({', '.join(random[:SHOWN])}{' ...' if len(random) > SHOWN else ''}); delete it, and what its "
            "links lead to, to have it downloaded again; if they are still missing, install the transformers of uv.lock (uv sync)"
        )
