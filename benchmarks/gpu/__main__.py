import argparse
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import benchmarks.gpu
from benchmarks.gpu import DEVICE, agreement, steps, trainer
from benchmarks.gpu.bench import Bench, Figures
from codec_cliff.training.graph import own_stream
from codec_cliff.training.loop import set_arithmetic

PARTS: dict[str, Callable[[Bench], None]] = {  # in the order of their worth, where the seconds do not do for all
    **{name: getattr(steps, name) for name in ("card", "official", "ours", "memory")},
    **{name: getattr(trainer, name) for name in ("choosing", "resume", "trainer")},
    **{name: getattr(steps, name) for name in ("tokens", "largest", "small", "without")},
    **{name: getattr(agreement, name) for name in ("gradients", "agreement", "deterministic")},
    **{name: getattr(steps, name) for name in ("eager", "before", "alone", "shapes")},
}


def table(figures: Figures) -> None:
    official = figures.value("official")
    print(f"\n{'':50}{'ms a step':>10}{'host ms':>9}{'times official':>16}{'peak GB':>9}")
    for row in figures.rows:
        if "ms" not in row:
            continue
        base = figures.value("official, 9 x 3.04 s at 6.25 Hz") if "3.04" in row["what"] else official
        times = f"{base / row['ms']:.2f}" if base else "-"
        host, memory = (f"{row[key]:.1f}" if key in row else "-" for key in ("host_ms", "peak_gb"))
        print(f"{row['what'][:49]:50}{row['ms']:>10.1f}{host:>9}{times:>16}{memory:>9}")
    ours = figures.value("ours, all, captured")
    if official and ours:
        print(f"ratio {official / ours:.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=benchmarks.gpu.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=200, help="no part is begun after so many")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--tiny", action="store_true", help="on a CPU, at small widths")
    arguments = parser.parse_args()
    figures, start = Figures(arguments.output), time.monotonic()
    with own_stream(DEVICE):
        bench = Bench(arguments, figures)
        for name in arguments.only:
            begun = time.monotonic() - start
            if begun > arguments.seconds:
                print(f"{name}: left out, {begun:.0f} s are gone", flush=True)
                continue
            try:
                PARTS[name](bench)
            except Exception:
                print(f"{name} FAILED\n" + "".join(traceback.format_exc(limit=-6)[-1800:]), flush=True)
                set_arithmetic(bench.run.training.precision, DEVICE, 1)
            print(
                f"  [{name}: {time.monotonic() - start - begun:.1f} s, {time.monotonic() - start:.0f} s in all]",
                flush=True,
            )
        table(figures)
        bench = None


if __name__ == "__main__":
    main()
