"""Tables 1, 2 and 4 and their companions: one row a codec, each metric with its interval and the paper's value."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from codec_cliff.metrics.headings import LAG_METRICS, METRICS, TABLE_METRICS, Shown
from codec_cliff.paper.values import paper, paper_quality, paper_reference
from codec_cliff.report.layout import Cell, Line, Table, interval, number, plain
from codec_cliff.report.notes import DAGGER, metric_notes
from codec_cliff.statistics.results import Results
from codec_cliff.study.config import ORIGINAL, Study

NAMES = {
    "mimi_8": "Mimi (8 codebooks)",
    "mimi_32": "Mimi (32 codebooks)",
    "encodec_3": "EnCodec, 3 kbps",
    "encodec_6": "EnCodec, 6 kbps",
    "speechtokenizer": "SpeechTokenizer",
    "nanocodec": "NanoCodec",
    "flexicodec": "FlexiCodec",
    "lyra_3200": "Lyra v2, 3.2 kbps",
    "lyra_6000": "Lyra v2, 6 kbps",
    "lyra_9200": "Lyra v2, 9.2 kbps",
    ORIGINAL: "Original recordings",
}

PaperValue = Callable[[str], float | None]  # the paper's value of a metric, for one row


def model_name(codec: str) -> str:
    """A published codec's name as the paper prints it; the id of one that the paper does not have."""
    if codec.startswith("opus_"):
        return f"Opus, {codec.removeprefix('opus_')} kbps"
    return NAMES.get(codec) or paper()["table1"]["rows"].get(codec, {"name": codec})["name"]


def nothing(_: str) -> None:
    """The paper has no such row."""


def metric_record(results: Results, codec: str, metrics: Sequence[str], paper_value: PaperValue) -> dict[str, Any]:
    """The CSV columns of a row's metrics: `stoi, stoi_low, stoi_high, stoi_paper, stoi_backend`, and so on.

    `_paper` is there for the paper's own metrics only: another naturalness backend has its own column, no paper value.
    """
    record = {}
    for metric in metrics:
        row = results.figure(codec, metric)
        record |= {metric: row.get("value"), f"{metric}_low": row.get("low"), f"{metric}_high": row.get("high")}
        if metric in paper()["backends"]:
            record[f"{metric}_paper"] = paper_value(metric)
        record[f"{metric}_backend"] = row.get("backend")
    return record


def metric_cells(record: dict[str, Any], metrics: Sequence[str]) -> list[Cell]:
    return [_cell(record, metric, METRICS[metric]) for metric in metrics]


def _cell(record: dict[str, Any], metric: str, shown: Shown) -> Cell:
    published = record.get(f"{metric}_paper")
    return Cell(
        number(record[metric], shown.digits),
        interval(record[f"{metric}_low"], record[f"{metric}_high"], shown.digits),
        f"paper {number(published, shown.paper_digits)}" if published is not None else "",
    )


def table1(study: Study, results: Results) -> Table:
    """Published codecs, the unprocessed originals above them (section 4.1)."""
    metrics = _present(results, TABLE_METRICS)
    codecs = [ORIGINAL, *study.reference_codecs]
    records = []
    for codec in codecs:
        facts = results.facts(codec)
        columns = ("sample_rate", "frame_rate", "n_codebooks", "codebook_size", "bitrate")
        record = {"model": model_name(codec), "codec": codec, **{name: facts.get(name) for name in columns}}
        records.append(
            record | metric_record(results, codec, metrics, lambda metric, c=codec: paper_reference(c, metric))
        )
    header = ["Model", "kHz", "Hz", "Codebooks", "Size", "bps", *_headings(metrics)]
    lines = [Line([*_fact_cells(record), *metric_cells(record, metrics)], codec=record["codec"]) for record in records]
    noted = [note for codec in codecs if (note := paper()["table1"]["rows"].get(codec, {}).get("note"))]
    notes = [*metric_notes(study, results, metrics, codecs), *noted]
    return Table("table1", "Table 1. Published codecs and the unprocessed recordings", records, header, lines, notes)


def _fact_cells(record: dict[str, Any]) -> list[Cell]:
    rate = record["sample_rate"]
    kilohertz = plain(rate / 1000 if rate else None)
    numbers = [plain(record[name] or None) for name in ("n_codebooks", "codebook_size")]
    rates = [Cell(_frame_rates(record)) if record["frame_rate"] else plain(None)]
    bitrate = Cell(f"{value:.0f}") if (value := record["bitrate"]) else plain(None)
    return [Cell(record["model"]), kilohertz, *rates, *numbers, bitrate]


def _frame_rates(record: dict[str, Any]) -> str:
    """A codec's frame rate; the rates of one whose levels have their own as the paper prints them."""
    printed = paper()["table1"]["rows"].get(record["codec"], {}).get("frame_rate", "")
    return printed if "," in printed else f"{record['frame_rate']:.4g}"


def table2(study: Study, results: Results) -> Table:
    """Fixed clip duration (section 4.2), each repaired model below the one that it repairs."""
    codecs = []
    for codec in study.codecs("fixed-duration"):
        codecs += [codec, *(repaired for repaired, source in study.repaired.items() if source == codec)]
    return _ablation(
        study, results, "table2", "Table 2. Trained on clips of a fixed duration", "fixed-duration", codecs
    )


def table4(study: Study, results: Results) -> Table:
    """Fixed tokens a clip (sections 4.5 and 4.6)."""
    codecs = study.codecs("fixed-tokens")
    return _ablation(
        study, results, "table4", "Table 4. Trained on clips of a fixed number of tokens", "fixed-tokens", codecs
    )


def controls(study: Study, results: Results) -> Table:
    """The controls that have been trained and measured; none of them is the paper's."""
    codecs = [codec for codec in study.control_runs if codec in results.codecs]
    metrics = _present(results, TABLE_METRICS)
    records, lines = [], []
    for codec in codecs:
        run = study.runs[codec]
        names = {
            "frame_rate": run.frame_rate,
            "codec": codec,
            "protocol": run.protocol,
            "tokens_per_clip": run.tokens_per_clip,
        }
        records.append(names | {"batch_clips": run.batch_clips} | metric_record(results, codec, metrics, nothing))
        facts = [plain(value) for value in (run.frame_rate, run.protocol, run.tokens_per_clip, run.batch_clips)]
        lines.append(Line([*facts, *metric_cells(records[-1], metrics)], codec=codec))
    header = ["Hz", "Protocol", "Tokens a clip", "Clips a step", *_headings(metrics)]
    notes = metric_notes(study, results, metrics, codecs) if codecs else []
    return Table("controls", "Controls: protocols that the paper does not have", records, header, lines, notes)


def lag(study: Study, results: Results) -> Table:
    """Lag and level between recording and reconstruction, STOI and MCD with and without them, MCD in each convention."""
    metrics = _present(results, LAG_METRICS)
    records = [{"codec": codec} | metric_record(results, codec, metrics, nothing) for codec in results.codecs]
    for record in records:
        for metric in metrics:
            record.pop(f"{metric}_paper", None)
    lines = [Line([Cell(record["codec"]), *metric_cells(record, metrics)]) for record in records]
    notes = metric_notes(study, results, metrics, results.codecs)
    return Table(
        "lag",
        "Time offset and level of the reconstructions",
        records,
        ["Codec", *_headings(metrics)],
        lines,
        notes,
    )


def _ablation(study: Study, results: Results, name: str, title: str, protocol: str, codecs: list[str]) -> Table:
    metrics = _present(results, TABLE_METRICS)
    records, lines = [], []
    for codec in codecs:
        repaired = codec in study.repaired
        rate = study.runs[study.repaired.get(codec, codec)].frame_rate

        def published(metric: str, rate: float = rate) -> float | None:
            return paper_quality(protocol, rate, metric)

        names = {"frame_rate": rate, "codec": codec, "repaired": repaired}
        records.append(names | metric_record(results, codec, metrics, nothing if repaired else published))
        label = Cell(rate_label(study, codec, rate) + (" repaired" if repaired else ""))
        lines.append(Line([label, *metric_cells(records[-1], metrics)], marked=repaired, codec=codec))
    notes = metric_notes(study, results, metrics, codecs)
    notes += [DAGGER] if any("†" in line.cells[0].value for line in lines) else []
    notes += [f"{codec}: training collapsed." for codec in codecs if results.run(codec).get("collapsed")]
    if any(line.marked for line in lines):
        notes.append(
            "repaired: the model above with the taps set to zero that no training clip ever reached; not in the paper."
        )
    return Table(name, title, records, ["Hz", *_headings(metrics)], lines, notes)


def rate_label(study: Study, codec: str, rate: float) -> str:
    """A frame rate, with the paper's dagger where both protocols share the model."""
    both = codec in study.codecs("fixed-duration") and codec in study.codecs("fixed-tokens")
    return f"{rate:g}{'†' if both else ''}"


def _present(results: Results, metrics: Sequence[str]) -> list[str]:
    return [metric for metric in metrics if metric in results.metrics]


def _headings(metrics: Iterable[str]) -> list[str]:
    return [METRICS[metric].heading for metric in metrics]
