# What uv.lock names, and nothing of the project itself: jobs take the code from the working folder.
#   docker build -t codec-cliff . && apptainer build codec-cliff.sif docker-daemon://codec-cliff:latest
# Then, where codec-cliff.sif lies in the working folder: snakemake --sdm apptainer (with a GPU: --apptainer-args=--nv).
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends git libgomp1 && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /opt/codec-cliff
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-cache --no-install-project --no-default-groups --group training --group synthetic --group recogniser
ENV PATH=/opt/codec-cliff/.venv/bin:$PATH
