# Reweave. `make run` starts the studio; `make help` lists the rest.

PYTHON_OF_VENV := .venv/bin/python
SHELL_SCRIPTS := tools/setup.sh .ci/run $(wildcard docker/*.sh)

.DEFAULT_GOAL := help
.PHONY: help run setup test lint bench pins clean \
	dev-tools lint-style lint-rooms lint-types lint-templates lint-docker lint-shell lint-browser

help: ## List what can be made
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

run: ## Start the studio (PORT=8000); Ctrl-C ends it
	@tools/setup.sh run
	@exec $(PYTHON_OF_VENV) manage.py studio

setup: dev-tools ## Install everything that running, testing and linting need
	@$(PYTHON_OF_VENV) tools/node.py install

test: dev-tools ## Run all tests (ARGS="-k mask" goes to pytest)
	@$(PYTHON_OF_VENV) tools/node.py test
	@$(PYTHON_OF_VENV) -m pytest $(ARGS)

lint: lint-style lint-rooms lint-templates lint-docker lint-shell lint-browser lint-types ## Check style, types, imports (-k: all)

bench: dev-tools ## Measure the studio's overhead, the editor's frames and the models (ARGS="models --large")
	@$(PYTHON_OF_VENV) -m bench $(ARGS)

pins: ## Write constraints.txt from what is installed, after a change of requirements
	@{ head -n 1 constraints.txt; $(PYTHON_OF_VENV) -m pip freeze --exclude-editable | sed -E 's/^(torch==[0-9.]+)\+.*/\1/'; } \
		> constraints.new
	@mv constraints.new constraints.txt

clean: ## Remove what can be made again; never your photos in var/
	@rm -rf .venv node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +

dev-tools:
	@tools/setup.sh dev

lint-style: dev-tools
	$(PYTHON_OF_VENV) -m ruff check .
	$(PYTHON_OF_VENV) -m ruff format --check .

lint-rooms: dev-tools
	.venv/bin/lint-imports

lint-types: dev-tools
	$(PYTHON_OF_VENV) -m mypy

lint-templates: dev-tools
	.venv/bin/djlint --lint --quiet frontend/templates

lint-docker: dev-tools
	.venv/bin/hadolint docker/*.Dockerfile

lint-shell: dev-tools
	.venv/bin/shellcheck $(SHELL_SCRIPTS)

lint-browser: dev-tools
	$(PYTHON_OF_VENV) tools/node.py tool tsc --noEmit --checkJs
