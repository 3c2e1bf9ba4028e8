# `make run` shows Warraq at work, `make test` checks it; both set up what they need.
# uv, where it is found, only makes the set-up faster.

PYTHON ?= python3
VENV := .venv
PEERS := .venv-evaluate
BIN := $(VENV)/bin
READY := $(VENV)/.ready
UV := $(shell command -v uv 2>/dev/null)
SAMPLES_DB := sqlite:///data/samples.db

.PHONY: run demo test nightly faults audit lint bench evaluate lock clean

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
	@# Where Python may not keep compiled modules, each start would compile a thousand of them anew.
	@$(BIN)/python -m compileall -q -q -j 0 $(VENV)/lib crawler pipelines migrations tests || true
	@touch $(READY)

run: $(READY)  ## replay the sample documents and show what came of them
	$(BIN)/warraq replay seeds/documents --db $(SAMPLES_DB)
	$(BIN)/warraq sql --db $(SAMPLES_DB) \
		"SELECT a.title, a.published_iso AS published, a.agency, s.key AS source FROM articles a JOIN sources s ON s.id = a.source_id ORDER BY a.published_at"

test: $(READY) lint  ## all checks and tests; PostgreSQL's are skipped where there is none
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --durations 15

nightly: $(READY)  ## 200 kills of each kind, and ten minutes of fuzzing for each target
	WARRAQ_KILLS=200 $(BIN)/python -m pytest tests/test_kill.py tests/test_crawl_kill.py tests/test_schedule_kill.py
	$(BIN)/python -m tests.fuzz --seconds 600

FIGURES := $(VENV)/faults.jsonl
faults: $(READY)  ## break everything, and write what was seen into docs/faults.md
	rm -f $(FIGURES)
	WARRAQ_FAULTS=$(FIGURES) $(BIN)/python -m pytest tests/test_faults_replay.py tests/test_faults_service.py tests/test_kill.py tests/test_crawl_kill.py tests/test_schedule_kill.py
	$(BIN)/python -m tests.fault_table $(FIGURES)

audit:  ## known weaknesses of the locked packages (needs uv and the network)
	uv tool run pip-audit --strict --requirement requirements.lock --disable-pip

demo: $(READY)  ## two newsrooms on loopback, crawled twice, and what SQL then answers
	$(BIN)/python -m tests.site.demo --db sqlite:///data/demo.db

lint: $(READY)
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	$(BIN)/python -m tests.check_migrations

bench: $(READY)  ## speed and memory beside others, in one run; PAGES=folder for your own pages
	$(BIN)/python -m tests.benchmarks $(if $(PAGES),--pages $(PAGES))

$(PEERS)/.ready: requirements-evaluate.lock
ifdef UV
	uv venv --quiet --allow-existing --python $(PYTHON) $(PEERS)
	uv pip install --quiet --python $(PEERS)/bin/python --require-hashes -r requirements-evaluate.lock
else
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --require-hashes -r requirements-evaluate.lock
endif
	@$(PEERS)/bin/python -m compileall -q -q -j 0 $(PEERS)/lib || true
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
