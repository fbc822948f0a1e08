# Section 3.2: every test utterance through a codec and back.


rule reconstruct:
    """Decoded audio and codes of one codec; the originals are a codec too."""
    input:
        source("reconstruction"),
        codec_weights,
        manifest=f"{RESULTS}/data/test.tsv",
        store=ancient(f"{RESULTS}/data/test.npy"),
    output:
        f"{RESULTS}/reconstruction/{{codec}}/manifest.tsv",
        f"{RESULTS}/reconstruction/{{codec}}/codec.json",
    log:
        f"{LOGS}/reconstruct/{{codec}}.log",
    conda:
        reconstruction_environment
    params:
        run_folder=f"{RESULTS}/runs/{{codec}}",
        folder=f"{RESULTS}/reconstruction/{{codec}}",
        cache=STUDY.cache,
        recordings=recordings_of,
        state=recordings_state,
    shell:
        "python -m codec_cliff.reconstruction --codec {wildcards.codec} --run-folder {params.run_folder} --manifest {input.manifest} --store {input.store}"
        " {params.recordings} --folder {params.folder} --cache {params.cache:q} --threads {threads} > {log} 2>&1"
