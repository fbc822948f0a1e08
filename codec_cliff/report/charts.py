"""The page's interactive charts as Vega-Lite specifications, from the same rows as the tables and the static figure.

Colours are the style sheet's (`var(--blue)`), so they follow the theme and turn light in print; the palette is one that the
colour-blind can tell apart, and shapes and dashes differ too.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from codec_cliff.metrics.headings import METRICS, Shown
from codec_cliff.paper.values import paper_phonemes, paper_quality
from codec_cliff.report.figure1 import measured_controls, position
from codec_cliff.report.layout import interval, number
from codec_cliff.statistics.results import Results, Row
from codec_cliff.study.config import ORIGINAL, Study

Spec = dict[str, Any]

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"  # names the version; nothing is loaded from there
GROUPS = {  # label: colour, shape
    "fixed duration": ("var(--vermilion)", "circle"),
    "fixed tokens": ("var(--blue)", "square"),
    "fixed duration, repaired": ("var(--green)", "diamond"),
    "control": ("var(--purple)", "triangle-up"),
}
PAPER = {"fixed-duration": "circle", "fixed-tokens": "square"}
DEFINITIONS = {
    "rate": ("rate / frame rate", "var(--ink)", "circle", [1, 0]),
    "overlapping": ("overlapping a frame", "var(--sky)", "square", [6, 3]),
    "distinct": ("distinct in a frame", "var(--orange)", "diamond", [2, 2]),
}
POINTS_A_CURVE = 150
DASHES = {"fixed duration": [5, 3], "fixed tokens": [1, 0], "both": [8, 2, 2, 2]}
RATE_COLOURS = 8  # that the style sheet has
STROKES = {"symbolType": "stroke", "symbolSize": 300, "symbolStrokeWidth": 2}


def quality(study: Study, results: Results, metric: str) -> Spec:
    """A metric against frame rate: both protocols, repaired models, controls, the paper's points, the originals as a line."""
    ours = [_point(study, results, metric, codec, group) for codec, group in shown_codecs(study, results)]
    ours = [point for point in ours if point]
    published = list(_published(study, metric))
    shown = METRICS[metric]
    present = [group for group in GROUPS if any(point["group"] == group for point in ours)]
    x, y = _rate_axis(study), _field("value", shown.heading, scale={"zero": metric.startswith("wer")})
    colour = _scale("group", present, [GROUPS[group][0] for group in present])
    shape = _scale("group", present, [GROUPS[group][1] for group in present], type="nominal")
    lines = {"filter": "datum.group == 'fixed duration' || datum.group == 'fixed tokens'"}
    layers = [
        *_paper_layers(published, x, y),
        {"data": {"values": ours}, "transform": [lines], "mark": {"type": "line", "strokeWidth": 1.5}}
        | _encoding(x=x, y=y, color=colour),
        {"data": {"values": ours}, "mark": {"type": "rule", "strokeWidth": 1.5, "aria": False}}
        | _encoding(x=x, y={"field": "low", "type": "quantitative"}, y2={"field": "high"}, color=colour),
        {"data": {"values": ours}, "mark": {"type": "point", "filled": True, "size": 80, "cursor": "pointer", "opacity": 1}}
        | _encoding(x=x, y=y, color=colour, shape=shape, tooltip=_tooltip(), description=_field("text", None, "nominal")),
    ]  # fmt: skip
    floor = results.figure(ORIGINAL, metric).get("value")
    if floor is not None:
        layers.append(_floor(floor, f"Original recordings: {number(floor, shown.digits)}"))
    return _chart(f"{shown.heading} against frame rate; {shown.better} is better", layers, height=240)


def shown_codecs(study: Study, results: Results) -> list[tuple[str, str]]:
    """(codec, group) of every point; the run that both protocols share stands in both groups."""
    groups = [(codec, "fixed duration") for codec in study.codecs("fixed-duration")]
    groups += [(codec, "fixed tokens") for codec in study.codecs("fixed-tokens")]
    groups += [(codec, "fixed duration, repaired") for codec in study.repaired]
    return groups + [(codec, "control") for codec in measured_controls(study, results)]


def _point(study: Study, results: Results, metric: str, codec: str, group: str) -> dict[str, Any] | None:
    row, shown = results.figure(codec, metric), METRICS[metric]
    if row.get("low") is None:
        return None
    rate = study.runs[study.repaired.get(codec, codec)].frame_rate
    shown_value = _shown_value(row, shown)
    values = {name: row[name] for name in ("value", "low", "high")}
    text = f"{rate:g} Hz, {group}: {shown.heading} {shown_value}"
    names = {"codec": codec, "group": group, "rate": position(study, codec), "text": text}
    return names | values | {"Run": codec, shown.heading: shown_value, "Measured with": row["backend"]}


def _published(study: Study, metric: str) -> Iterable[dict[str, Any]]:
    for protocol, shape in PAPER.items():
        for codec in study.codecs(protocol):
            rate = study.runs[codec].frame_rate
            if (value := paper_quality(protocol, rate, metric)) is not None:
                text = f"The paper, {rate:g} Hz, {protocol.replace('-', ' ')}: {value:g}"
                yield {"rate": rate, "value": value, "protocol": protocol, "shape": shape, "text": text}


def _paper_layers(published: list[dict[str, Any]], x: Spec, y: Spec) -> list[Spec]:
    if not published:
        return []
    data, grey = {"values": published}, {"value": "var(--grey)"}
    shape = {"field": "shape", "type": "nominal", "scale": None}
    return [
        {"data": data, "mark": {"type": "line", "strokeWidth": 1, "strokeDash": [3, 3]}}
        | _encoding(x=x, y=y, color=grey, detail=_field("protocol", None, "nominal")),
        {"data": data, "mark": {"type": "point", "filled": False, "size": 45}}
        | _encoding(x=x, y=y, color=grey, shape=shape, tooltip=_text(), description=_field("text", None, "nominal")),
    ]


def _floor(value: float, text: str, axis: str = "y") -> Spec:
    mark = {"type": "rule", "strokeDash": [1, 3], "strokeWidth": 1.5}
    return {"data": {"values": [{"floor": value, "text": text}]}, "mark": mark} | _encoding(
        **{axis: {"field": "floor", "type": "quantitative"}}, color={"value": "var(--ink)"}, tooltip=_text()
    )


def systems(results: Results, metric: str, names: dict[str, str]) -> Spec:
    """A metric of each system with its interval, in the order and under the names given, the originals as a line."""
    shown = METRICS[metric]
    points = [
        {"codec": codec, "name": name, "text": f"{name}: {shown.heading} {_shown_value(row, shown)}"}
        | {part: row[part] for part in ("value", "low", "high")}
        for codec, name in names.items()
        if codec != ORIGINAL and (row := results.summary.get((codec, metric), {})).get("value") is not None
    ]
    y = _field("name", None, "nominal", sort=[point["name"] for point in points], axis={"labelLimit": 180})
    low = _field("low", f"{shown.heading}; {shown.better} is better", scale={"zero": metric.startswith("wer")})
    data, colour = {"values": points}, {"value": "var(--blue)"}
    layers = [
        {"data": data, "mark": {"type": "rule", "strokeWidth": 1.5, "aria": False}}
        | _encoding(x=low, x2={"field": "high"}, y=y, color=colour),
        {"data": data, "mark": {"type": "point", "filled": True, "size": 80, "cursor": "pointer", "opacity": 1}}
        | _encoding(x={"field": "value", "type": "quantitative"}, y=y, color=colour, tooltip=_text(), description=_text()),
    ]  # fmt: skip
    value = results.summary.get((ORIGINAL, metric), {}).get("value")
    if value is not None:
        layers.append(_floor(value, f"Original recordings: {number(value, shown.digits)}", "x"))
    return _chart(f"{shown.heading} of each system; {shown.better} is better", layers, height=26 * len(points) + 10)


def _shown_value(row: Row, shown: Shown) -> str:
    return f"{number(row['value'], shown.digits)} {interval(row['low'], row['high'], shown.digits)}".rstrip()


def phonemes(study: Study, results: Results) -> Spec:
    """Phonemes a frame under three definitions against frame rate, without silence."""
    rows = [row for row in results.phonemes if row["frame_rate"] and row["silence"] == "without"]
    values = [_phoneme(row) for row in rows if row["definition"] in DEFINITIONS]
    labels = [definition[0] for definition in DEFINITIONS.values()]
    x = _rate_axis(study)
    y = _field("value", "Phonemes a frame", scale={"type": "log"}, axis={"values": [0.1, 0.2, 0.5, 1, 2, 5, 10, 20]})
    colour, shape, dash = (
        _scale("definition", labels, [definition[i] for definition in DEFINITIONS.values()], type="nominal")
        for i in (1, 2, 3)
    )
    data = {"data": {"values": values}}
    published = [
        {"rate": rate, "value": value, "text": f"The paper, {rate:g} Hz: {value:g}"}
        for rate in dict.fromkeys(row["frame_rate"] for row in rows)
        if (value := paper_phonemes(rate)) is not None
    ]
    layers = [
        data | {"mark": {"type": "line", "strokeWidth": 1.5}} | _encoding(x=x, y=y, color=colour, strokeDash=dash),
        data | {"mark": {"type": "point", "filled": True, "size": 60}}
        | _encoding(x=x, y=y, color=colour, shape=shape, tooltip=_text(), description=_field("text", None, "nominal")),
        {"data": {"values": published}, "mark": {"type": "point", "shape": "cross", "size": 260, "filled": False}}
        | _encoding(x=x, y=y, color={"value": "var(--vermilion)"}, tooltip=_text()),
    ]  # fmt: skip
    return _chart("Phonemes a frame against frame rate, by definition", layers, height=240)


def _phoneme(row: Row) -> dict[str, Any]:
    label = DEFINITIONS[row["definition"]][0]
    shown = f"{number(row['value'], 2)} {interval(row['low'], row['high'], 2)}"
    text = f"{row['frame_rate']:g} Hz, {label}: {shown}"
    return {"rate": row["frame_rate"], "value": row["value"], "definition": label, "text": text}


def phoneme_shares(results: Results) -> Spec:
    """How many phonemes overlap a frame, as shares of the frames of each rate."""
    rows = [row for row in results.phonemes if str(row["definition"]).startswith("share_")]
    values = [
        {"rate": f"{row['frame_rate']:g}", "number": row["definition"][-1:], "share": row["value"]}
        | {"text": f"{row['frame_rate']:g} Hz: {row['value']:.0%} of the frames hold {_count(row['definition'])}"}
        for row in rows
    ]
    mark = {"type": "bar", "stroke": "var(--ground)", "strokeWidth": 0.5}
    numbers = [str(number) for number in range(6)]
    encoding = _encoding(
        x=_field("rate", "Frame rate (Hz)", "ordinal", sort=None, axis={"labelAngle": 0}),
        y=_field("share", "Share of frames", axis={"format": "%"}, scale={"domain": [0, 1]}),
        color=_field("number", "Phonemes (5: or more)", "ordinal", scale={"domain": numbers, "scheme": "viridis"}),
        order={"field": "number", "type": "ordinal"},
        tooltip=_text(),
    )
    return _chart(
        "How many phonemes overlap a frame", [{"data": {"values": values}, "mark": mark} | encoding], height=240
    )


def _count(definition: str) -> str:
    held = definition.removeprefix("share_")
    return {"1": "one phoneme", "5": "five phonemes or more"}.get(held, f"{held} phonemes")


def code_use(study: Study, results: Results) -> list[Spec]:
    """A histogram a codebook level: use relative to uniform, codes from the most used to the least, a line a model."""
    rows = results.rows("codebook/usage.csv")
    levels = list(dict.fromkeys(int(row["level"]) for row in rows))
    return [_level(study, [row for row in rows if int(row["level"]) == level], level) for level in levels]


def _level(study: Study, rows: list[Row], level: int) -> Spec:
    values = [
        {"codec": row["codec"], "at": row["at"], "use": row["relative_use"]} | _family(study, row["codec"])
        for row in rows
    ]
    encoding = _encoding(
        x=_field("at", None, axis={"format": "%", "values": [0, 0.5, 1]}, scale={"domain": [0, 1]}),
        y=_field("use", None, scale={"zero": True}, axis={"tickCount": 4}),
        color=_rate_colour(study, legend=None),
        strokeDash=_dash(),
        detail=_field("codec", None, "nominal"),
        tooltip=[_field("codec", "Run", "nominal"), _field("use", "Use / uniform use", format=".2f")],
    )
    mark = {"type": "line", "interpolate": "step", "strokeWidth": 1.5}
    layers = [{"data": {"values": values}, "mark": mark} | encoding, _floor(1, "uniform use")]
    return _chart(f"Level {level + 1}", layers, height=130) | {"title": f"Level {level + 1}"}


def code_efficiency(study: Study, results: Results) -> Spec:
    """Entropy efficiency of each level, on equally many frames."""
    values = [
        {"codec": codec, "level": int(row["level"]) + 1, "efficiency": row["entropy_efficiency_equal_frames"]}
        | _family(study, codec)
        for codec in study.trained
        for row in results.codebook_levels(codec)
        if row["level"] != "mean"
    ]
    encoding = _encoding(
        x=_field("level", "Codebook level", "ordinal", axis={"labelAngle": 0}),
        y=_field("efficiency", "Entropy efficiency, equal frames", scale={"zero": False}),
        color=_rate_colour(study),
        strokeDash=_dash(),
        detail=_field("codec", None, "nominal"),
        tooltip=[_field("codec", "Run", "nominal"), _field("efficiency", "Entropy efficiency", format=".3f")],
    )
    layer = {"data": {"values": values}, "mark": {"type": "line", "point": True, "strokeWidth": 1.5}} | encoding
    return _chart("Entropy efficiency of each codebook level", [layer], height=240)


def training(study: Study, results: Results, codecs: Sequence[str], column: str) -> Spec:
    """A column of train.csv against steps, a line a run, thinned to POINTS_A_CURVE rows."""
    values = []
    for codec in codecs:
        rows = [row for row in results.rows(f"runs/{codec}/train.csv") if row.get(column) is not None]
        thinned = rows[:: max(1, len(rows) // POINTS_A_CURVE)]
        values += [{"codec": codec, "step": row["step"], "y": row[column]} | _family(study, codec) for row in thinned]
    title = CURVES[column]
    encoding = _encoding(
        x=_field("step", "Step"),
        y=_field("y", title, scale={"zero": False}),
        color=_rate_colour(study),
        strokeDash=_dash(),
        detail=_field("codec", None, "nominal"),
        tooltip=[_field("codec", "Run", "nominal"), _field("step", "Step"), _field("y", title, format=".4g")],
    )
    layer = {"data": {"values": values}, "mark": {"type": "line", "strokeWidth": 1.5, "point": {"size": 12}}} | encoding
    return _chart(f"{title} against training steps", [layer], height=280)


CURVES = {
    "mel": "Mel loss",
    "codes_in_use": "Share of codes in use",
    "commitment": "Commitment loss",
    "adversarial": "Adversarial loss",
    "feature_matching": "Feature-matching loss",
    "discriminator": "Discriminator loss",
    "gradient_norm": "Gradient norm",
}


def curves(results: Results, codecs: Sequence[str]) -> list[str]:
    """The columns of CURVES that a run has logged."""
    rows = [row for codec in codecs for row in results.rows(f"runs/{codec}/train.csv")[:2]]
    return [column for column in CURVES if any(row.get(column) is not None for row in rows)]


def _family(study: Study, codec: str) -> dict[str, str]:
    run = study.runs[codec]
    shared = codec in study.codecs("fixed-duration") and codec in study.codecs("fixed-tokens")
    return {"hz": f"{run.frame_rate:g}", "protocol": "both" if shared else run.protocol.replace("-", " ")}


def _rate_colour(study: Study, **options: Any) -> Spec:
    trained = {run.frame_rate for codec, run in study.runs.items() if codec in [*study.trained, *study.control_runs]}
    shown = [(number, rate.frame_rate) for number, rate in enumerate(study.own_rates) if rate.frame_rate in trained]
    colours = [f"var(--rate{number % RATE_COLOURS})" for number, _ in shown]
    scale = {"domain": [f"{rate:g}" for _, rate in shown], "range": colours}
    return _field("hz", "Hz", "nominal", scale=scale, **({"legend": STROKES} | options))


def _dash() -> Spec:
    """The page explains the dashes beside the charts: Vega draws no legend for them that follows the theme."""
    scale = {"domain": list(DASHES), "range": list(DASHES.values())}
    return _field("protocol", "Protocol", "nominal", scale=scale, legend=None)


def _rate_axis(study: Study) -> Spec:
    rates = [rate.frame_rate for rate in study.own_rates]
    axis = {"values": rates, "labelOverlap": False, "format": "~r"}
    return _field("rate", "Frame rate (Hz)", scale={"type": "log", "nice": False, "padding": 12}, axis=axis)


def _field(field: str, title: str | None, type: str = "quantitative", **options: Any) -> Spec:
    return {"field": field, "type": type, "title": title, **options}


def _scale(field: str, domain: Sequence[str], values: Sequence[Any], type: str = "nominal") -> Spec:
    return _field(field, None, type, scale={"domain": list(domain), "range": list(values)})


def _tooltip() -> list[Spec]:
    return [
        _field("text", "Point", "nominal"),
        _field("Run", "Run", "nominal"),
        _field("Measured with", "With", "nominal"),
    ]


def _text() -> Spec:
    return _field("text", None, "nominal")


def _encoding(**channels: Any) -> Spec:
    return {"encoding": channels}


def _chart(description: str, layers: list[Spec], height: int) -> Spec:
    return {
        "var(--schema)": SCHEMA,
        "description": description,
        "width": "container",
        "height": height,
        "layer": layers,
    }
