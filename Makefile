# `make demo` runs the study in small, `make test` the tests; each sets up what it needs, uv included.
UV_VERSION := 0.13.9
UV := $(shell command -v uv || echo .tools/bin/uv)

# Behind a proxy that signs TLS anew, uv's own certificates do not do: the system's are tried, then this is said.
CERTIFICATES := "Where the fault above is a certificate (a proxy that signs TLS anew), set SSL_CERT_FILE and PIP_CERT to the file of your" \
	"site, or UV_SYSTEM_CERTS=1 to use those of the system; where it is the address, set HTTPS_PROXY."

# Compiled once, for every job is a Python of its own, and where PYTHONDONTWRITEBYTECODE is set none keeps what it compiles.
export UV_COMPILE_BYTECODE := 1

.PHONY: demo test check offline-study rehearsal

demo: .venv
	$(UV) run snakemake --profile profiles/demo

test: .venv
	OMP_NUM_THREADS=1 $(UV) run pytest --numprocesses=logical --dist=loadfile --no-loadscope-reorder  # a file's tests share what they set up; the longest files are first

# What the main environment can run of the paper's study in small: from an empty clone to the page, without a network.
offline-study: .venv
	OMP_NUM_THREADS=1 CODEC_CLIFF_OFFLINE_STUDY=1 $(UV) run pytest tests/internet/test_study.py

# The paper's whole study in small, from an empty clone, on a stand-in for the internet: some 20 GB of environments from PyPI.
rehearsal: .venv
	$(UV) run python -m tests.internet.rehearsal

check: .venv
	$(UV) run ruff check
	$(UV) run ruff format --check
	$(UV) run snakefmt --check Snakefile workflow
	$(UV) run snakemake --lint

.venv: pyproject.toml uv.lock | $(UV)
	$(UV) sync --locked || $(UV) sync --locked --system-certs || { echo $(CERTIFICATES); exit 1; }
	@touch .venv

.tools/bin/uv:
	python3 -m venv .tools
	.tools/bin/pip install --quiet uv==$(UV_VERSION) || { echo $(CERTIFICATES); exit 1; }
