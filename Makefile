# The two commands of the README are `make demo` and `make test`; each sets itself up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: test lint format check demo bench bench-full mutants fuzz vectors wheel clean
.PHONY: crash power media crowd soak repair fixtures

$(STAMP): pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pannier needs Python 3.11 or later")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# Kept bytecode: else each worker, and each process of a test, compiles all modules anew.
test: export PYTHONDONTWRITEBYTECODE =
test: $(STAMP)
	$(BIN)/python -m pytest --numprocesses=auto --dist=loadfile --no-loadscope-reorder $(PYTEST_ARGS)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

check: lint test

demo: $(STAMP)
	$(BIN)/pannier demo

# Some minutes; `apt-get install nncp zstd git` brings the rivals, without which their rows stay empty.
bench: $(STAMP)
	$(BIN)/python -m benchmarks.run

# The same and ledgers of a million and of five million entries: an hour, and 12 GB of disk.
bench-full: $(STAMP)
	$(BIN)/python -m benchmarks.run --full

# Takes each defence of docs/trust.md away and sees that a test notices.
mutants: $(STAMP)
	$(BIN)/python -m tests.mutants.run $(MUTANTS)

# Coverage-guided, each target for so long, EXECUTIONS: until each had so many in all runs; FUZZ names
# some of them, and GUIDE=--unguided is faster (tests/fuzz/run.py --help).
FUZZ_SECONDS ?= 600
GUIDE ?=
fuzz: $(STAMP)
	-$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary=atheris --editable '.[fuzz]'
	$(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS) $(if $(EXECUTIONS),--executions $(EXECUTIONS)) $(GUIDE) $(PROVE) $(FUZZ)

# The long runs of the proving ground (docs/reliability.md); PROVE=--record keeps what they found there.
# They need root and the packages of .ci/run.
PROVE ?=
CASES ?= 100
SCHEDULES ?= 10000

# Kills every command at each of its calls on files, and lets each of those calls fail: hours.
crash: $(STAMP)
	$(BIN)/python -m tests.proving.crash $(PROVE)

# The power goes out after each call of each operation, and of what was not synced the disk keeps any
# part: half an hour.
power: $(STAMP)
	$(BIN)/python -m tests.proving.power $(PROVE) $(POWER)

# Sticks that fill up, rot, lie and vanish: twenty minutes.
media: $(STAMP)
	$(BIN)/python -m tests.proving.media $(PROVE)

# Many processes at one home.
crowd: $(STAMP)
	$(BIN)/python -m tests.proving.concurrency $(PROVE)

# Networks of up to 200 nodes, one random life after another.
soak: $(STAMP)
	$(BIN)/python -m tests.proving.network --schedules $(SCHEDULES) $(PROVE)

# Damages ledger files, CASES times in each way, and salvages what can be proven.
repair: $(STAMP)
	$(BIN)/python -m tests.proving.repair --cases $(CASES) $(PROVE)

# Writes the files of this version anew, for later ones to read; never again once it is released.
fixtures: $(STAMP)
	$(BIN)/python -m tests.proving.upgrade --make

vectors: $(STAMP)
	$(BIN)/python -m tests.vectors.generate

wheel: $(STAMP)
	$(BIN)/python -m build --wheel --outdir dist .

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz
