# What a person runs, and CI too. Needs python3 (3.11 or newer) with venv; everything else is installed into .venv by pip.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
export OMP_WAIT_POLICY ?= PASSIVE
ifeq ($(OMP_WAIT_POLICY),PASSIVE)
export GOMP_SPINCOUNT ?= 1000
endif

.PHONY: demo test test-slow torture check bench docs
.DELETE_ON_ERROR:

$(INSTALLED): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[train,dev]'
	touch $@

demo/run/model.onnx: | $(INSTALLED)
	$(BIN)/pocketvision fit fashion-mnist --minutes 6 --restart -o demo/run

demo: $(INSTALLED) demo/run/model.onnx
	$(BIN)/python examples/save_test_images.py demo/images
	$(BIN)/pocketvision predict demo/run/model.onnx demo/images
	$(BIN)/pocketvision evaluate demo/run/model.onnx fashion-mnist
	$(BIN)/python examples/plain_onnxruntime.py demo/run/model.onnx

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal -m "not slow and not alone" -q
	$(BIN)/pytest -m "alone and not slow" -q

test-slow: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal -m "slow and not alone" -q
	$(BIN)/pytest -m "slow and alone" -q

torture: $(INSTALLED)
	PYTHONPATH=tests $(BIN)/python tests/torture/torture.py --page docs/torture.md

check: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED)
	$(BIN)/python docs/generate.py

bench: $(INSTALLED)
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/probe_agreement.py
	$(BIN)/python benchmarks/fit_fashion_mnist.py --minutes 6
