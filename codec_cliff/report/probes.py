"""The probes' tables: what each answer's columns are called, and how they are rounded."""

from collections.abc import Callable
from dataclasses import dataclass

from codec_cliff.metrics.headings import METRICS, TABLE_METRICS
from codec_cliff.report.layout import Cell, Line, Table, interval, number, plain
from codec_cliff.statistics.bootstrap import MIN_SPEAKERS
from codec_cliff.statistics.results import Results, Row, read_rows
from codec_cliff.study.config import Study


@dataclass(frozen=True)
class Column:
    """A heading, the record's key, and digits: None prints as it is; with `brackets`, its interval's keys beside it.

    `optional`: not every study measures it, and where no record has it there is no column.
    """

    heading: str
    key: str
    digits: int | None = None
    sign: bool = False
    brackets: tuple[str, str] | None = None
    optional: bool = False

    def cell(self, row: Row) -> Cell:
        value = row.get(self.key)
        if self.digits is None or value is None or isinstance(value, str):
            return plain(value)
        low, high = (row.get(key) for key in self.brackets or ("", ""))
        return Cell(number(value, self.digits, self.sign), interval(low, high, self.digits, self.sign))


@dataclass(frozen=True)
class Layout:
    """One table: its title, columns and notes; `shown` picks the rows that the Markdown and LaTeX faces hold (CSV has all)."""

    title: str
    columns: tuple[Column, ...]
    notes: tuple[str, ...]
    shown: Callable[[Row], bool] = lambda row: True


LOW_HIGH = ("low", "high")
MODEL = (Column("Model", "codec"), Column("Tokens", "tokens"))
DIFFERENCE = Column("Difference", "difference", 4, True, LOW_HIGH)
PAIRED = (
    "Paired by utterance, one training: the interval is over the test speakers "
    f"(utterances where there are fewer than {MIN_SPEAKERS})."
)
BOTH = "Intervals hold both sources of scatter: test speakers (bootstrap) and training seeds (Student's t, pooled over arms)."

LAYOUTS = {
    "repair": Layout(
        "Probe: the uncovered taps of finished models, zeroed, and the controls",
        (*MODEL, Column("Edit", "variant"), Column("STOI", "value", 3), DIFFERENCE),
        (
            PAIRED,
            "zero-covered: as many covered taps of the same layers, those that training reaches least; at two tokens the decoder's "
            "first convolution has three covered taps for four uncovered ones, so that control silences the layer.",
            "randomise-uncovered: drawn anew at the same norms.",
        ),
    ),
    "drift": Layout(
        "Probe: what training did to each tap",
        (
            Column("Model", "codec"),
            Column("Layer", "layer"),
            Column("Tap", "tap"),
            Column("Positions in a clip", "positions_per_clip"),
            Column("Initial norm", "initial_norm", 2),
            Column("Trained norm", "trained_norm", 2),
            Column("Cosine", "cosine", 3),
            Column("Rank correlation", "rank_correlation", 4),
        ),
        (
            "Effective weights; cosine and rank correlation with the initial weights, means over channels.",
            "A rank correlation of 1: Adam moved all elements of a channel alike, and nothing was learnt from data.",
        ),
        lambda row: row["layer"] == "decoder.model.0",
    ),
    "chunks": Layout(
        "Probe: decoding in chunks of the training length",
        (*MODEL, Column("Decoding", "variant"), Column("STOI", "value", 3), DIFFERENCE),
        (PAIRED, "Overlapping chunks start every third of their length; the middle of each is kept."),
    ),
    "positions": Layout(
        "Probe: error by distance from a token boundary, an utterance's edge and a chunk's border",
        (
            *MODEL,
            Column("Decoding", "variant"),
            Column("Distance from", "distance"),
            Column("Bin", "bin"),
            Column("Log-mel error (dB)", "value", 2, False, LOW_HIGH),
        ),
        ("Bins: eighths of half a token from a token boundary, half tokens from the rest; the last one is open.",),
        lambda row: row["distance"] == "utterance_edge" and row["variant"] in ("whole", "zero-uncovered"),
    ),
    "dose": Layout(
        "Probe: dose-response, tokens a clip at equal audio and equal steps",
        (
            Column("Hz", "frame_rate"),
            Column("Tokens", "tokens"),
            Column("Audio a step (s)", "audio_per_step"),
            Column("Uncovered taps", "uncovered_taps"),
            Column("Seeds", "seeds"),
            Column("STOI", "value", 3, False, LOW_HIGH),
            Column("By seed", "by_seed"),
            Column("Taps zeroed", "zero-uncovered", 3),
            Column("In overlapping chunks", "overlapping-chunks", 3),
            Column("Collapsed", "collapsed"),
        ),
        (BOTH,),
    ),
    "audio": Layout(
        "Probe: tokens a clip against audio a step",
        (
            Column("Hz", "frame_rate"),
            Column("Few", "few"),
            Column("Many", "many"),
            Column("Effect of more", "effect"),
            Column("Difference in STOI", "difference", 3, True, LOW_HIGH),
        ),
        (BOTH,),
    ),
    "load": Layout(
        "Probe: phonemic load, a regression within and across frame rates",
        (
            Column("Models", "group"),
            Column("Metric", "metric"),
            Column("Hz", "rates"),
            Column("Speakers", "speakers"),
            Column("Slope within", "within", 3, True, ("within_low", "within_high")),
            Column("Slope across", "across", 3, True, ("across_low", "across_high")),
            Column("Share of the loss predicted", "share", 2, False, ("share_low", "share_high")),
        ),
        (
            "Slope: change of the metric a phoneme that overlaps a frame; least squares, errors clustered by speaker.",
            "Share: the slope within rates times the difference in load, over the difference seen; bootstrap over speakers.",
        ),
    ),
    "quality": Layout(
        "Probe: every arm in every metric",
        (
            Column("Hz", "frame_rate"),
            Column("Training clips", "arm"),
            Column("Uncovered taps", "uncovered_taps"),
            Column("Seeds", "seeds"),
            *(
                Column(METRICS[name].heading, name, METRICS[name].digits, False, (f"{name}_low", f"{name}_high"), True)
                for name in TABLE_METRICS
            ),
            Column("Collapsed", "collapsed"),
        ),
        (BOTH, "Where an arm has one seed, its scatter is that of the arms that have two."),
    ),
    "causes": Layout(
        "Probe: explanation by experiment, what each predicts and what came out",
        (
            Column("Experiment", "experiment"),
            Column("Difference in STOI", "difference", 3, True, LOW_HIGH),
            Column("Seeds", "seeds"),
            Column("Coverage", "coverage"),
            Column("Context", "context"),
            Column("Zeros", "zeros"),
        ),
        (
            "Coverage: taps that no clip trains cost quality. Context: too few tokens a clip do. Zeros: padding to a whole token does.",
            "Each column: the sign that the explanation predicts, and whether the interval fits it.",
            "No effect is one within 0.02, between edits of one model within 0.004.",
            "Seeds are blocks: differences are taken seed by seed, and the intervals hold what these still scatter.",
            "Rows of zeroed taps compare edits of one finished model: test speakers alone vary.",
        ),
    ),
    "along": Layout(
        "Probe: along a training, what zeroing taps and decoding in chunks give",
        (
            Column("Hz", "frame_rate"),
            Column("Training clips", "arm"),
            Column("Step", "step"),
            Column("Seeds", "seeds"),
            Column("STOI", "stoi", 3),
            Column("Uncovered taps zeroed", "zero-uncovered", 4, True, ("zero-uncovered_low", "zero-uncovered_high")),
            Column("As many covered", "zero-covered", 4, True, ("zero-covered_low", "zero-covered_high")),
            Column(
                "Overlapping chunks",
                "overlapping-chunks",
                4,
                True,
                ("overlapping-chunks_low", "overlapping-chunks_high"),
            ),
            Column("Norm of the outer taps over their neighbours'", "norm_ratio", 2),
        ),
        ("Differences in STOI to the weights as they are, means over seeds; intervals over test speakers.",),
    ),
    "bitrate": Layout(
        "Probe: STOI over bitrate, codebooks held and bitrate held",
        (
            Column("Held", "held"),
            Column("Hz", "frame_rate"),
            Column("Codebooks", "codebooks"),
            Column("Bit/s", "bitrate", 0),
            Column("Tokens", "tokens"),
            Column("Seeds", "seeds"),
            Column("STOI", "value", 3, False, LOW_HIGH),
        ),
        (BOTH,),
    ),
    "verdicts": Layout(
        "Probes: the questions and what these models say",
        (Column("Question", "question"), Column("Verdict", "verdict"), Column("Evidence", "evidence")),
        ("Computed from the tables; a verdict holds for these models at this scale, and no further.",),
    ),
}


def probe_table(name: str, study: Study, results: Results) -> Table:
    """One probe's table of results/<study>/probes/<name>.csv."""
    layout = LAYOUTS[name]
    records = read_rows(results.folder / "probes" / f"{name}.csv")
    columns = [column for column in layout.columns if not column.optional or column.key in records[0]]
    lines = [Line([column.cell(row) for column in columns]) for row in records if layout.shown(row)]
    usual = study.training.steps
    others = {run.variant: run.training.steps for run in study.probe_runs.values() if run.training.steps != usual}
    steps = "".join(f", {variant}: {number}" for variant, number in others.items())
    notes = [*layout.notes, f"{usual} training steps{steps}; study: {study.study}."]
    return Table(f"probe_{name}", layout.title, records, [column.heading for column in columns], lines, notes)
