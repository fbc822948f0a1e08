"""What the trainings cost, and what the paper's whole study would at the rate that was measured."""

import yaml

from codec_cliff.paper.scale import PAPER_STUDY
from codec_cliff.report.layout import Cell, Line, Table, number
from codec_cliff.statistics.results import Results, Row
from codec_cliff.study.config import Run, Study
from codec_cliff.study.load import load_study
from codec_cliff.training.cost import cost_records, projection


def measured(study: Study, results: Results) -> list[Row]:
    """A row of every finished training, controls included."""
    runs = [study.runs[codec] for codec in dict.fromkeys([*study.trained, *study.control_runs])]
    return cost_records((run, record) for run in runs if (record := results.run(run.codec)))


def cost(study: Study, results: Results) -> Table:
    """Seconds, GPU-hours, speed, memory, and what the clips really held."""
    records = measured(study, results)
    lines = [Line([Cell(text) for text in _cost_cells(record)]) for record in records]
    header = ["Codec", "Device", "Hours", "GPU-hours", "Audio heard (h)", "Audio-seconds/s", "Peak memory (GB)"]
    header += ["Tokens a clip", "Padded share", "Utterance shorter than the clip"]
    return Table("cost", "What each training cost", records, header, lines, [])


def _cost_cells(record: Row) -> list[str]:
    return [
        record["codec"],
        record["device"],
        number(record["seconds"] / 3600, 2),
        number(record["gpu_hours"], 2),
        number(record["audio_seconds"] / 3600, 2),
        number(record["audio_seconds_per_second"], 2),
        number(record["peak_memory_bytes"] / 1e9, 2),
        number(record["tokens_per_clip"], 0),
        number(record["padded_share"], 3),
        number(record["short_clips"], 3),
    ]


def paper_runs() -> list[Run]:
    paper = load_study(yaml.safe_load(PAPER_STUDY.read_text(encoding="utf-8")))
    return [paper.runs[codec] for codec in paper.trained]


def cost_paper(study: Study, results: Results) -> Table:
    """The paper's trainings on the device that this study ran on, by arithmetic alone."""
    records = projection(paper_runs(), measured(study, results))
    lines = [Line([Cell(text) for text in _projected_cells(record)]) for record in records]
    hours = sum(record["seconds"] for record in records) / 3600
    lines.append(Line([Cell("all"), Cell(""), Cell(""), Cell(number(hours, 0))]))
    header = ["Codec", "TFLOP a step", "Audio heard (h)", "Hours"]
    notes = [
        f"Projected on {records[0]['device']}, from the median of the multiplications and additions a second that this study's "
        "trainings kept up; other widths and batches keep up other rates.",
    ]
    return Table("cost_paper", "The paper's study, projected on this device", records, header, lines, notes)


def _projected_cells(record: Row) -> list[str]:
    return [
        record["codec"],
        number(record["step_flops"] / 1e12, 2),
        number(record["audio_seconds"] / 3600, 0),
        number(record["seconds"] / 3600, 1),
    ]
