"""Trainings side by side and weights along a training: what is left behind is what one training and one probe would leave."""

import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from benchmarks.cause import ARCHIVE, groups, size_of
from codec_cliff.errors import CodecError, ConfigError, TrainingError
from codec_cliff.metrics.stoi import Pystoi
from codec_cliff.models.dac import TrainedCodec, build_generator
from codec_cliff.probes.along import along, kept_steps
from codec_cliff.probes.chunks import chunks, decode_in_chunks
from codec_cliff.probes.full_width import common_step
from codec_cliff.probes.side_by_side import Trainings, asked_for, gather, unmeasured
from codec_cliff.study.load import load_study
from codec_cliff.training.loop import train


class Never:
    reason = None


@pytest.fixture
def kept(tiny_run, store, tmp_path) -> Path:
    """A run folder that keeps the weights of steps 2 and 4."""
    folder = tmp_path / "runs" / tiny_run.codec
    train(replace(tiny_run, training=replace(tiny_run.training, keep_steps=(2, 4))), store, folder, Never())
    return folder


def test_chunks_decoded_together_are_chunks_decoded_one_by_one(tiny_run):
    torch.manual_seed(0)
    codec = TrainedCodec(tiny_run, build_generator(tiny_run), "cpu")
    codes = torch.randint(16, (2, 40))
    hop = tiny_run.hop_length
    kept = [
        codec.decode(codes[:, first:end], (end - first) * hop)[(start - first) * hop : (stop - first) * hop]
        for first, end, start, stop in chunks(40, 3, 1)
    ]
    torch.testing.assert_close(decode_in_chunks(codec, codes, 40 * hop, 3, 1), torch.cat(kept))


def test_kept_weights_are_scored_and_their_taps_measured(kept, store):
    scores, taps = (pd.DataFrame(rows) for rows in along(kept, store, [Pystoi(store.utterances, None, "cpu")], "cpu"))
    assert kept_steps(kept) == [2, 4]
    assert set(scores["codec"]) == set(taps["codec"]) == {kept.name}
    assert scores.groupby(["step", "variant"])["utterance_id"].nunique().eq(len(store.utterances)).all()
    assert set(scores["variant"]) == {"whole", "zero-uncovered", "zero-covered", "overlapping-chunks"}
    assert taps.groupby("step")["tap"].apply(list).tolist() == [list(range(7))] * 2
    first, second = (taps[taps["step"] == step]["trained_norm"].to_numpy() for step in (2, 4))
    assert (first != second).any()


def test_a_run_that_kept_nothing_says_how_to(tmp_path):
    with pytest.raises(CodecError, match="list steps under training"):
        along(tmp_path, None, [], "cpu")


def test_measured_steps_become_one_table(kept, tiny_run, tmp_path):
    for step in (2, 4):
        (kept / "steps" / str(step) / "scores.csv").write_text(f"codec,step\nx,{step}\n")
    gather(tmp_path, [tiny_run])
    assert pd.read_csv(tmp_path / "probes" / "along" / f"{tiny_run.codec}.csv")["step"].tolist() == [2, 4]


def test_weights_are_measured_while_their_run_goes_on(kept, tiny_run, tmp_path):
    (kept / "run.json").unlink()
    assert unmeasured(tmp_path, [tiny_run]) == [(tiny_run.codec, 2), (tiny_run.codec, 4)]
    (kept / "steps/2/scores.csv").touch()
    assert unmeasured(tmp_path, [tiny_run]) == [(tiny_run.codec, 4)]


def test_full_width_is_compared_at_the_newest_step_that_both_have(tmp_path):
    for codec, steps in (("a", (2, 4, 6)), ("b", (2, 4))):
        for step in steps:
            (tmp_path / "runs" / codec / "steps" / str(step)).mkdir(parents=True)
            (tmp_path / "runs" / codec / "steps" / str(step) / "model.safetensors").touch()
    assert common_step(tmp_path, ["a", "b"]) == 4
    with pytest.raises(TrainingError, match="no step is kept by all of a, c"):
        common_step(tmp_path, ["a", "c"])


def test_a_deadline_begins_no_training_that_it_would_stop_at_once(tiny_run, tmp_path):
    trainings = Trainings([tiny_run], tmp_path, time.monotonic() + 1)
    trainings.start(2)
    assert trainings.ended.get(timeout=10) is None
    assert not (tmp_path / "runs").exists()


def test_one_may_look_about_while_runs_go_on(tiny_run, tmp_path):
    trainings = Trainings([], tmp_path, time.monotonic())
    ends = trainings.as_they_end(every=0.01)
    assert next(ends) is None
    trainings.ended.put(tiny_run)
    trainings.ended.put(None)
    assert [run for run in ends if run is not None] == [tiny_run]


def test_runs_are_asked_for_by_name(paper_config):
    study = load_study(paper_config)
    first, second = list(study.probe_runs)[:2]
    assert [run.codec for run in asked_for(study, [second, first])] == [second, first]
    assert [run.codec for run in asked_for(study, None)] == list(study.probe_runs)
    with pytest.raises(ConfigError, match="--codecs 7hz: no probe run is called so"):
        asked_for(study, ["7hz"])


def test_a_checkpoint_that_its_run_has_removed_meanwhile_weighs_nothing(tmp_path):
    (tmp_path / "config.json").write_bytes(b"12345")
    assert size_of([tmp_path / "checkpoint.pt", tmp_path / "config.json"]) == 5 + 2048


def test_models_are_packed_in_their_order_into_archives_that_fit(tmp_path):
    sizes = [0.6, 0.3, 0.3, 0.6, 0.2]
    for number, share in enumerate(sizes):
        with open(tmp_path / str(number), "wb") as file:
            file.truncate(int(share * ARCHIVE))
    found = groups([[tmp_path / str(number)] for number in range(len(sizes))])
    assert [[path.name for path in group] for group in found] == [["0", "1"], ["2", "3"], ["4"]]
