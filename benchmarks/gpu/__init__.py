"""The training step on a GPU, whole: against the official one, each change alone and all, memory, first steps, a kill and a resume.

One command of a few minutes. Every part prints its line when it is done; one that fails prints its traceback and the rest goes on. A
table comes last, then `ratio X.XX`: seconds of the official step over seconds of ours. Needs torch, Triton, numpy, scipy and the
project's pure-Python dependencies. `--tiny` runs the same on a CPU at small widths, Triton's kernels in its interpreter: a test of
itself.

    python -m benchmarks.gpu [--seconds 200] [--output DIR] [--only official ours ...] [--tiny]
"""

import os
import sys

TINY = "--tiny" in sys.argv
if TINY:
    os.environ["TRITON_INTERPRET"] = "1"  # before Triton is imported anywhere
DEVICE = "cpu" if TINY else "cuda"
