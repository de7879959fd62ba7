# make demo: a sentence becomes a moving body, from a bare machine. make studio: the web page. make test, make lint:
# what a change must pass; make quick: contracts and units alone. make docs: the site.
PYTHON ?= python3
BIN := .venv/bin
# Builds without CUDA, 3.7 GB smaller.
TORCH_CPU ?= https://download.pytorch.org/whl/cpu

.PHONY: demo studio test quick lint format docs clean oldest kills fuzz

demo: .venv/.ready
	@mkdir -p out
	@$(BIN)/motion generate text_to_motion --text "a tired person walks and turns left" --seed 7 -o out/demo.html
	@echo "open in a browser: file://$(CURDIR)/out/demo.html"

studio: .venv/.ready
	@$(BIN)/python -c "import uvicorn, starlette" 2>/dev/null || $(BIN)/python -m pip install --quiet -e ".[studio]" -c constraints.txt
	@$(BIN)/motion studio

# A process a core, with one thread each: whole files go to one process, so that what a file sets up is made once. In
# their own order: xdist would leave files of few and long tests to the end, where one process waits for the other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

test: .venv/.ready-dev
	$(PYTEST)

# Contracts and units: everything but whole commands, trainings, documents and what is marked slow.
QUICK := tests/audio tests/core tests/data tests/encoders tests/generators tests/metrics tests/motion tests/motion_tokens tests/nn \
	tests/spaces tests/texts tests/test_layers.py

quick: .venv/.ready-dev
	$(PYTEST) -m "not slow" $(QUICK)

# Promises are kept by the code, not by a pin: what opens files and models of strangers, with the oldest versions that
# pyproject.toml allows, in an environment of its own. Python 3.10 or 3.11: some of them have no wheels for later ones.
OLDEST := tests/reliability tests/core tests/encoders tests/motion/io tests/data tests/model tests/training
oldest:
	$(PYTHON) -m venv .venv-oldest
	$(PYTHON) tests/oldest_versions.py > .venv-oldest/constraints.txt
	.venv-oldest/bin/python -m pip install --quiet -e ".[dev]" -c .venv-oldest/constraints.txt
	OMP_NUM_THREADS=1 .venv-oldest/bin/python -m pytest -n auto --dist loadfile -m "not slow" $(OLDEST)

# Three hundred kills, and a hundred thousand damaged files (docs/reliability.md): hours on two cores.
kills: .venv/.ready-dev
	OMP_NUM_THREADS=1 $(BIN)/python tests/reliability/kills.py --trials 300

fuzz: .venv/.ready-dev
	OMP_NUM_THREADS=1 $(BIN)/python tests/reliability/fuzz.py --inputs 100000 --keep out/fuzz

lint: .venv/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python tests/type_errors.py

format: .venv/.ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The site of docs/, into out/site; a link that leads nowhere is an error.
docs: .venv/.ready
	@$(BIN)/python -c "import material" 2>/dev/null || $(BIN)/python -m pip install --quiet -e ".[docs]" -c constraints.txt
	$(BIN)/python docs/make_api.py --write
	$(BIN)/python -m mkdocs build --strict
	@echo "open in a browser: file://$(CURDIR)/out/site/index.html"

clean:
	rm -rf build dist out *.egg-info .pytest_cache .ruff_cache .hypothesis

# torch first: otherwise the resolver may take its CUDA build and 3 GB with it.
.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	@if [ "$$(uname -s)" = Linux ] && ! command -v nvidia-smi > /dev/null; then \
		$(BIN)/python -m pip install --quiet --retries 0 --timeout 10 torch -c constraints.txt --index-url $(TORCH_CPU) \
			2> /dev/null || echo "PyTorch's index is out of reach: the usual build is taken"; fi
	$(BIN)/python -m pip install --quiet torch -c constraints.txt
	$(BIN)/python -m pip install --quiet -e . -c constraints.txt
	@touch $@

.venv/.ready-dev: .venv/.ready
	$(BIN)/python -m pip install --quiet -e ".[dev]" -c constraints.txt
	@touch $@
