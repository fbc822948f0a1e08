# Sections 3.1 and 3.4: the recordings, as one manifest and one audio store a split.
CORPUS_ROOT = STUDY.corpus.root or f"{RESULTS}/corpus"
SPLITS = {"train": STUDY.corpus.train, "test": STUDY.corpus.test}
OTHER_SPLIT = {"train": "test", "test": "train"}
LIMITS = {
    "train": STUDY.corpus.max_train_utterances,
    "test": STUDY.corpus.max_test_utterances,
}
CORPUS_READY = {
    "librispeech": expand(
        f"{CORPUS_ROOT}/{{name}}.complete", name=STUDY.corpus.train + STUDY.corpus.test
    ),
    "synthetic": [f"{CORPUS_ROOT}/synthetic.tsv"],
    "folder": [],
}[STUDY.corpus.kind]
# What a training depends on: which recordings, not where they lie.
TRAINING_RECORDINGS = json.dumps(
    [
        STUDY.corpus.kind,
        STUDY.corpus.train,
        STUDY.corpus.max_train_utterances,
        STUDY.corpus.bad_files,
        STUDY.sample_rate,
    ]
)


rule synthesize:
    """Speak the project's own sentences with espeak-ng: a corpus for machines with neither network nor data."""
    output:
        f"{CORPUS_ROOT}/synthetic.tsv",
    log:
        f"{LOGS}/synthesize.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        root=corpus_root,
        sample_rate=STUDY.sample_rate,
    shell:
        "python -m codec_cliff.corpus make-synthetic --root {params.root:q} --sample-rate {params.sample_rate} > {log} 2>&1"


rule download:
    """Fetch and verify one split of LibriSpeech."""
    output:
        f"{CORPUS_ROOT}/{{name}}.complete",
    log:
        f"{LOGS}/download/{{name}}.log",
    wildcard_constraints:
        name=alternatives(STUDY.corpus.train + STUDY.corpus.test),
    retries: 2
    conda:
        MAIN_ENVIRONMENT
    params:
        root=corpus_root,
    shell:
        "python -m codec_cliff.corpus download --root {params.root:q} --split {wildcards.name} > {log} 2>&1"


rule prepare:
    """Read, check and decode every recording of a split once."""
    input:
        CORPUS_READY,
    output:
        manifest=f"{RESULTS}/data/{{split}}.tsv",
        store=f"{RESULTS}/data/{{split}}.npy",
        skipped=f"{RESULTS}/data/{{split}}.skipped.tsv",
    log:
        f"{LOGS}/prepare/{{split}}.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        root=corpus_root,
        splits=lambda wildcards: SPLITS[wildcards.split],
        limit=lambda wildcards: (
            f"--max-utterances {LIMITS[wildcards.split]}"
            if LIMITS[wildcards.split]
            else ""
        ),
        words=lambda wildcards: "--words" if wildcards.split == "test" else "",
        other=lambda wildcards: f"{RESULTS}/data/{OTHER_SPLIT[wildcards.split]}.tsv",
        other_splits=lambda wildcards: SPLITS[OTHER_SPLIT[wildcards.split]],
        bad_files=STUDY.corpus.bad_files,
        sample_rate=STUDY.sample_rate,
    shell:
        "python -m codec_cliff.corpus prepare --root {params.root:q} --splits {params.splits:q} {params.limit} --sample-rate {params.sample_rate}"
        " --bad-files {params.bad_files} --manifest {output.manifest} --store {output.store} --skipped {output.skipped}"
        " {params.words} --apart-from {params.other} --other-splits {params.other_splits:q} > {log} 2>&1"
