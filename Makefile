# One door to everything. `make` alone lists what there is.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Where the firmware runs: mps2 (emulated Cortex-M4F) or host (a process of this machine).
TARGET ?= mps2
# The board's serial port, found by itself when empty.
PORT ?=
# Where the frozen extractor ends: fc, fxc1 or fxc2; spare rows, labelled windows kept, exemplars of
# each activity; samples between a board's answers. What is empty is left to `har quantize`.
CUT ?=
SPARE ?=
REPLAY ?=
EXEMPLARS ?=
HOP ?=
# Which of the shipped networks: waist, wrist or wrist-left. `make flash MODEL=wrist` takes it as it
# ships; together with `quantize`, what that has made is flashed.
MODEL ?=
# What runs the network on the board: tflm (TFLite-Micro with CMSIS-NN, the default) or compiled.
ENGINE ?=
# Your own recordings to train on as well: a folder that `har record` filled, or a CSV file.
DATA ?=
# More arguments for pytest (ARGS="-k store -x"), variants, fxcy and bench (ARGS=--check).
ARGS ?=

HAR := .venv/bin/har
PORT_OPTION = $(if $(PORT),--port "$(PORT)")
QUANTIZE_OPTIONS = $(if $(CUT),--cut "$(CUT)") $(if $(SPARE),--spare "$(SPARE)") \
	$(if $(REPLAY),--replay "$(REPLAY)") $(if $(EXEMPLARS),--exemplars "$(EXEMPLARS)") \
	$(if $(HOP),--hop "$(HOP)")
MODEL_OPTION = $(if $(MODEL),--bundle "$(MODEL)")
SHIPPED_OPTION = $(if $(filter quantize,$(MAKECMDGOALS)),,$(MODEL_OPTION))
FIRMWARE_SOURCES = $(shell find firmware -path firmware/generated -prune -o \
	-type f \( -name '*.h' -o -name '*.c' -o -name '*.cpp' \) -print)
# What the tests took of the branches of pipeline/ when this was last raised, in per cent.
COVERAGE_MIN := 93.7
# Scopes stay on one worker, so that each makes its fixtures once.
PYTEST := .venv/bin/python -m pytest -n 2 --dist loadscope
ifeq ($(TARGET),host)
NOT_EMULATED := and not emulated
endif

# PlatformIO waits a minute for its own services unless this is set.
export PLATFORMIO_SETTING_ENABLE_TELEMETRY := No
export PLATFORMIO_DISABLE_UPGRADE_CHECK := true

.PHONY: help setup toolchain demo test test-slow test-all coverage coverage-report train quantize evaluate personalize variants fxcy emit operators flash doctor monitor bench lint fmt pretrain clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  TARGET=mps2 (emulated Cortex-M4F) or host (a process here); PORT=/dev/ttyACM0; ARGS for pytest"
	@echo "  MODEL=waist, wrist or wrist-left for train, emit and flash; ENGINE=compiled for flash"
	@echo "  DATA=data/recordings for train: your own recordings, in addition to the shipped memory"
	@echo "  CUT=fc, fxc1 or fxc2, SPARE, REPLAY, EXEMPLARS and HOP for quantize"

setup: ## Install the locked Python packages into .venv
	@scripts/setup.sh

toolchain: ## Check, or install with apt, the compilers and the emulator
	@scripts/toolchain.sh $(TARGET)

demo: setup toolchain ## Run the whole path: data, training, firmware, learning on the device, report
	$(HAR) demo --target $(TARGET) --output build/demo

test: setup toolchain ## Run the tests that find most faults (about five minutes)
	HYPOTHESIS_PROFILE=fast $(PYTEST) -m "not slow $(NOT_EMULATED)" $(ARGS)

test-slow: setup toolchain ## Run the other tests: emulated matrix, marathons, quick experiments
	HYPOTHESIS_PROFILE=full $(PYTEST) -m "slow $(NOT_EMULATED)" $(ARGS)

test-all: test test-slow ## Run every test

coverage: ## Run every test and measure which branches of pipeline/ they take
	$(MAKE) --no-print-directory test ARGS="--cov --cov-report= $(ARGS)"
	$(MAKE) --no-print-directory test-slow ARGS="--cov --cov-append --cov-report= $(ARGS)"
	$(MAKE) --no-print-directory coverage-report

coverage-report: ## Print what `make coverage` measured; fail if it is less than it was
	.venv/bin/coverage report --fail-under=$(COVERAGE_MIN)

train: setup ## Take the shipped network, and train its head on DATA where that is given
	$(HAR) train --output build/train $(MODEL_OPTION) $(if $(DATA),--data "$(DATA)")

quantize: setup ## Quantize to int8, write the bundle and emit the firmware's C
	$(HAR) quantize --model build/train --output build/bundle $(QUANTIZE_OPTIONS)
	$(HAR) emit --bundle build/bundle --output firmware/generated

evaluate: setup ## Measure on held-out subjects: float, int8 and the compiled engine
	@scripts/toolchain.sh host
	$(HAR) evaluate --unseen watch --output build/evaluate

personalize: setup ## Measure what a few labels of each user do, on the firmware's learner
	@scripts/toolchain.sh host
	$(HAR) personalize --teach --folder build/personalize

variants: setup ## Compare base, quantized and pruned networks, and what each takes of a board
	@scripts/toolchain.sh mps2
	$(HAR) variants --output build/variants $(ARGS)

fxcy: setup ## Compare how many of a network's last layers to train on another data set
	@scripts/toolchain.sh host
	$(HAR) fxcy --output build/fxcy $(ARGS)

operators: setup ## Write docs/OPERATORS.md from the compiler
	.venv/bin/python -m pipeline.compiler > docs/OPERATORS.md

emit: setup ## Emit the firmware's C from the bundle
	$(HAR) emit $(or $(SHIPPED_OPTION),--bundle build/bundle) --output firmware/generated

flash: setup ## Build for the Nano 33 BLE Sense and upload
	$(HAR) flash $(PORT_OPTION) $(SHIPPED_OPTION) $(if $(ENGINE),--engine "$(ENGINE)")

doctor: setup ## Look at this machine, the model and the board, and say what to fix
	$(HAR) doctor $(PORT_OPTION)

monitor: setup ## Watch the board's predictions
	$(HAR) monitor $(PORT_OPTION)

bench: setup toolchain ## Count instructions, flash and RAM (ARGS=--check: against the budgets)
	$(HAR) bench $(ARGS)

lint: setup ## Check style and types, Python and C
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/clang-format --dry-run -Werror $(FIRMWARE_SOURCES)

fmt: setup ## Format Python and C
	.venv/bin/ruff check --fix
	.venv/bin/ruff format
	.venv/bin/clang-format -i $(FIRMWARE_SOURCES)

pretrain: setup ## Make all weights of data/pretrained again (needs DSADS: data/README.md)
	$(HAR) pretrain --all-shipped
	$(HAR) bundles make waist
	$(HAR) bundles make wrist

clean: ## Remove what was built (keeps .venv and the downloaded data)
	rm -rf build .pio .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find firmware/generated -type f ! -name README.md -delete 2>/dev/null || true
