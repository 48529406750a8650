# What people do with this tree. `make demo` and `make test` set up what they need.

export CGO_ENABLED = 1
TAGS     = libvirt_dlopen
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BUILD    = go build -trimpath -tags $(TAGS) -ldflags "-X main.version=$(VERSION)"
CACHE   ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/nactl
# setup.sh may have found a Go that is not in PATH
export PATH := $(PATH):/usr/local/go/bin:/usr/lib/go/bin:$(lastword $(sort $(wildcard /usr/lib/go-1.*/bin)))

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: deps build quickstart demo test unit faults lab-test cuts bench-upload conformance deb deb-check lint docs docs-check fmt lab-up lab-down clean

deps: ## bring what a fresh Debian 12 lacks
	sh setup.sh

build: bin/nactl ## bin/nactl

bin/nactl: $(shell find cmd engine inventory modules virt -name '*.go' -o -name '*.sh' -o -name '*.txt') go.mod go.sum
	$(BUILD) -o $@ ./cmd/nactl

quickstart: ## the shortest way to a run: libvirt's built-in test driver, no root
	sh setup.sh --quickstart
	$(MAKE) bin/nactl
	LIBVIRT_DEFAULT_URI=test:///default bin/nactl play playbooks/quickstart.yml

demo: deps bin/nactl ## the tour on a lab of two real nodes, twice
	lab/demo.sh

test: deps unit faults lab-test ## everything, end to end on real guests included

unit:
	go test -race -tags $(TAGS) ./...

faults: ## everything that can go wrong with an engine, in every step
	go test -count=1 -tags $(TAGS),faults -run TestEveryKnobInEveryStep ./cmd/nactl

lab-test: bin/nactl
	lab/with.sh go test -race -count=1 -p 1 -timeout 30m -tags $(TAGS),lab -run TestLab -skip TestLabMigrateCuts ./virt/libvirt ./cmd/nactl

bench-upload: ## dense data into a volume of the lab, against ssh HOST 'cat > FILE'
	lab/with.sh go test -count=1 -timeout 30m -tags $(TAGS),lab -run '^$$' -bench LabUpload -benchtime 3x ./virt/libvirt

cuts: bin/nactl ## moves of VMs that are cut off, at every point of the way
	NACTL_CUTS=all lab/with.sh go test -race -count=1 -timeout 60m -tags $(TAGS),lab -run TestLabMigrateCuts ./virt/libvirt

conformance: ## Ansible and oVirt's own SDK against the simulated engine, and nactl with what they made
	sh setup.sh --conformance
	clients=$$(cmd/nactl/testdata/conformance/setup/venv.sh) && PATH="$$clients:$$PATH" \
		go test -race -count=1 -tags $(TAGS),conformance -run TestConformance ./cmd/nactl

deb: ## the Debian package, bin/nactl_VERSION_ARCH.deb
	@cmd/debian/build.sh bin

deb-check: deps ## the package in a clean Debian 12 of its own, where it plays
	package=$$(cmd/debian/build.sh bin) && cmd/debian/check.sh "$$package"

lint:
	@files=$$(gofmt -l cmd engine inventory modules virt); test -z "$$files" || { echo "not as gofmt writes it: $$files" >&2; exit 1; }
	go vet -tags $(TAGS) ./...
	go vet -tags $(TAGS),lab,conformance,faults ./virt/... ./cmd/...
	GOBIN=$(CACHE)/tools sh -c 'test -x "$$GOBIN/staticcheck" || go install $(STATICCHECK)'
	$(CACHE)/tools/staticcheck -tags $(TAGS),lab,conformance,faults ./...

docs: bin/nactl ## the pages of steps and rules and the schemas, from the code
	bin/nactl write-docs docs

docs-check: docs
	@git diff --exit-code --stat -- docs/modules docs/schema docs/rules.md docs/language.md docs/ansible.md docs/configuration.md || { echo "docs is stale: commit what make docs wrote" >&2; exit 1; }

fmt:
	gofmt -w cmd engine inventory modules virt

lab-up: deps
	lab/lab up

lab-down:
	lab/lab down

clean:
	rm -rf bin
