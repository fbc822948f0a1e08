"""Figures are the same whatever somebody's Matplotlib is told."""

import os
import subprocess
import sys

import pytest

DRAW = """
import sys, codec_cliff.report.figure1
from codec_cliff.canvas import plt
figure, axis = plt.subplots()
axis.plot([1, 2], label="$a_b$ 50%")
figure.savefig(sys.argv[1], metadata={"Software": None})
"""
RC = "text.usetex: True\nfont.family: Helvetica Neue\nfigure.dpi: 11\naxes.facecolor: red\nlines.linewidth: 9\nsavefig.bbox: tight\n"


def drawn(folder, **environment) -> bytes:
    path = folder / f"{len(list(folder.iterdir()))}.png"
    subprocess.run(
        [sys.executable, "-c", DRAW, path], check=True, cwd=folder, env=os.environ | environment, capture_output=True
    )
    return path.read_bytes()


@pytest.mark.parametrize("backend", ["module://matplotlib_inline.backend_inline", "TkAgg", "nonsense"])
def test_settings_of_a_user_or_a_notebook_change_nothing(tmp_path, backend):
    plain = drawn(tmp_path)
    (tmp_path / "matplotlibrc").write_text(RC)  # where it runs, and in the settings' folder
    assert drawn(tmp_path, MPLBACKEND=backend, MPLCONFIGDIR=str(tmp_path)) == plain
    assert drawn(tmp_path, MATPLOTLIBRC=str(tmp_path)) == plain
