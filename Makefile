# make help lists the targets. CI runs the same: .ci/run.

.DEFAULT_GOAL := help
.PHONY: help run test race lint docs check bench build clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## run the shop: nine services, a broker and a web page
	go run ./cmd/shop

test: ## run the tests
	go test ./...

race: ## run the tests with the race detector
	go test -race ./...

lint: ## run the linters of .golangci.yml
	bash .ci/lint

docs: ## run the commands of README and docs
	bash .ci/docs

check: ## run all that CI runs
	bash .ci/run

bench: ## run the benchmarks
	go test -run '^$$' -bench . -benchmem ./...

build: ## build the commands into bin/
	go build -o bin/ ./cmd/...

clean: ## remove bin/
	rm -rf bin
