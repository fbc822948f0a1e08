# Section 4.3: phonemes per frame, from a forced alignment of the test set.
ALIGNER = STUDY.alignment["aligner"]
ALIGNER_READY = (
    [f"{STUDY.cache}/downloads/mfa_{STUDY.alignment['model']}.complete"]
    if ALIGNER == "mfa"
    else []
)


rule align:
    """Phone intervals of every test utterance, as TextGrids in the Montreal Forced Aligner's shape."""
    input:
        source(f"alignment/{ALIGNER}"),
        ALIGNER_READY,
        manifest=f"{RESULTS}/data/test.tsv",
        store=ancient(f"{RESULTS}/data/test.npy"),
    output:
        f"{RESULTS}/alignment/textgrids.tsv",
    log:
        f"{LOGS}/align.log",
    conda:
        "../../envs/mfa.yaml" if ALIGNER == "mfa" else MAIN_ENVIRONMENT
    threads: 8 if ALIGNER == "mfa" else 1
    params:
        folder=lambda wildcards, output: Path(output[0]).parent / "textgrids",
        aligner=ALIGNER,
        mfa_root=f"{STUDY.cache}/mfa",
        model=STUDY.alignment["model"],
    shell:
        "python -m codec_cliff.alignment --aligner {params.aligner} --manifest {input.manifest} --store {input.store}"
        " --output-dir {params.folder} --index {output} --mfa-root {params.mfa_root:q} --mfa-model {params.model} --jobs {threads} > {log} 2>&1"


rule phonemes_per_frame:
    """Three definitions of phonemes per frame, for every frame rate of the study."""
    input:
        source("alignment/phonemes"),
        index=f"{RESULTS}/alignment/textgrids.tsv",
        manifest=f"{RESULTS}/data/test.tsv",
    output:
        f"{RESULTS}/alignment/phonemes_per_frame.csv",
    log:
        f"{LOGS}/phonemes_per_frame.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        frame_rates=[f"{rate.frame_rate:g}" for rate in STUDY.own_rates],
    shell:
        "python -m codec_cliff.alignment.phonemes --index {input.index} --manifest {input.manifest} --frame-rates {params.frame_rates} --output {output} > {log} 2>&1"
