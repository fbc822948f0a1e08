"""Table 3 and the tables behind the explanations: phonemic load, kernel coverage, paired comparisons."""

from codec_cliff.metrics.headings import METRICS, TABLE_METRICS
from codec_cliff.paper.values import paper_codebook, paper_phonemes
from codec_cliff.report.layout import Cell, Line, Table, interval, number, plain
from codec_cliff.report.notes import DAGGER, scale_note
from codec_cliff.report.quality import rate_label
from codec_cliff.statistics.results import Results, Row
from codec_cliff.study.config import Study

PROTOCOLS = ("fixed-duration", "fixed-tokens")
DEFINITIONS = {
    "rate": "Phoneme rate over frame rate",
    "overlapping": "Phonemes that overlap a frame",
    "distinct": "Distinct phonemes in a frame",
}
COVERAGE_COLUMNS = {
    "codec": "Codec",
    "frame_rate": "Hz",
    "protocol": "Protocol",
    "tokens_per_clip": "Tokens a clip",
    "clip_seconds": "Clip (s)",
    "padded_share": "Padded share",
    "taps": "Taps",
    "uncovered_taps": "Uncovered",
    "layers": "Where",
}


def table3(study: Study, results: Results) -> Table:
    """Codebook utilization (Eq. 2) and entropy efficiency (Eq. 3), mean over levels (section 4.4)."""
    records, lines = [], []
    for protocol in PROTOCOLS:
        for codec in study.codecs(protocol):
            rate = study.runs[codec].frame_rate
            record = _codebook_record(results.codebook(codec), protocol, codec, rate)
            records.append(record)
            cells = [Cell(rate_label(study, codec, rate)), Cell(protocol.replace("-", " ")), plain(record["n_frames"])]
            cells += [_codebook_cell(record, name) for name in ("utilization", "entropy_efficiency")]
            cells += [Cell(number(record[f"{name}_equal_frames"], 3)) for name in ("utilization", "entropy_efficiency")]
            lines.append(Line(cells))
    header = ["Hz", "Protocol", "Frames", "Utilization", "Entropy efficiency"]
    header += ["Utilization, equal frames", "Entropy efficiency, equal frames"]
    notes = [
        "Mean over the codebook levels: Eqs. 2 and 3 are of one level, and the paper does not say how its figure holds all.",
        "Equal frames: the same number of frames counted at every rate, as few frames make both figures come out low.",
        "The paper does not say which protocol's models it counts; its values stand beside both.",
        *scale_note(study),
    ]
    notes += [DAGGER] if any("†" in line.cells[0].value for line in lines) else []
    return Table("table3", "Table 3. Codebook utilization and entropy efficiency", records, header, lines, notes)


def _codebook_record(row: Row, protocol: str, codec: str, rate: float) -> Row:
    record = {"frame_rate": rate, "protocol": protocol, "codec": codec, "n_frames": int(row["n_frames"])}
    for name in ("utilization", "entropy_efficiency"):
        record |= {column: row[column] for column in (name, f"{name}_low", f"{name}_high")}
        record[f"{name}_paper"] = paper_codebook(rate, name)
    return record | {
        f"{name}_equal_frames": row[f"{name}_equal_frames"] for name in ("utilization", "entropy_efficiency")
    }


def _codebook_cell(record: Row, name: str) -> Cell:
    published = record[f"{name}_paper"]
    return Cell(
        number(record[name], 3),
        interval(record[f"{name}_low"], record[f"{name}_high"], 3),
        f"paper {number(published, 3)}" if published is not None else "",
    )


def coverage(study: Study, results: Results) -> Table:
    """Taps of the generator that training clips never reach, from the architecture alone."""
    lines = [Line([plain(record[name]) for name in COVERAGE_COLUMNS]) for record in results.coverage]
    notes = ["A tap that only ever meets padding is shaped by no data, and meets speech at inference."]
    title = "Kernel coverage: taps that training never reaches"
    return Table("coverage", title, results.coverage, list(COVERAGE_COLUMNS.values()), lines, notes)


DISTRIBUTION = [
    f"share_{number}" for number in range(6)
]  # of frames, by how many phonemes overlap them; the last: or more


def phonemes(study: Study, results: Results) -> Table:
    """Phonemes a frame under three definitions, with and without silence (section 4.3)."""
    rows = {(row["frame_rate"], row["definition"], row["silence"]): row for row in results.phonemes}
    records, lines = [], []
    for rate in dict.fromkeys(row["frame_rate"] for row in results.phonemes if row["frame_rate"] is not None):
        for silence in ("without", "with"):
            found = {definition: rows[rate, definition, silence] for definition in DEFINITIONS}
            record = {"frame_rate": rate, "silence": silence}
            for name, row in found.items():
                record |= {name: row["value"], f"{name}_low": row["low"], f"{name}_high": row["high"]}
                record[f"{name}_paper"] = paper_phonemes(rate)
            shares = (
                {name: rows[rate, name, "without"]["value"] for name in DISTRIBUTION} if silence == "without" else {}
            )
            records.append(record | {name: shares.get(name) for name in DISTRIBUTION})
            cells = [plain(rate), Cell(silence), *(_phoneme_cell(row) for row in found.values())]
            lines.append(Line([*cells, Cell(" / ".join(f"{share:.0%}" for share in shares.values()))]))
    per_second = [row for row in results.phonemes if row["frame_rate"] is None]
    notes = [
        f"Phonemes {PER_SECOND[row['definition'], row['silence']]}: {_phoneme_cell(row).text}." for row in per_second
    ]
    notes.append(
        "The paper does not define phonemes a frame; under the first definition 12.2 a second are not 2.6 a frame."
    )
    notes.append(f"Phonemes aligned by {study.alignment['aligner']}; {intervals(study, results.phonemes)}.")
    header = ["Hz", "Silence", *DEFINITIONS.values(), "Frames that 0 / 1 / 2 / 3 / 4 / 5 or more overlap"]
    return Table("phonemes", "Phonemes a frame", records, header, lines, notes)


PER_SECOND = {
    ("per_second", "without"): "a second of recording",
    ("per_second", "with"): "a second of recording, silences counted as phonemes",
    ("per_speech_second", "without"): "a second of speech",
}


def _phoneme_cell(row: Row) -> Cell:
    published = f"paper {row['paper']:g}" if row["paper"] is not None else ""
    return Cell(number(row["value"], 2), interval(row["low"], row["high"], 2), published)


def comparisons(study: Study, results: Results) -> Table:
    """Paired differences between the models of one frame rate."""
    lines = []
    for row in (row for row in results.comparisons if row["metric"] in TABLE_METRICS):
        shown = METRICS[row["metric"]]
        models = [Cell(variant(study, row[name])) for name in ("codec_b", "codec_a")]
        cells = [plain(row["frame_rate"]), Cell(shown.heading), *models, difference_cell(row), Cell(row["verdict"])]
        lines.append(Line(cells))
    header = ["Hz", "Metric", "This", "Minus this", "Difference", "Verdict"]
    notes = [
        f"Over the same utterances; {intervals(study, results.comparisons)}.",
        "Higher or lower: the interval leaves out zero. Of many differences, some do so by chance.",
    ]
    title = "Protocol against protocol, paired"
    return Table("comparisons", title, results.comparisons, header, lines, notes)


def intervals(study: Study, rows: list[Row]) -> str:
    """What the brackets of these rows are."""
    units = " or ".join(sorted({f"{row['unit']}s" for row in rows}))
    return f"brackets: {study.statistics['confidence']:.0%} bootstrap intervals over {units}"


def difference_cell(row: Row) -> Cell:
    """A signed difference with its interval, to one digit more than its metric is printed with."""
    digits = METRICS[row["metric"]].digits + 1
    return Cell(number(row["difference"], digits, True), interval(row["low"], row["high"], digits, True))


def variant(study: Study, codec: str) -> str:
    """A model's place among those of its frame rate: `fixed duration`, `repaired`, or its protocol's name."""
    if codec in study.repaired:
        return "repaired"
    protocol = study.runs[codec].protocol
    return protocol.replace("-", " ")
