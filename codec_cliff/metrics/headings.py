"""How each metric is headed and rounded where it is printed, and which way is better."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """How a metric is printed: heading, digits of ours and of the paper's value, and which way is better."""

    heading: str
    digits: int
    better: str
    paper_digits: int = 2


METRICS = {
    "stoi": Shown("STOI", 2, "higher"),
    "stoi_aligned": Shown("STOI, lag removed", 2, "higher"),
    "lag_ms": Shown("Lag (ms)", 1, "lower"),
    "wer": Shown("WER (%)", 1, "lower"),
    "wer_plain": Shown("WER (%), plain normaliser", 1, "lower"),
    "wer_whisper": Shown("WER (%), Whisper's normaliser", 1, "lower"),
    "wer_of_original": Shown("WER (%) against the original's transcript", 1, "lower"),
    "wer_insertions": Shown("Insertions (% of words)", 1, "lower"),
    "wer_beyond_all": Shown("WER above 100 % (% of utterances)", 1, "lower"),
    "mcd": Shown("MCD", 2, "lower"),
    "mcd_matched": Shown("MCD, lag and level matched", 2, "lower"),
    "mcd_pymcd_dtw": Shown("MCD, pymcd warped", 2, "lower"),
    "mcd_versa": Shown("MCD, VERSA", 2, "lower"),
    "mcd_versa_dtw": Shown("MCD, VERSA warped", 2, "lower"),
    "mcd_mfcc": Shown("MCD, MFCC", 2, "lower"),
    "mcd_mfcc_dtw": Shown("MCD, MFCC warped", 2, "lower"),
    "level_difference_db": Shown("Level (dB)", 1, "lower"),
    "spk_sim": Shown("SPK-SIM", 2, "higher"),
    "utmos": Shown("UTMOS", 2, "higher"),
    "distillmos": Shown("DistillMOS", 2, "higher"),
    "dnsmos_p808": Shown("DNSMOS P.808", 2, "higher"),
}
TABLE_METRICS = (
    "stoi",
    "wer",
    "wer_plain",
    "wer_whisper",
    "wer_beyond_all",
    "mcd",
    "spk_sim",
    "utmos",
    "distillmos",
    "dnsmos_p808",
)
LAG_METRICS = (
    "lag_ms",
    "level_difference_db",
    "stoi",
    "stoi_aligned",
    *(name for name in METRICS if name.startswith("mcd")),
)
