"""Where the tests find things: the project, and real speech that is not part of it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared/data"
LIBRISPEECH = SHARED / "LibriSpeech"  # tests that read it are skipped where it is not
