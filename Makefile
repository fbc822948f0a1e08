# `make demo` runs the study in small, `make test` the tests; each sets up what it needs, uv included.
UV_VERSION := 0.13.9
UV := $(shell command -v uv || echo .tools/bin/uv)

.PHONY: demo test check

demo: .venv
	$(UV) run snakemake --profile profiles/demo

test: .venv
	$(UV) run pytest --numprocesses=logical --dist=loadfile  # a file's tests share what they set up

check: .venv
	$(UV) run ruff check
	$(UV) run ruff format --check
	$(UV) run snakefmt --check Snakefile workflow
	$(UV) run snakemake --lint

.venv: pyproject.toml uv.lock | $(UV)
	$(UV) sync --locked
	@touch .venv

.tools/bin/uv:
	python3 -m venv .tools
	.tools/bin/pip install --quiet uv==$(UV_VERSION)
