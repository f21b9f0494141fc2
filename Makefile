.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "%-14s %s\n", $$1, $$2 }'

.PHONY: engine
engine: ## Start the development engine (BuildKit, registry, builder)
	@hack/engine/engine.sh up

.PHONY: engine-stop
engine-stop: ## End what make engine started
	@hack/engine/engine.sh down
