# `make run` shows Warraq at work, `make test` checks it; both set up what they need.
# uv, where it is found, only makes the set-up faster.

PYTHON ?= python3
VENV := .venv
PEERS := .venv-evaluate
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := $(shell command -v uv 2>/dev/null)
SAMPLES_DB := sqlite:///data/samples.db

.PHONY: run test lint bench evaluate lock clean

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Warraq needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 1; }
ifdef UV
	uv venv --quiet --allow-existing --python $(PYTHON) $(VENV)
	uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
else
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
endif
	@touch $(READY)

run: $(READY)  ## replay the sample documents and show what came of them
	$(BIN)/warraq replay seeds/documents --db $(SAMPLES_DB)
	$(BIN)/warraq sql --db $(SAMPLES_DB) \
		"SELECT a.title, a.published_iso AS published, a.agency, s.key AS source FROM articles a JOIN sources s ON s.id = a.source_id ORDER BY a.published_at"

test: $(READY) lint  ## all checks and tests; PostgreSQL's are skipped where there is none
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/python -m tests.check_migrations

bench: $(READY)  ## speed and memory beside bare trafilatura, in one run
	$(BIN)/python -m tests.benchmarks.replay

$(PEERS)/.ready: requirements-evaluate.lock
ifdef UV
	uv venv --quiet --allow-existing --python $(PYTHON) $(PEERS)
	uv pip install --quiet --python $(PEERS)/bin/python --require-hashes -r requirements-evaluate.lock
else
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --require-hashes -r requirements-evaluate.lock
endif
	@touch $(PEERS)/.ready

evaluate: $(READY) $(PEERS)/.ready  ## quality beside other extractors; GOLD=folder/file.jsonl for your pages
	$(BIN)/python -m tests.benchmarks.evaluate $(if $(GOLD),--gold $(GOLD))

lock:  ## renew both locks (needs uv)
	uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --upgrade \
		--generate-hashes --no-header --no-emit-find-links --no-emit-index-url --quiet \
		-o requirements.lock
	uv pip compile --group evaluate --universal --python-version 3.11 --upgrade \
		--generate-hashes --no-header --no-emit-find-links --no-emit-index-url --quiet \
		-o requirements-evaluate.lock

clean:
	rm -rf $(VENV) $(PEERS) data build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
