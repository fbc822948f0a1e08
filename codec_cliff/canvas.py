"""Matplotlib as it is shipped: figures are the same whatever somebody's matplotlibrc or notebook says."""

import os

os.environ["MPLBACKEND"] = "agg"
os.environ["MATPLOTLIBRC"] = os.devnull

import matplotlib
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D

matplotlib.rcdefaults()  # it may have been imported before, under other settings
matplotlib.use("agg")

__all__ = ["Axes", "Figure", "HandlerTuple", "Line2D", "matplotlib", "plt"]
