"""A tiny training as a process of its own, for tests that kill it or start several: python -m tests.train_tiny RUN STORE FOLDER."""

import json
import sys
from pathlib import Path

from codec_cliff.checkpoint import run_lock
from codec_cliff.config import Run
from codec_cliff.store import open_store
from codec_cliff.training import Stop, train


def main(run: str, store: str, folder: str) -> None:
    with run_lock(Path(folder)):
        train(Run.from_dict(json.loads(run)), open_store(f"{store}.tsv", f"{store}.npy"), Path(folder), Stop(None))


if __name__ == "__main__":
    main(*sys.argv[1:])
