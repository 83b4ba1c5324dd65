# Two commands on a fresh machine: `make demo` runs the main job, `make test` passes every test.
SHELL := /bin/bash -o pipefail
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.installed-demo
LATER := tests/console/test_axe.py tests/console/test_tuning_browser.py # on a rig of their own: one walks ten minutes
SCREENS := $(filter-out $(LATER),$(wildcard tests/console/test_*browser.py))
RIGS := tests/process tests/chaos/test_process_chaos.py
LONG := any_stamp exercise_minutes judge machine pace plausible_people walks # and cover no more of the guard
GUARD := $(filter-out $(LONG:%=tests/safety/test_%.py),$(wildcard tests/safety/test_*.py))
APART := $(foreach path,$(RIGS) $(SCREENS) $(LATER) $(GUARD),--ignore $(path))
export PYTHONDONTWRITEBYTECODE := # a rig is six programs: what they compile is kept for the next
PYTEST = pytest -o cache_dir=.pytest_cache/$@
TRIES ?= 20
INPUTS ?= 100000
HOURS ?= 10
MINUTES ?= 60

.PHONY: demo test test-packages test-walker test-exerciser test-beside test-apart test-guard test-rigs test-later bench validate mutate chaos fuzz soak docs lint setup lock clean
.DEFAULT_GOAL := demo

setup: $(STAMP)

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit("Dorsi needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV) || { \
	    echo "==> Python's venv module is missing; installing Debian's python3-venv"; rm -rf $(VENV); \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null \
	    && $(PYTHON) -m venv $(VENV); }

$(STAMP): PINS = requirements.txt
$(DEMO_STAMP): PINS = requirements-demo.txt
$(STAMP) $(DEMO_STAMP): requirements.txt requirements-demo.txt pyproject.toml | $(BIN)/pip
	@echo "==> building $(VENV) (Python, the packages of $(PINS); a few minutes the first time)"
	@$(BIN)/pip install --disable-pip-version-check --progress-bar off --no-compile --no-deps --require-hashes -r $(PINS) \
	    | { grep --line-buffered -oE '^(Collecting [^ ]+|Installing collected packages)' || true; }
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable . 2>/dev/null
	@$(BIN)/python -m compileall -qq --workers 0 $(VENV)/lib || true # on all processors, unlike pip
	@touch $@ $(DEMO_STAMP) # all is enough for the demo

demo: $(DEMO_STAMP)
	@echo "==> dorsi demo: a virtual patient with a drop foot walks, first without, then with stimulation"
	@$(BIN)/dorsi demo

lint: setup
	@echo "==> ruff"; $(BIN)/ruff check . && $(BIN)/ruff format --check .
	@echo "==> mypy --strict"; $(BIN)/mypy
	@echo "==> import-linter"; $(BIN)/lint-imports

test: # what the tests need is fetched and compiled side by side
	@$(MAKE) --no-print-directory --jobs 3 test-packages test-walker test-exerciser
	@$(MAKE) --no-print-directory --jobs 2 test-beside test-rigs

test-packages: | $(BIN)/pip # which may need apt-get itself
	@sh tests/debian.sh

test-walker: setup
	@$(BIN)/python -c "from models.patient import VirtualPatient; VirtualPatient.compile()"

test-exerciser: setup
	@$(BIN)/python -c "from models.exercise_patient import ExercisePatient; ExercisePatient.compile()"

test-beside: setup # a rig's processes run in real time and wait for nobody
	@echo "==> beside the rigs: the guard's tests, lint, and all others; told when they are done"
	@mkdir -p .build
	@$(MAKE) --no-print-directory test-guard lint test-apart test-later >.build/$@.log 2>&1; code=$$?; echo; cat .build/$@.log; exit $$code

test-apart: setup
	@echo "==> tests without a rig"
	@$(BIN)/$(PYTEST) --numprocesses 2 --dist loadfile $(APART)

test-guard: setup
	@echo "==> tests of the guard, every branch of its judgement"
	@rm -f .coverage*
	@PYTHONHASHSEED=0 $(BIN)/coverage run -m $(PYTEST) --numprocesses 2 --dist loadfile $(GUARD) # one order of sets for both
	@$(BIN)/coverage combine --quiet 2>/dev/null; $(BIN)/coverage report # a killed process leaves half a file

test-rigs: setup
	@echo "==> whole rigs in real time"
	@$(BIN)/$(PYTEST) $(RIGS) $(SCREENS)

test-later: setup # behind the tests without a rig: rigs take real time one after the other
	@echo "==> pages in a browser, on rigs of their own"
	@$(BIN)/$(PYTEST) $(LATER)

bench: setup
	@for b in benchmarks/*.py; do echo "==> $$b"; $(BIN)/python $$b || exit 1; done

validate: setup
	@echo "==> models and controllers against their references: runs/validate/"
	@$(BIN)/python -m models.validation --out runs/validate
	@$(BIN)/python benchmarks/gait.py --out runs/validate
	@echo "==> swings lifted on real recordings, at each readiness, and with constants chosen on others (half an hour)"
	@PYTHONPATH=. $(BIN)/python benchmarks/lifted.py --out runs/validate --curve --fit | tee runs/validate/lifted.txt
	@echo "==> the control table: 20 patients x 60 strides in every arm and condition (a quarter of an hour on two processors)"
	@PICTURE=runs/validate/control.png $(BIN)/python benchmarks/control.py 20 60 | tee runs/validate/control.txt
	@echo "==> 20 patients whose strides vary and whose muscle is slow, and a change of pace (six minutes)"
	@PYTHONPATH=. $(BIN)/python benchmarks/varying.py 20 60 | tee runs/validate/varying.txt
	@echo "==> two channels on the same 20 patients (four minutes; make bench walks six of them)"
	@$(BIN)/python benchmarks/channels.py 20 60 | tee runs/validate/channels.txt

mutate: setup
	@echo "==> mutants of the guard (under ten minutes)"
	@$(BIN)/python tests/safety/mutate.py

chaos: setup
	@echo "==> 30 virtual minutes with faults, twice, and 30 without"
	@$(BIN)/python -m tests.chaos.virtual 30
	@echo "==> each fault in running rigs, $(TRIES) times (about three seconds a try; TRIES=3 is shorter): runs/chaos/"
	@$(BIN)/python -m tests.chaos.process $(TRIES)
	@echo "==> ten sensors out of reach, one after the other: back within five seconds (two minutes)"
	@$(BIN)/python -m tests.chaos.disconnects

fuzz: setup
	@echo "==> $(INPUTS) broken inputs for every decoder (five minutes; SEED=N picks those of another time)"
	@$(BIN)/python -m tests.drivers.fuzz $(INPUTS) $(SEED:%=--seed %)

soak: setup
	@echo "==> $(HOURS) virtual hours, then $(MINUTES) minutes of real processes with console, browser and broker: runs/soak/"
	@$(BIN)/python -m tests.chaos.soak virtual $(HOURS)
	@$(BIN)/python -m tests.chaos.soak real $(MINUTES)

docs: setup
	@$(BIN)/python docs/generate.py

# Pin every dependency with its hashes; the files name no index.
PIN = $(BIN)/pip-compile --quiet --strip-extras --generate-hashes --no-emit-options --no-header --no-annotate --allow-unsafe
lock:
	@$(PIN) --all-extras --output-file requirements.txt pyproject.toml
	@$(PIN) --extra console --build-deps-for editable --constraint requirements.txt --output-file requirements-demo.txt pyproject.toml

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis
