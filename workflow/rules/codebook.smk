# Section 4.4: are the codebooks saturated?


rule codebook:
    """Utilization and entropy efficiency of a codec's codes, raw and on as many frames as the lowest rate has."""
    input:
        source("codes/codebook"),
        lambda wildcards: reconstructed(wildcards.codec),
        reference=f"{RESULTS}/data/test.tsv",
    output:
        f"{RESULTS}/codebook/{{codec}}.csv",
    log:
        f"{LOGS}/codebook/{{codec}}.log",
    conda:
        MAIN_ENVIRONMENT
    params:
        reconstruction=f"{RESULTS}/reconstruction/{{codec}}",
        hop_length=max(STUDY.runs[run].hop_length for run in STUDY.trained),
        seed=STUDY.seed,
    shell:
        "python -m codec_cliff.codes.codebook --reconstruction {params.reconstruction} --manifest {input.reference}"
        " --longest-hop {params.hop_length} --seed {params.seed} --output {output} > {log} 2>&1"
