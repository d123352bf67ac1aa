# make demo   one broker runs an order process, on the screen
# make cluster three brokers on this machine, until Ctrl-C
# make test   all tests
# make check  format, lint, types, floors, house rules
# make sim    simulated worlds: the runs that belong to every change, then `make fuzz`; SEED=n repeats one of each kind, KIND=cluster of one
# make nightly       the runs of a night, then the planted bugs, then the long tests, each for at most SECONDS (tests/sim/README.md)
# make chaos  real brokers: killed, stopped, wiped, cut off, with full disks; FAULTS of each kind, by SEED
# make mutants       the planted bugs, each looked for until it is found
# make fuzz   the long tests: crash states, damage of every bit, random processes and expressions, from SEED on
# make bench  microbenchmarks, then one-task instances end to end (bench/feel.py, bench/replication.py: beside peers)
# make feel   the FEEL cases of GREVY_FEEL (default: the repository's own)
# make traces the recorded traces in GREVY_TRACES (default: the repository's own)
# PYTHON names another one; it is looked for only when there is no environment yet.
PYTHON ?= $(or $(shell .ci/python),$(error There is no Python 3.11 or newer that can make environments))
VENV ?= .venv
BIN = $(VENV)/bin
SECONDS ?= 28800
FAULTS ?= 20
KIND ?=

.PHONY: demo cluster test check sim nightly chaos mutants fuzz bench feel traces clean

demo: $(VENV)/installed
	$(BIN)/python -m grevy.broker.demo

cluster: $(VENV)/installed
	$(BIN)/grevy cluster local

test: $(VENV)/ready
	$(BIN)/python -m pytest tests -q -n 2 --dist worksteal

check: $(VENV)/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/tidy -q

sim: $(VENV)/ready
	$(BIN)/python -m tests.sim.runner $(KIND) $(if $(SEED),--seed $(SEED))
	$(if $(SEED)$(KIND),,$(MAKE) fuzz)

# Each part goes to its end, whatever the one before has found.
nightly: $(VENV)/ready
	well=true; \
	$(BIN)/python -m tests.sim.runner $(KIND) --nightly --seconds $(SECONDS) || well=false; \
	$(BIN)/python -m tests.sim.mutants.board --seconds $(SECONDS) || well=false; \
	$(MAKE) fuzz || well=false; \
	$$well

# In less than an hour, every bit is more than there is time for.
fuzz: $(VENV)/ready
	GREVY_FLIPS=$$([ $(SECONDS) -lt 3600 ] || echo all) GREVY_SECONDS=$(SECONDS) \
	GREVY_EXPRESSIONS=$$(($(SECONDS) < 2000 ? $(SECONDS) * 100 : 200000)) \
	GREVY_SEED=$(or $(SEED),1) $(BIN)/python -m pytest \
		tests/crash tests/journal tests/state tests/sim tests/engine tests/feel/test_feel_fuzz.py -q -n 2

chaos: $(VENV)/ready
	GREVY_KILLS=$(FAULTS) GREVY_FAULTS=$(FAULTS) GREVY_SEED=$(or $(SEED),1) $(BIN)/python -m pytest tests/chaos -q

mutants: $(VENV)/ready
	$(BIN)/python -m tests.sim.mutants.board

bench: $(VENV)/ready
	$(BIN)/python -m pytest bench -q --benchmark-columns=min,median,ops
	$(BIN)/python bench/one_task.py

feel: $(VENV)/ready
	@$(BIN)/python tests/feel/conformance.py

traces: $(VENV)/ready
	$(BIN)/python tests/traces/play.py

# What it needs to run; compiled, as pip does with all that it does not leave in its checkout.
$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	$(BIN)/python -m compileall -q broker client exporters
	touch $@

# What it needs to be worked on.
$(VENV)/ready: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
