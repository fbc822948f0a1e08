"""The figure for a paper and the page's chart: a mark wherever the table has a value."""

from types import SimpleNamespace

from codec_cliff.canvas import plt
from codec_cliff.evaluate.figure import _panel
from codec_cliff.report import charts

SUMMARY = {
    ("many", "stoi"): {"value": 0.9, "low": 0.8, "high": 0.95},
    ("one", "stoi"): {"value": 0.7, "low": None, "high": None},
}


def test_a_system_of_one_file_has_a_mark_without_an_interval():
    figure, axis = plt.subplots()
    _panel(axis, SimpleNamespace(summary=SUMMARY), "stoi", ["many", "one", "none"])
    plt.close(figure)
    assert [(line.get_marker(), list(line.get_xdata())) for line in axis.lines] == [
        ("o", [0.9]),
        ("None", [0.8, 0.95]),
        ("o", [0.7]),
    ]


def test_on_the_page_too():
    names = {name: name for name in ("many", "one", "none")}
    chart = charts.systems(SimpleNamespace(summary=SUMMARY), "stoi", names)
    points = chart["layer"][1]["data"]["values"]
    assert [(point["name"], point["value"]) for point in points] == [("many", 0.9), ("one", 0.7)]
    assert points[1]["text"] == "one: STOI 0.70"
