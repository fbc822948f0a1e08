"""What people write into configuration files, and the sentence that helps."""

import os

import pytest
import yaml
from snakemake.utils import update_config

from codec_cliff.errors import ConfigError
from codec_cliff.study.files import check_files, merged
from codec_cliff.study.load import load_study
from tests.paths import ROOT

WRITTEN = [
    ("training: {learning_rate: 1e-4}", "training.learning_rate: '1e-4' is a text, expected a number; write 1.0e-4"),
    ("training: {learning_rate: 25E-5}", "write 2.5e-4"),
    ("training: {steps: 1e3}", "training.steps: '1e3' is a text, expected a whole number; write 1000"),
    ("training: {steps: ten}", "training.steps: 'ten' is a text, expected a whole number"),
    ("training: {compile: off}", 'quote it, "off"'),
    ("training: {phase_shift: 'no'}", "training.phase_shift: 'no' is not true or false"),
    ("training: {learning_rate: .nan}", "every number must be finite"),
    ("training: {learning_rate: .inf}", "every number must be finite"),
    ("training:", "training: is empty, expected a section of keys"),
    ("training.steps: 500", "sections are nested, write training: {steps: 500}"),
    (
        "training: {discriminator_gradient_clip: inf}",
        "discriminator_gradient_clip: 'inf' is a text, expected a number; every number must be finite",
    ),
    ("training: {learning_rate: nan}", "'nan' is a text, expected a number; every number must be finite"),
    ("training: {steps: -inf}", "'-inf' is a text, expected a whole number; every number must be finite"),
    ("training: {device: mps}", "expected auto, cpu, cuda or cuda:<number>"),
    ("study: 2024", 'quote it, "2024"'),
    ("study: 2024-11-05", 'quote it, "2024-11-05"'),
    ("study: off", "false is not a text; quote it"),
    ("study: My_Study", "expected small letters"),
    ("corpus: {train: train-clean-100}", "write [train-clean-100]"),
    ("seed: 4294967296", "seed: 4294967296 is greater than the maximum of 4294967295"),
    ("seed: 1730800000000", "greater than the maximum"),
    ("seed: -1", "less than the minimum"),
    ("probes: {arms: [{frame_rate: 6.25, tokens: [3], seeds: [5000000000]}]}", "greater than the maximum"),
    (
        "alignment: {aligner: pocketsphinx}\nsample_rate: 24000",
        "pocketsphinx takes 16000 Hz, not the study's sample_rate of 24000 Hz",
    ),
    ("corpus: {root: $NOBODY_SET_THIS/speech}", "corpus.root: $NOBODY_SET_THIS/speech: there is no $NOBODY_SET_THIS"),
    ("cache: ${NOBODY_SET_THIS}", "cache: "),
    ("corpus: {root: ~nobody-of-this-name/x}", "there is no ~"),
]


def written_over(text: str) -> dict:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    for key, value in yaml.safe_load(text).items():
        config[key] = config[key] | value if isinstance(value, dict) and isinstance(config.get(key), dict) else value
    if config["sample_rate"] == 24000:
        config["frame_rates"] = [
            {"frame_rate": 50, "strides": [2, 5, 6, 8]},
            {"frame_rate": 6.25, "strides": [6, 8, 8, 10]},
        ]
        config["tables"] = {"fixed_duration": [50, 6.25], "fixed_tokens": [50, 6.25], "repaired": [6.25]}
        config["probes"], config["controls"] = {}, {}
    return config


@pytest.mark.parametrize(("text", "sentence"), WRITTEN)
def test_what_is_written_wrongly_gets_the_sentence_that_helps(text, sentence):
    with pytest.raises(ConfigError) as error:
        load_study(written_over(text))
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    "text",
    ["seed: 4294967295", "training: {steps: 1_000}", 'training: {compile: "off"}', "training: {learning_rate: 1.0e-4}"],
)
def test_what_is_right_is_taken(text):
    load_study(written_over(text))


def test_the_sentence_can_be_followed():
    with pytest.raises(ConfigError) as error:
        load_study(written_over("training: {learning_rate: 3e-4}"))
    written = str(error.value).split("write ")[1]
    assert load_study(written_over(f"training: {{learning_rate: {written}}}")).training.learning_rate == 3e-4


@pytest.mark.parametrize("kind", ["librispeech", "folder"])
def test_home_and_variables_are_filled_in(monkeypatch, kind):
    monkeypatch.setenv("HOME", "/somebody")
    monkeypatch.setenv("SCRATCH", "/fast")
    study = load_study(written_over(f"corpus: {{kind: {kind}, root: ~/speech}}\ncache: ${{SCRATCH}}/cache"))
    assert (study.corpus.root, study.cache) == ("/somebody/speech", "/fast/cache")
    assert load_study(written_over("corpus: {root: data~old/x}")).corpus.root == "data~old/x"


@pytest.mark.parametrize(
    ("train", "test"),
    [("speech", "speech/"), ("speech", "./speech"), ("speech", "x/../speech"), ("speech", "link"), (".", "speech"), ("speech", "."),
     ("speech", "speech/7"), ("all", "all/speech"), ("link", "speech"), ("outer/speech", "speech")],
)  # fmt: skip
def test_one_folder_is_one_whatever_its_path(tmp_path, train, test):
    for name in ("speech/7/1", "x", "all", "other"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to("speech")
    (tmp_path / "all/speech").symlink_to("../speech")
    (tmp_path / "outer").symlink_to(tmp_path)
    corpus = {"kind": "folder", "root": str(tmp_path), "train": [train], "test": [test]}
    with pytest.raises(ConfigError, match=r"corpus.test: .* test on speech that was not trained on"):
        load_study(written_over(f"corpus: {corpus}"))
    with pytest.raises(ConfigError, match=r"corpus.train: .* name each once"):
        load_study(written_over(f"corpus: {corpus | {'train': [train, test], 'test': ['none']}}"))
    load_study(written_over(f"corpus: {corpus | {'train': ['speech'], 'test': ['other']}}"))


FILES = {
    "a section twice": ("study: a\ncorpus: {}\ncorpus: {}\n", "line 3: corpus is given twice, first in line 2"),
    "a key twice": (
        "study: a\ntraining:\n  steps: 5\n  seed: 1\n  steps: 6\n",
        "line 5: training.steps is given twice, first in line 3",
    ),
    "in a list": ("arms:\n  - {a: 1, a: 2}\n", "line 2: arms.a is given twice"),
    "octal": ("seed: 010\n", "line 1: seed: YAML does not read 010 as it stands"),
    "sexagesimal": ("training: {steps: 1:30}\n", "YAML does not read 1:30 as it stands"),
    "empty": ("# nothing yet\n", "holds no key"),
    "tab": ("corpus:\n\tkind: folder\n", "cannot be read as YAML"),
    "cut": ("corpus: {kind: [\n", "cannot be read as YAML"),
    "bytes": ("\x00\x00", "cannot be read as YAML"),
}


@pytest.mark.parametrize("kind", FILES)
def test_what_yaml_passes_over_is_named_with_its_line(tmp_path, kind):
    content, sentence = FILES[kind]
    (tmp_path / "mine.yaml").write_text(content)
    with pytest.raises(ConfigError) as error:
        check_files([tmp_path / "mine.yaml"])
    assert sentence in str(error.value)
    assert str(tmp_path / "mine.yaml") in str(error.value)


def test_the_projects_own_files_are_well_written():
    check_files([ROOT / "config.yaml", *ROOT.glob("profiles/*/*.yaml"), ROOT / "tests/micro.yaml"])
    with pytest.raises(ConfigError, match=r"gone\.yaml"):
        check_files([os.devnull + "gone.yaml"])


def test_configurations_merge_as_snakemakes_do(paper_config):
    paths = [ROOT / "config.yaml", *(ROOT / "profiles/pilot" / name for name in ("study.yaml", "causes.yaml"))]
    for path in paths[1:]:
        update_config(paper_config, yaml.safe_load(path.read_text()))
    assert merged(paths) == paper_config


def test_a_configuration_that_would_lose_a_key_is_not_merged(tmp_path):
    (tmp_path / "mine.yaml").write_text("seed: 1\nseed: 2\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml, line 2: seed is given twice"):
        merged([ROOT / "config.yaml", tmp_path / "mine.yaml"])
