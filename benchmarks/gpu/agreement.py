"""Parts that hold our step to others: captured to eager, gradients to torch's own, and operations that add in a fixed order."""

import os
import warnings
from dataclasses import replace

import torch

from benchmarks.gpu import DEVICE
from benchmarks.gpu.bench import ALL, Bench, free, timed
from codec_cliff.models.gpu.switches import NONE, chosen
from codec_cliff.training.graph import Stepper
from codec_cliff.training.loop import set_arithmetic
from codec_cliff.training.step import MicroBatch, build_networks


def agreement(bench: Bench) -> None:
    """Ten steps captured against ten eager ones, and one step against torch's own ways in float32: how far they part."""
    results = {}
    for name, ways, reason in (("captured", ALL, None), ("eager", ALL, "asked"), ("torch", NONE, "asked")):
        torch.manual_seed(0)
        networks = build_networks(bench.run, DEVICE)
        with chosen(ways):
            stepper = Stepper(networks, bench.run, DEVICE, MicroBatch(bench.run.batch_clips), reason)
            losses = []
            for number in range(4 if bench.tiny else 10):
                audio = bench.audio.roll(997 * number, -1)
                outcome = stepper(audio, bench.levels)
                losses.append(float(outcome.losses["loss"]))
        weights = torch.cat([p.detach().flatten() for p in networks.parts["generator"].parameters()])
        results[name] = (losses, weights, {key: float(value) for key, value in outcome.losses.items()})
        del stepper, networks, outcome
        free()
    for name in ("eager", "torch"):
        moved = (results["captured"][1] - results[name][1]).norm() / results[name][1].norm()
        bench.figures.add(
            f"captured against {name}, ten steps",
            weights_relative=float(moved),
            largest_loss_difference=max(
                abs(a - b) / abs(b) for a, b in zip(results["captured"][0], results[name][0], strict=True)
            ),
            losses=" ".join(f"{value:.3f}" for value in results["captured"][0]),
            theirs=" ".join(f"{value:.3f}" for value in results[name][0]),
        )


def gradients(bench: Bench) -> None:
    """Gradients of a step in float32 by our ways against torch's own, worst network-wide and layer."""
    run = replace(bench.run, training=replace(bench.run.training, precision="float32"))
    set_arithmetic("float32", DEVICE, 1)
    clips = min(4, bench.run.batch_clips)
    found = {}
    for name, ways in (("ours", ALL), ("torch", NONE)):
        torch.manual_seed(0)
        networks = build_networks(run, DEVICE)
        with chosen(ways):
            stepper = Stepper(networks, run, DEVICE, MicroBatch(clips), "asked")
            stepper(bench.audio[:clips], bench.levels[:clips])
        found[name] = {
            f"{part}.{key}": value.grad.double()
            for part in ("generator", "discriminator")
            for key, value in networks.parts[part].named_parameters()
            if value.grad is not None
        }
        del stepper, networks
        free()
    errors = {
        key: float((found["ours"][key] - value).norm() / (value.norm() + 1e-12))
        for key, value in found["torch"].items()
    }
    for part in ("generator", "discriminator"):
        mine = torch.cat([value.flatten() for key, value in found["ours"].items() if key.startswith(part)])
        other = torch.cat([value.flatten() for key, value in found["torch"].items() if key.startswith(part)])
        worst = sorted(((error, key) for key, error in errors.items() if key.startswith(part)), reverse=True)[:3]
        bench.figures.add(
            f"gradients in float32, {part}",
            relative=float((mine - other).norm() / other.norm()),
            worst=" ".join(f"{key}:{error:.1e}" for error, key in worst),
        )


def deterministic(bench: Bench) -> None:
    """The step's time where its operations must add in a fixed order; what has no such form is named."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.utils.deterministic.fill_uninitialized_memory = False
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        original = torch.use_deterministic_algorithms
        try:
            free()
            set_arithmetic(bench.run.training.precision, DEVICE, 1)
            original(True, warn_only=True)
            with chosen(ALL):
                stepper = Stepper(bench.network(), bench.run, DEVICE, MicroBatch(bench.run.batch_clips))
                timed(lambda: stepper(bench.audio, bench.levels), 4)
                measured = timed(lambda: stepper(bench.audio, bench.levels), bench.rounds)
        finally:
            original(False)
    without = {str(each.message).split("(")[0][:90] for each in caught if "deterministic" in str(each.message)}
    bench.figures.add("all, deterministic, captured", **measured, no_form=sorted(without))
