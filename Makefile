.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "%-14s %s\n", $$1, $$2 }'

.PHONY: engine
engine: ## Start the development engine (BuildKit, registry, builder)
	@hack/engine/engine.sh up

.PHONY: engine-stop
engine-stop: ## End what make engine started
	@hack/engine/engine.sh down

# commands on the development engine
ON_ENGINE = . .cache/engine/env &&

.PHONY: docker20
docker20: engine ## Start Docker Engine 20.10, an old engine for tests
	@hack/engine/docker20.sh up

.PHONY: docker20-stop
docker20-stop: ## End what make docker20 started
	@hack/engine/docker20.sh down

.PHONY: moby
moby: engine ## Start Docker Engine of today with each image store, for tests
	@hack/engine/moby.sh up

.PHONY: moby-stop
moby-stop: ## End what make moby started
	@hack/engine/moby.sh down

.PHONY: buildkit07
buildkit07: engine ## Start BuildKit v0.7, the oldest one that is tested
	@hack/engine/buildkit07.sh up

.PHONY: buildkit07-stop
buildkit07-stop: ## End what make buildkit07 started
	@hack/engine/buildkit07.sh down

.PHONY: engines-stop
engines-stop: ## End all engines that make e2e started
	@hack/engine/engines.sh down
	@hack/engine/engine.sh down

# without attestations, as upstream's image in the development registry: they are look-ups more for the daemon
.PHONY: image
image: engine ## Build the frontend image and push it to the development registry
	@$(ON_ENGINE) buildx bake --progress=plain --provenance=false image --set image.output=type=registry \
		--set "image.tags=$$STAGECRAFT_REGISTRY/stagecraft/dockerfile:1" > .cache/image.log 2>&1 \
		|| { tail -n 40 .cache/image.log >&2; exit 1; }

# built: Docker Engine of today takes part when it is built already; all: it is built, in minutes
ENGINES ?= built

.PHONY: test
test: ## Run every test; sets up the development engine
	@ENGINES=$(ENGINES) hack/test.sh

.PHONY: unit
unit: ## Run the tests that need no engine
	go test ./...

.PHONY: race
race: ## Run the tests that need no engine under the race detector, with fewer made-up builds
	GORACE=suppressions=$(CURDIR)/hack/race.txt go test -race -short -timeout 30m ./...

# which end-to-end tests
RUN = .

.PHONY: e2e
e2e: image ## Run the end-to-end tests (RUN=TestName, ENGINES=all)
	@hack/engine/engines.sh up $(ENGINES)
	$(ON_ENGINE) eval "$$(hack/engine/engines.sh env $(ENGINES))" && go test -tags e2e -count=1 -timeout 40m -run '$(RUN)' ./test/e2e

.PHONY: demo
demo: ## Build the image and some examples with it, and show what they do
	@hack/demo.sh

.PHONY: bench
bench: image ## Print ratios against upstream's frontend
	$(ON_ENGINE) go run ./hack/bench

.PHONY: measurements
measurements: image ## Write the measurements of the README
	$(ON_ENGINE) go run ./hack/bench -readme README.md \
		whole-process image-sizes process-start cached-builds planned-calls locked-builds gates merges

.PHONY: lint
lint: ## Check the sources
	@hack/lint.sh

.PHONY: validate
validate: lint engine ## Check the sources, and the Dockerfile with the builder
	$(ON_ENGINE) buildx bake --progress=plain validate-dockerfile

.PHONY: reproducible
reproducible: engine ## Build the image twice, from nothing, and compare
	@$(ON_ENGINE) hack/reproducible.sh

.PHONY: upgrade
upgrade: ## Move to another release of BuildKit (BUILDKIT=v1.2.3, BUILDX=v1.2.3)
	@hack/upgrade.sh "$(BUILDKIT)" "$(BUILDX)"

# quick, full, all, or a regular expression of test names
SELECTION = full

.PHONY: conformance
conformance: image ## Run upstream's integration tests with a kit (KIT=directory, SELECTION=quick)
	@test -x "$(KIT)/conformance.sh" || { echo "error: KIT must name the directory of conformance.sh" >&2; exit 2; }
	@$(ON_ENGINE) buildx bake --progress=plain binaries > .cache/binaries.log 2>&1 || { tail -n 40 .cache/binaries.log >&2; exit 1; }
	$(KIT)/conformance.sh bin/stagecraft-frontend $(SELECTION)

# how many made-up builds
SEEDS = 100000

.PHONY: properties
properties: ## Look for builds that break a property (SEEDS=1000000)
	GOGC=400 go test ./frontend -count=1 -timeout 0 -run '^Test(EveryGateHolds|NothingIsDropped|NoSurprise|ValuesAreValues)$$' -seeds $(SEEDS)

# how long each fuzz target runs (1m, or 1000000x for a number of inputs), and which
FUZZTIME = 1m
FUZZ = Fuzz

.PHONY: fuzz
fuzz: ## Run every fuzz target, one after another (FUZZTIME=1m, FUZZ=FuzzName)
	@grep -rE '^func Fuzz[A-Za-z0-9]+' --include='*_test.go' -o frontend llbgen | grep -E ':func $(FUZZ)' | sort | while IFS=: read -r file name; do \
		echo "== $${name#func }"; \
		GOGC=400 go test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$${name#func }\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x || exit 1; \
	done
