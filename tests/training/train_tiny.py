"""A tiny training as its own process, to be killed or started several times: python -m tests.training.train_tiny RUN STORE FOLDER."""

import json
import sys
from pathlib import Path

from codec_cliff.corpus.store import open_store
from codec_cliff.study.config import Run
from codec_cliff.training.checkpoint import run_lock
from codec_cliff.training.loop import Stop, train


def main(run: str, store: str, folder: str) -> None:
    with run_lock(Path(folder)):
        train(Run.from_dict(json.loads(run)), open_store(f"{store}.tsv", f"{store}.npy"), Path(folder), Stop(None))


if __name__ == "__main__":
    main(*sys.argv[1:])
