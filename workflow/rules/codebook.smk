# Section 4.4: are the codebooks saturated?


rule codebook:
    """Utilization and entropy efficiency of a codec's codes, raw and on as many frames as the lowest rate has."""
    input:
        source("codes/codebook"),
        manifest=f"{RESULTS}/reconstruction/{{codec}}/manifest.tsv",
        reference=f"{RESULTS}/data/test.tsv",
    output:
        f"{RESULTS}/codebook/{{codec}}.csv",
    log:
        f"{LOGS}/codebook/{{codec}}.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        codes=f"{RESULTS}/reconstruction/{{codec}}/codes.npz",
        codebook_size=STUDY.model.codebook_size,
        hop_length=max(STUDY.runs[run].hop_length for run in STUDY.trained),
        seed=STUDY.seed,
    shell:
        "python -m codec_cliff.codes.codebook --codes {params.codes} --codebook-size {params.codebook_size} --manifest {input.reference}"
        " --longest-hop {params.hop_length} --seed {params.seed} --output {output} > {log} 2>&1"
