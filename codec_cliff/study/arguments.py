"""The command line of whatever needs a whole study: its configuration, and its folder of results."""

import argparse
import json
from pathlib import Path

from codec_cliff.study.config import Study
from codec_cliff.study.load import load_study


def study_arguments(description: str | None) -> argparse.ArgumentParser:
    """A parser of `--study`, which becomes a checked Study, and `--results`, a folder."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--study", required=True, type=_study, help="the merged configuration, JSON")
    parser.add_argument("--results", required=True, type=Path, help="results/<study>")
    return parser


def _study(text: str) -> Study:
    return load_study(json.loads(text))
