# What one does with this project. Each command makes the environment it needs, from nothing but Python 3.11 or newer.
#
#   make test                      in .venv
#   make test PYTHON=python3.13    in .venv-python3.13, an environment of its own

.DEFAULT_GOAL := help
# The steps of one command share an environment and a terminal.
.NOTPARALLEL:
# Nothing from outside leaks into an environment.
unexport PYTHONHOME PYTHONPATH

VENV := .venv$(if $(PYTHON),-$(notdir $(PYTHON)))
MINIMUM := $(VENV)-minimum

# The interpreters to try, in this order. The oldest versions of the libraries are tested on the oldest Python.
PYTHONS := $(or $(PYTHON),python3.14 python3.13 python3.12 python3.11 python3)
OLDEST_PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3.13 python3.14 python3)

# Each worker gets tests that follow one another, which share what is slow to make: programs that were compiled, fixtures.
WORKERS := -n auto --dist worksteal

COMMA := ,

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: $(VENV)/.examples ## train a network on handwritten digits and draw what it learnt
	@echo "==> running examples/train_digits.py"
	@$(VENV)/bin/python examples/train_digits.py

.PHONY: test
test: lint types pytest test-minimum ## everything that CI checks

.PHONY: lint
lint: $(VENV)/.dev ## check format and style
	@echo "==> checking format and style (ruff)"
	@$(VENV)/bin/ruff format --quiet --check || { echo "make: \`make format\` formats the files above."; exit 1; }
	@$(VENV)/bin/ruff check --quiet

.PHONY: format
format: $(VENV)/.dev ## write the code as make lint wants it
	@$(VENV)/bin/ruff check --quiet --fix-only
	@$(VENV)/bin/ruff format

.PHONY: types
types: $(VENV)/.dev ## check types with mypy and pyright
	@echo "==> checking types (mypy)"
	@$(VENV)/bin/mypy
	@# Where there is a stub, mypy reads nothing else unless it is told to.
	@modules=$$(find equinox -name '*.pyi' | sed 's/pyi$$/py/'); [ -z "$$modules" ] || $(VENV)/bin/mypy $$modules
	@echo "==> checking types (pyright)"
	@$(VENV)/bin/pyright --level error --pythonpath $(VENV)/bin/python

.PHONY: pytest
pytest: $(VENV)/.dev ## run the tests
	@echo "==> running the tests"
	@$(VENV)/bin/python -m pytest $(WORKERS) -m 'not slow'

# How arrays print, which examples show, is for JAX to change. The Makefile and the distributions know no versions, and
# what stands on the library, rather than on JAX, is tested well enough above. Of the layers, each one is tested here by
# what holds for all of them.
.PHONY: test-minimum
test-minimum: $(MINIMUM)/.test ## run the tests on the oldest supported versions of the libraries
	@echo "==> running the tests with $$(paste -s -d ' ' $(MINIMUM)/constraints.txt)"
	@$(MINIMUM)/bin/python -m pytest $(WORKERS) tests \
		$(addprefix --ignore=tests/,test_docstrings.py test_makefile.py test_packaging.py benchmarks check examples) \
		$$(find tests/nn -name 'test_*.py' ! -name test_every_layer.py | sed 's/^/--ignore=/')

.PHONY: test-torch
test-torch: $(VENV)-torch/.torch ## compare with PyTorch itself, not with what was recorded from it
	@echo "==> comparing with PyTorch $$($(VENV)-torch/bin/python -c 'import torch; print(torch.__version__)')"
	@PYTORCH=live $(VENV)-torch/bin/python -m pytest $(WORKERS) tests/nn -k pytorch

.PHONY: ecosystem
ecosystem: $(VENV)-ecosystem/.ecosystem ## run programs for Diffrax, Optimistix, Lineax and others on this library
	@echo "==> running the programs for the libraries that are built on this one"
	@$(VENV)-ecosystem/bin/python -m pytest $(WORKERS) tests/ecosystem

.PHONY: bench
bench: $(VENV)/.examples ## measure the speed, in multiples of what plain JAX takes
	@echo "==> running the benchmarks"
	@$(VENV)/bin/python -m benchmarks

.PHONY: bench-peers
bench-peers: $(VENV)/.examples $(VENV)-equinox/.peer $(VENV)-flax/.peer ## the same, beside Equinox 0.13.8 and Flax NNX
	@echo "==> running the benchmarks, first those of the peers"
	@PEER=$(VENV)-equinox/bin/python FLAX=$(VENV)-flax/bin/python $(VENV)/bin/python -m benchmarks

.PHONY: bench-ecosystem
bench-ecosystem: $(VENV)-ecosystem/.ecosystem $(VENV)-equinox/.ecosystem ## how long Diffrax and others take, beside Equinox 0.13.8
	@echo "==> running the benchmarks of what is built on this library"
	@$(VENV)/bin/python -m benchmarks.ecosystem $(VENV)-ecosystem/bin/python $(VENV)-equinox/bin/python

.PHONY: clean
clean: ## remove the environments, the caches and whatever else was made
	rm -rf .venv .venv-* .mypy_cache .pytest_cache .ruff_cache .hypothesis .cache
	rm -rf build dist examples/output benchmarks/results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# --- environments -----------------------------------------------------------------------------------------------------
# In an environment, an empty file stands for each set of packages that is installed, as pyproject.toml then said.

$(VENV)/.examples: pyproject.toml $(VENV)/bin/python
	$(call make-environment,$(VENV),$(PYTHONS))
	$(call install,$(VENV),-e '.[examples]')
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/bin/python
	$(call make-environment,$(VENV),$(PYTHONS))
	$(call install,$(VENV),-e '.[dev]')
	@touch $@ $(VENV)/.examples

$(MINIMUM)/.test: pyproject.toml $(MINIMUM)/bin/python
	$(call make-environment,$(MINIMUM),$(OLDEST_PYTHONS))
	@$(MINIMUM)/bin/python -c "$$minimum_versions" > $(MINIMUM)/constraints.txt
	$(call install,$(MINIMUM),-e '.[test]' --constraint $(MINIMUM)/constraints.txt)
	@touch $@

# Peers have the same JAX, and environments of their own. For Flax, the benchmarks need what they are written with, too.
$(VENV)-equinox/.peer: $(VENV)/.examples
	$(call make-environment,$(VENV)-equinox,$(VENV)/bin/python)
	$(call install,$(VENV)-equinox,equinox==0.13.8 optax $$($(VENV)/bin/python -m pip freeze | grep -E '^jax(lib)?=='))
	@touch $@

$(VENV)-flax/.peer: $(VENV)/.examples
	$(call make-environment,$(VENV)-flax,$(VENV)/bin/python)
	$(call install,$(VENV)-flax,-e . flax optax $$($(VENV)/bin/python -m pip freeze | grep -E '^jax(lib)?=='))
	@touch $@

# No GPU is used. On Linux, pip fetches PyTorch's large build for GPUs, unless its settings (`pip config`) name an index
# that has the build for CPUs.
$(VENV)-torch/.torch: pyproject.toml $(VENV)/.examples
	$(call make-environment,$(VENV)-torch,$(VENV)/bin/python)
	$(call install,$(VENV)-torch,-e '.[test]' torch $$($(VENV)/bin/python -m pip freeze | grep -E '^jax(lib)?=='))
	@touch $@

# Libraries that require Equinox, as they were released. That this one is what they find, `pip check` confirms.
$(VENV)-ecosystem/.ecosystem: pyproject.toml $(VENV)/.examples
	$(call make-environment,$(VENV)-ecosystem,$(VENV)/bin/python)
	$(call install,$(VENV)-ecosystem,-e '.[test$(COMMA)ecosystem]' flowjax==19.1.2 numpyro==0.22.0 quax==0.4.6 scipy \
		$$($(VENV)/bin/python -m pip freeze | grep -E '^jax(lib)?=='))
	@$(VENV)-ecosystem/bin/python -m pip check --quiet
	@touch $@

$(VENV)-equinox/.ecosystem: $(VENV)-equinox/.peer $(VENV)-ecosystem/.ecosystem
	$(call install,$(VENV)-equinox,equinox==0.13.8 \
		$$($(VENV)-ecosystem/bin/python -m pip freeze | grep -E '^(jax|jaxlib|diffrax|lineax|optimistix)=='))
	@touch $@

# Without a recipe, so that an environment whose interpreter is not there (any more) counts as out of date.
$(VENV)/bin/python $(MINIMUM)/bin/python: ;

# $(call make-environment,FOLDER,INTERPRETERS): nothing, where the environment works.
define make-environment
	@is_new_enough() { "$$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }; \
	if is_new_enough $1/bin/python && $1/bin/python -m pip --version >/dev/null 2>&1; then exit 0; fi; \
	if [ -e $1 ]; then echo "==> $1 is unfinished or broken, and is made anew"; fi; \
	for python in $2; do \
		is_new_enough "$$python" || continue; \
		if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "==> making $1 with $$("$$python" --version) ($$(command -v "$$python"))"; \
			exec "$$python" -m venv --clear $1; \
		fi; \
		incomplete="$$incomplete $$python"; \
	done; \
	if [ -n "$$incomplete" ]; then \
		echo "make: no environment can be made:$$incomplete came without the modules venv and ensurepip." \
			"On Debian and Ubuntu, 'apt install python3-venv' adds them."; \
	else \
		echo "make: Python 3.11 or newer is needed, and was not found under these names: $2." \
			"Name yours with PYTHON=/path/to/python."; \
	fi >&2; \
	exit 1
endef

# $(call install,FOLDER,WHAT)
define install
	@echo "==> installing $2 into $1 (minutes the first time)"
	@$1/bin/python -m pip install -qq --disable-pip-version-check $2 || { \
		echo "make: pip could not install that; the lines above say why. It needs the network." >&2; exit 1; }
endef

# A Python program: `>=` becomes `==` in what the library itself requires. What that requires in turn is left to pip.
define minimum_versions
import tomllib
with open("pyproject.toml", "rb") as file:
    requirements = tomllib.load(file)["project"]["dependencies"]
print(*(requirement.replace(">=", "==") for requirement in requirements), sep="\n")
endef
export minimum_versions
