# Everything a developer runs. Needs cargo, python3 (3.9 to 3.13) and make; what else is needed goes
# into .venv by itself.
#
#   make demo     count the words of Python's standard library with four processes and one kill
#   make test     all tests, Rust and Python, and every example
#   make bench    first figures, as ratios (docs/bench.md); make bench-blackboard: against iceoryx2
#   make soak     the kill tests for longer, with their full bars; draws docs/storm.svg
#   make lint     format, clippy and documentation, warnings denied

PYTHON ?= python3
KILLS ?= 5000

VENV := $(CURDIR)/.venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# The interpreter that the native module is built for and that tests start.
export PYO3_PYTHON := $(BIN)/python
export SHM_PYTHON := $(BIN)/python
export PYTHONDONTWRITEBYTECODE := 1

# The kill tests step and kill what users run: the release build. All others run in the dev build.
TESTS := $(sort $(basename $(notdir $(wildcard tests/*.rs))) \
                $(notdir $(patsubst %/main.rs,%,$(wildcard tests/*/main.rs))))
# Rust and Python in turn: runs with the Python tests.
DEV_TESTS := $(filter-out kill_points storm round_trip,$(TESTS))
RELEASE_TESTS := $(filter kill_points storm,$(TESTS))
CRATES := -p shm -p shm-core -p shm-derive
# With cargo-nextest where there is one.
RUNNER := $(if $(shell cargo nextest --version 2>/dev/null),nextest run,test)

RUST_EXAMPLES := $(filter-out word_count,$(basename $(notdir $(wildcard examples/*.rs))))
PYTHON_EXAMPLES := $(filter-out examples/word_count.py,$(wildcard examples/*.py))

.PHONY: demo test test-rust test-kills test-python examples bench bench-blackboard soak soak-storm soak-sync lint module clean

test: test-rust test-kills test-python examples demo

$(READY): requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

# The Python module, installed into .venv. Cargo decides whether anything is to be built.
module: $(READY)
	cd shm-py && VIRTUAL_ENV=$(VENV) $(BIN)/maturin develop --release --quiet

test-rust: $(READY)
	cargo $(RUNNER) $(CRATES) --lib $(addprefix --test ,$(DEV_TESTS))
	cargo test $(CRATES) --doc

# Builds the module first: the storm starts Python processes too.
test-kills: module
	$(if $(RELEASE_TESTS),cargo test --release $(addprefix --test ,$(RELEASE_TESTS)) -- --show-output)
	# The test of the kill test: builds with a protocol bug each, in which it must fail.
	RUSTFLAGS="--cfg shm_seeded_bugs" cargo test --release --target-dir target/seeded --test kill_points \
		seeded -- --show-output

test-python: module
	cargo test --test round_trip
	cd shm-py && $(BIN)/python -m pytest   # with stubtest, mypy --strict and the stubs' examples

examples: module
	@set -e; for name in $(RUST_EXAMPLES); do \
		echo "== examples/$$name.rs"; cargo run --quiet --release --example $$name; done
	@set -e; for path in $(PYTHON_EXAMPLES); do echo "== $$path"; $(BIN)/python $$path; done

demo: module
	cargo build --quiet --release --example word_count
	$(BIN)/python examples/word_count.py

bench: module
	cargo build --quiet --release --manifest-path benches/peers/Cargo.toml --target-dir target/peers
	target/peers/release/shm-peers
	target/peers/release/shm-peers blocks
	$(BIN)/python benches/python.py

# Typed structs against iceoryx2's blackboard, which takes some minutes to build.
bench-blackboard:
	cargo build --quiet --release --manifest-path benches/blackboard/Cargo.toml --target-dir target/peers
	target/peers/release/shm-blackboard

soak: soak-storm soak-sync
	SHM_SOAK=1 cargo test --release --test kill_points -- --nocapture
	SHM_CHURN=10000000 cargo test --release --test churn -- --nocapture
	SHM_HOLES=2000 cargo test --release --test give_back what_was_given_back_may_be_gone -- --nocapture

$(VENV)/.plots: tests/storm/requirements.txt $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

# Locks, turns, queues and the like alone: make soak-sync KILLS=5000
soak-sync:
	SHM_KILLS=$(KILLS) cargo test --release --test sync_storm -- --nocapture

# The storm alone: make soak-storm KILLS=5000
soak-storm: module $(VENV)/.plots
	SHM_KILLS=$(KILLS) SHM_STORM_BARS=full SHM_STORM_SAMPLES=$(CURDIR)/target/storm.csv \
		cargo test --release --test storm -- --nocapture
	$(BIN)/python tests/storm/plot.py target/storm.csv docs/storm.svg

lint: $(READY)
	cargo fmt --all -- --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	RUSTFLAGS="--cfg shm_seeded_bugs" cargo clippy --target-dir target/seeded --all-targets --quiet -- -D warnings
	RUSTDOCFLAGS=-Dwarnings cargo doc --workspace --no-deps --quiet
	@# Atomics have one name, so that a model checker can replace them.
	@! grep -rn "sync::atomic" shm-core/src --include='*.rs' | grep -v '^shm-core/src/primitive.rs:'

clean:
	cargo clean
	rm -rf $(VENV)
