# Sluice. `make run` shows it, `make test` proves it; both install what they need on Debian 12. `make help` lists the rest.

# The one list of packages: to build, and to test and check; `make deps` installs what is missing of both. And what only
# pictures and profiles need.
BUILD_PACKAGES := \
  build-essential ccache cmake git lld ninja-build pkg-config python3 \
  libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc \
  libnats-dev libabsl-dev libcli11-dev libyaml-cpp-dev libspdlog-dev libfmt-dev nlohmann-json3-dev libssl-dev libsodium-dev \
  libcivetweb-dev prometheus-cpp-dev
TEST_PACKAGES := \
  libgtest-dev libgmock-dev libsqlite3-dev zlib1g-dev nats-server openssl procps prometheus \
  python3-venv python3-yaml python3-grpcio python3-protobuf \
  clang-format clang-tidy libbenchmark-dev
BENCH_PACKAGES := python3-matplotlib valgrind
DEBIAN_PACKAGES := $(BUILD_PACKAGES) $(TEST_PACKAGES)

# Besides Debian's 2.9, the tests use these nats-servers, built from the Go module proxy where Go is installed.
NATS_SERVER_VERSIONS ?= 2.10.27 2.15.2

# What the charts are tested with, from the Go module proxy too.
HELM_VERSION ?= 4.2.4
KUBECONFORM_VERSION ?= 0.8.0
KUSTOMIZE_VERSION ?= 5.8.1
KUBE_VERSIONS ?= 1.28.15 1.29.14 1.33.13 1.35.4

JOBS ?= $(shell nproc)
FOR ?=
SEEDS ?=
SEED ?=
ONLY ?=
BASE ?=
ARGS ?=

SERVERS := build/nats-servers
TOOLS := build/tools
GO_SERVERS := $(NATS_SERVER_VERSIONS:%=$(SERVERS)/%/nats-server)
empty :=
space := $(empty) $(empty)
# By the shell, each time: what make itself has once not found it does not look for again.
export SLUICE_NATS_SERVERS = $(subst $(space),:,$(strip $(shell PATH="$$PATH:/usr/sbin" command -v nats-server; \
  ls $(addprefix $(CURDIR)/,$(GO_SERVERS)) 2>/dev/null)))
export SEEDS SEED KUBE_VERSIONS
# Unless $HELM names another.
HELM ?= $(CURDIR)/$(TOOLS)/helm
export HELM
export KUBECONFORM = $(CURDIR)/$(TOOLS)/kubeconform
export KUSTOMIZE = $(CURDIR)/$(TOOLS)/kustomize
export KUBE_SCHEMAS = $(CURDIR)/build/kube-schemas
export UBSAN_OPTIONS := print_stacktrace=1:halt_on_error=1

.PHONY: help
help: ## what there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: deps build ## a real nats-server, the daemon and an app in one terminal; Ctrl-C drains. FOR=20s stops by itself
	@./build/release/sluice dev $(if $(FOR),--for $(FOR)) $(ARGS)

.PHONY: test
test: deps servers chart-tools build ## every test. ONLY=regex for some, SEEDS=n or SEED=k for the simulation
	@ctest --test-dir build/release --output-on-failure --no-tests=error -j$(JOBS) $(if $(ONLY),-R '$(ONLY)') $(ARGS)

.PHONY: conformance
conformance: deps servers build ## the scenarios with every SDK. ONLY='drain*' for some, ARGS='--languages go,node'
	@for language in cpp go python node java; do \
	  $(MAKE) --no-print-directory -C client-sdk/$$language driver || echo "no driver for $$language"; done
	@test/conformance/runner.py $(if $(ONLY),--only '$(ONLY)') $(ARGS)

.PHONY: bench
bench: deps servers build bench-natsgo ## what a message costs, beside bare gRPC, cnats and nats.go. ONLY="real drain" for some
	@python3 test/bench/bench.py --build build/release --output build/bench.json $(if $(ONLY),--only $(ONLY)) $(ARGS)
	@$(if $(ONLY),:,$(MAKE) --no-print-directory bench-sdks)

.PHONY: bench-natsgo
bench-natsgo:
	@if command -v go >/dev/null; then go build -C test/bench/natsgo -o $(CURDIR)/build/bench/natsgo .; fi

.PHONY: bench-sdks
bench-sdks: ## a row for each SDK, beside a bare gRPC stream of its language
	@python3 test/bench/sdks.py --output build/bench.json

.PHONY: bench-docs
bench-docs: deps-bench ## the figures and pictures of docs/performance.md, from build/bench.json
	@/usr/bin/python3 test/bench/docs.py

.PHONY: bench-micro
bench-micro: deps build ## single pieces: mailbox, slot table, timers, conversion, tokens, core. ONLY=regex for some
	@./build/release/bench_micro $(if $(ONLY),--benchmark_filter='$(ONLY)') --benchmark_out=build/bench-micro.json --benchmark_out_format=json $(ARGS)

.PHONY: bench-profile
bench-profile: deps-bench build ## where the instructions of a message go, by callgrind. ARGS='--functions 40'
	@python3 test/bench/profile.py $(ARGS)

.PHONY: bench-compare
bench-compare: deps-bench servers build ## this build beside that of BASE=commit, interleaved; ratios. ARGS='--rounds 3'
	@[ -n "$(BASE)" ] || { echo 'bench-compare: say what to compare with: make bench-compare BASE=<commit>'; exit 64; }
	@git worktree prune; [ -d build/compare ] || git worktree add --detach build/compare '$(BASE)' >/dev/null
	@git -C build/compare checkout --quiet --detach $$(git rev-parse '$(BASE)^{commit}')
	@cd build/compare && cmake --preset release --log-level=WARNING 
	@cmake --build build/compare/build/release -j$(JOBS) --target sluice bench_stub_daemon
	@python3 test/bench/compare.py --base build/compare/build/release $(ARGS)

.PHONY: asan
asan: deps servers ## the tests with the address and undefined-behaviour sanitizers. LABEL=core for core and base alone
	@cmake --preset asan-ubsan --log-level=WARNING
	@cmake --build --preset asan-ubsan -j$(JOBS) $(if $(LABEL),--target $(CORE_TESTS))
	@SEEDS=$${SEEDS:-500} ctest --test-dir build/asan-ubsan --output-on-failure --no-tests=error -j$(JOBS) \
	  $(if $(LABEL),-L '^$(LABEL)$$') $(if $(ONLY),-R '$(ONLY)') $(ARGS)

.PHONY: tsan
tsan: deps ## core and base with the thread sanitizer
	@cmake --preset tsan --log-level=WARNING
	@cmake --build --preset tsan -j$(JOBS) --target $(CORE_TESTS)
	@SEEDS=$${SEEDS:-320} ctest --test-dir build/tsan --output-on-failure --no-tests=error -j$(JOBS) -L '^core$$' $(ARGS)

# The programs whose tests have the label "core".
CORE_TESTS := base_test core_test sim_test

.PHONY: build
build: deps ## the release build
	@cmake --preset release --log-level=WARNING
	@cmake --build --preset release -j$(JOBS)

.PHONY: deps
deps: ## install the Debian packages that are missing
	@missing=$$(for package in $(DEBIAN_PACKAGES); do \
	    dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || echo $$package; done); \
	if [ -n "$$missing" ]; then \
	  echo "installing: "$$missing; \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$sudo apt-get update -qq && \
	  $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $$missing >/dev/null; \
	fi

.PHONY: deps-bench
deps-bench: ## the same, with what pictures and profiles need
	@$(MAKE) --no-print-directory deps DEBIAN_PACKAGES='$(DEBIAN_PACKAGES) $(BENCH_PACKAGES)'

.PHONY: charts
charts: deps chart-tools ## what the Helm charts render: lint, strict schemas, golden files, refusals. UPDATE=1 writes the golden files anew
	@python3 test/helm/charts_test.py $(ARGS)

.PHONY: chart-tools
chart-tools: ## helm, kubeconform and the schemas of Kubernetes, where Go is installed
	@if command -v go >/dev/null; then \
	  $(MAKE) --no-print-directory $(TOOLS)/helm $(TOOLS)/kubeconform $(TOOLS)/kustomize && python3 test/helm/schemas.py $(KUBE_SCHEMAS) $(KUBE_VERSIONS); \
	else echo "Go is not installed: the charts are not tested"; [ -z "$$CI" ]; fi

$(TOOLS)/helm:
	@echo "building helm $(HELM_VERSION)"
	@GOBIN=$(CURDIR)/$(TOOLS) go install helm.sh/helm/v4/cmd/helm@v$(HELM_VERSION)

$(TOOLS)/kubeconform:
	@echo "building kubeconform $(KUBECONFORM_VERSION)"
	@GOBIN=$(CURDIR)/$(TOOLS) go install github.com/yannh/kubeconform/cmd/kubeconform@v$(KUBECONFORM_VERSION)

$(TOOLS)/kustomize:
	@echo "building kustomize $(KUSTOMIZE_VERSION)"
	@GOBIN=$(CURDIR)/$(TOOLS) go install sigs.k8s.io/kustomize/kustomize/v5@v$(KUSTOMIZE_VERSION)

.PHONY: storm
storm: deps servers build storm-natsgo ## pods restarted under load, beside nats.go; a table, and build/storm.json. FOR=10m ONLY=native-quick
	@python3 test/storm/storm.py --output build/storm.json $(if $(FOR),--for $(FOR)) $(if $(ONLY),--rows $(ONLY)) $(ARGS)

.PHONY: storm-natsgo
storm-natsgo:
	@if command -v go >/dev/null; then go build -C test/storm/natsgo -o $(CURDIR)/build/storm/natsgo .; fi

.PHONY: cluster-test
cluster-test: GIVEN_HELM = $(filter environment,$(origin HELM))
cluster-test: ## the example chart on the cluster of $$KUBECONFIG, every message accounted for; docs/operations/cluster-test.md
	@$(if $(GIVEN_HELM),:,command -v helm >/dev/null || $(MAKE) --no-print-directory $(TOOLS)/helm)
	@$(if $(GIVEN_HELM),,HELM="$$(command -v helm || echo $(HELM))") python3 test/cluster/cluster.py --output build/cluster.json $(if $(ONLY),--only $(ONLY)) $(ARGS)

.PHONY: deps-build
deps-build: ## the same, only what a build needs
	@$(MAKE) --no-print-directory deps DEBIAN_PACKAGES='$(BUILD_PACKAGES)'

.PHONY: image-build
image-build: TARGET ?= sluice
image-build: ## the program that goes into the image; deploy/docker/Dockerfile does the rest
	@cmake --preset image --log-level=WARNING
	@cmake --build --preset image -j$(JOBS) --target $(TARGET)

.PHONY: servers
servers: ## the nats-servers beside Debian's, where Go is installed
	@if command -v go >/dev/null; then $(MAKE) --no-print-directory $(GO_SERVERS); \
	else echo "Go is not installed: tests run against Debian's nats-server only, not $(NATS_SERVER_VERSIONS)"; [ -z "$$CI" ]; fi

$(SERVERS)/%/nats-server:
	@echo "building nats-server $*"
	@GOBIN=$(CURDIR)/$(@D) go install github.com/nats-io/nats-server/v2@v$*

SOURCES = $(shell git ls-files '*.cc' '*.h')

.PHONY: format
format: ## format the C++ sources
	@clang-format -i $(SOURCES)

.PHONY: lint
lint: deps build ## clang-format and clang-tidy, clean or failed
	@clang-format --dry-run --Werror $(SOURCES)
	@git ls-files 'server/*.cc' 'client-sdk/cpp/*.cc' | grep -v _test.cc | xargs -P $(JOBS) -n 4 clang-tidy --quiet -p build/release

.PHONY: clean
clean: ## remove build/
	@rm -rf build
