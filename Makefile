# The commands of the project. `make help` lists them.

GO      ?= go
BIN     := bin
OUT     ?= out/reproduce
FUZZTIME ?= 10s
SCRIPTS ?= 20
TIMES   ?= 1
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# Printed by `smartinco version` and written into every record.
LDFLAGS := -s -w -X main.version=$(VERSION)
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)'
# Pinned, and fetched through the module proxy: lint finds the same things on every machine.
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2

DOCA_RELEASES := 207 209 210 300 301 302 303

.PHONY: help build reproduce compare offload systems optimize study lab theory test race bench bench-peers lint fuzz \
	standin docalab doca flower programs oracle cross bluefield clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-11s %s\n", $$1, $$2}' Makefile

build: ## bin/smartinco for this machine
	$(BUILD) -o $(BIN)/smartinco ./cmd/smartinco

reproduce: build ## run the scenarios of figures 6 to 10 and draw them beside the published numbers
	$(BIN)/smartinco reproduce -o $(OUT)

theory: build ## hold the simulator against queueing theory and published packet counts
	$(BIN)/smartinco theory

compare: build ## all scheduling policies on three loads, for docs/comparison.md (3 minutes, 7 GB)
	scenarios/compare/run.sh $(BIN)/smartinco out/compare fig9 agh capture

offload: build ## scaling policies with offload and without, for docs/comparison.md (5 seconds)
	scenarios/compare/run.sh $(BIN)/smartinco out/compare scaling vertical

systems: build ## what is said of Horus, RingLeader and others against runs, for docs/systems.md (10 minutes)
	scenarios/systems/run.sh $(BIN)/smartinco out/systems

optimize: build ## the best scheduler, limit and target on five kinds of traffic, for docs/studies.md (15 minutes)
	study/examples/optimize/run.sh $(BIN)/smartinco out/optimize

# Resumes what an earlier program of the same version began.
study: build ## docs/study.md anew: who wins where, of all policies on five traffics (13 minutes of CPU time)
	$(BIN)/smartinco study scenarios/study -o out/study --report out/study.md --figures out/img
	cp out/study.md docs/
	cp out/img/study-*.png docs/img/

lab: build ## figures 6 to 10, and each family's policies, on real parts here (root, Open vSwitch, Docker; 25 minutes)
	hw/lab/figures.sh $(BIN)/smartinco out/lab
	hw/lab/families.sh $(BIN)/smartinco out/lab

# The go command is silent about what a passing package skipped.
test: ## all tests, with what was skipped and why
	@$(GO) test -v ./... 2>&1 | awk -f .ci/test.awk

# The detector makes a test some ten times slower and needs each path once, so there are fewer random scenarios.
race: ## all tests under the race detector, with fewer random scenarios (needs a C compiler)
	$(GO) test -race -short -timeout 30m ./...

bench: ## all benchmarks, in the format that benchstat reads
	$(GO) test -run '^$$' -bench . -benchmem -count 3 ./...

bench-peers: ## the packet engine and ns-3's event core by turns, on the same work (Debian: libns3-dev, g++)
	$(GO) test -run '^$$' -cpu 1 -bench Peers -benchtime 9x -v ./sim/packet

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "not formatted by gofmt:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(STATICCHECK) ./...

# A fuzz target is run by the go command one at a time and one package at a time.
fuzz: ## each fuzz target for FUZZTIME (10s)
	@grep -rE --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | sort | while IFS=: read -r file decl; do \
		echo "fuzz $${decl#func } in $$(dirname $$file)"; \
		$(GO) test -run '^$$' -fuzz "^$${decl#func }\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s \
			$$(dirname $$file) || exit 1; \
	done

# A program with the stand-in for DOCA Flow, static, since the lab's instances are made of it too.
STANDIN := CGO_ENABLED=1 CGO_CFLAGS='-g -O2' $(GO) build -trimpath -tags doca,standin,netgo,osusergo \
	-ldflags '$(LDFLAGS) -linkmode external -extldflags -static'

standin: ## bin/smartinco-standin: with the stand-in for DOCA Flow, for a lab without a card (needs a C compiler)
	$(STANDIN) -o $(BIN)/smartinco-standin ./cmd/smartinco

docalab: standin ## figure 9 in the lab on Open vSwitch and on the stand-in for DOCA Flow, compared (8 minutes)
	hw/lab/doca.sh $(BIN)/smartinco-standin out/docalab

# -asan needs gcc or clang with its runtime. One of the releases does two million moves and a million rules.
doca: ## the DOCA driver on the stand-in for the SDK, as each release from 2.7 to 3.3
	@for r in $(DOCA_RELEASES); do \
		echo "DOCA $$((r / 100)).$$((r % 100))"; \
		if [ $$r = 300 ]; then export DOCA_FULL=1; else unset DOCA_FULL; fi; \
		CGO_CFLAGS="-g -O2 -DSTANDIN_RELEASE=$$r" $(GO) test -asan -tags doca,standin ./hw/doca || exit 1; \
	done
	CGO_CFLAGS="-g -O2" $(GO) vet -tags doca,standin ./hw/doca
	CGO_CFLAGS="-g -O2" $(STATICCHECK) -tags doca,standin ./hw/doca
	@echo "and built as with the SDK, which is found by pkg-config"
	mkdir -p $(BIN)
	$(CC) -std=gnu11 -Ihw/standins/doca/include -c hw/standins/doca/src/standin.c -o $(BIN)/standin.o
	ar rcs $(BIN)/libstandin.a $(BIN)/standin.o
	PKG_CONFIG=$(CURDIR)/hw/standins/doca/pkg-config CGO_ENABLED=1 \
		$(GO) build -tags doca -o $(BIN)/smartinco-doca ./cmd/smartinco
	$(BIN)/smartinco-doca version

flower: ## the tc flower driver on a kernel that has it: that of Debian's package user-mode-linux
	CGO_ENABLED=0 $(GO) test -c -o $(BIN)/tc.test ./hw/tc
	hw/tc/uml.sh $(BIN)/tc.test -test.run Kernel -test.v

# What cannot be had is skipped, and said to be. The random scripts are the same each time.
programs: ## policies beside what they come from: HAProxy and IPVS (Debian: haproxy, user-mode-linux, kmod)
	$(GO) test ./orchestrator/scheduler/haproxy -run Live -parallel 8 -v -program haproxy -scripts $(SCRIPTS)
	CGO_ENABLED=0 $(GO) test -c -o $(BIN)/ipvs.test ./orchestrator/scheduler/ipvs
	@if command -v linux.uml >/dev/null; then \
		hw/tc/uml.sh $(BIN)/ipvs.test -test.run Live -test.v -kernel -scripts $(SCRIPTS); \
	else echo "IPVS is skipped: no linux.uml, of the package user-mode-linux"; fi

# A module of its own, whose modules are fetched: the first time takes some minutes. TIMES=10 is ten times the cases.
oracle: ## policies beside the Go programs that they come from, linked in: Kubernetes, Knative, KEDA, Nomad
	cd oracle && $(GO) vet ./... && $(STATICCHECK) ./... && $(GO) test -timeout 30m -v ./... -times $(TIMES)

cross: ## static binaries for linux/amd64 and linux/arm64
	GOOS=linux GOARCH=amd64 $(BUILD) -o $(BIN)/smartinco-linux-amd64 ./cmd/smartinco
	GOOS=linux GOARCH=arm64 $(BUILD) -o $(BIN)/smartinco-linux-arm64 ./cmd/smartinco

# Debian's version numbers begin with a digit and know no dash.
bluefield: cross ## the Debian package for the ARM cores of a BlueField, without DOCA (needs dpkg-deb)
	rm -rf $(BIN)/deb && mkdir -p $(BIN)/deb/DEBIAN
	install -D -m 755 $(BIN)/smartinco-linux-arm64 $(BIN)/deb/usr/bin/smartinco
	install -D -m 755 hw/bluefield/health $(BIN)/deb/usr/lib/smartinco/health
	install -D -m 644 hw/bluefield/smartinco@.service $(BIN)/deb/lib/systemd/system/smartinco@.service
	install -D -m 644 hw/bluefield/testbed.yaml $(BIN)/deb/etc/smartinco/testbed.yaml
	install -D -m 644 hw/bluefield/60-smartinco.conf $(BIN)/deb/etc/sysctl.d/60-smartinco.conf
	install -D -m 644 hw/bluefield/smartinco.logrotate $(BIN)/deb/etc/logrotate.d/smartinco
	install -D -m 644 -t $(BIN)/deb/usr/share/doc/smartinco LICENSE NOTICE \
		docs/hardware.md docs/testbed.md docs/scenarios.md
	sed 's/@VERSION@/0~$(subst -,.,$(VERSION))/' hw/bluefield/control > $(BIN)/deb/DEBIAN/control
	install -m 644 -t $(BIN)/deb/DEBIAN hw/bluefield/conffiles
	install -m 755 -t $(BIN)/deb/DEBIAN hw/bluefield/postinst
	dpkg-deb --root-owner-group --build $(BIN)/deb $(BIN)/smartinco-bluefield-arm64.deb

clean: ## remove what the other targets made
	rm -rf $(BIN) out
