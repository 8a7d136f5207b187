# SPDX-License-Identifier: LGPL-2.1-or-later
MAKEFLAGS += --no-print-directory
BUILD ?= build
override BUILD := $(abspath $(BUILD))
export BUILD

# make install
PREFIX ?= /usr/local
DESTDIR ?=
INCLUDEDIR ?= $(PREFIX)/include
LIBDIR ?= $(PREFIX)/lib
BINDIR ?= $(PREFIX)/bin
UDEVDIR ?= /usr/lib/udev/rules.d
UNITDIR ?= /usr/lib/systemd/system
SHAREDIR ?= $(PREFIX)/share/hft
KVER ?= $(shell uname -r)

# make check
KERNELS ?= 6.1 6.1-rt 6.12 6.12-rt

DEPS := babeltrace2 bc binutils bison busybox-static ca-certificates cpio curl dwarves file flex g++ gcc gcovr \
	gnuplot-nox gzip kmod libc6-dev libcmocka-dev libelf-dev libglib2.0-dev libhwloc-dev \
	libjansson-dev libmicrohttpd-dev libssl-dev libsystemd-dev libtbb-dev libtraceevent-dev \
	liburing-dev libzstd-dev linux-source-6.1 lz4 make patchelf perl pkg-config python3 \
	qemu-system-x86 rt-tests sparse util-linux xz-utils zlib1g-dev $(EXTRA_DEPS)

.DEFAULT_GOAL := all
.PHONY: all help deps require module samples lib tools selftests demo check check-debug \
	coverage bench fuzz docs install uninstall clean

all: module lib tools	## build hft.ko, libhft and the tools into build/

deps:			## install what the other targets need, by apt only
	@command -v apt-get >/dev/null || { echo "deps: no apt-get: this needs Debian 12" >&2; exit 1; }
	@sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; \
	missing=$$(for p in $(DEPS); do \
		dpkg-query -W -f '$${Status}\n' $$p 2>/dev/null | grep -q '^install ok installed' || \
			echo $$p; \
	done); \
	if [ -n "$$missing" ] || [ -z "$$(apt-cache pkgnames linux-headers-6.12.)" ]; then \
		[ -z "$$missing" ] || echo "deps: installing" $$missing; \
		$$sudo apt-get -qq update; \
	fi; \
	[ -z "$$missing" ] || $$sudo env DEBIAN_FRONTEND=noninteractive \
		apt-get -qq install -y --no-install-recommends $$missing >/dev/null || \
		{ echo "deps: apt-get could not install:" $$missing >&2; exit 1; }

# KERNEL=6.12-rt, or another name that tools/vm/fetch-kernel knows, builds for that one.
module:			## hft.ko for the running kernel, or KERNEL=6.1, 6.12-rt, ...
ifneq ($(KERNEL),)
	tools/vm/build-module $(KERNEL)
else ifneq ($(wildcard /lib/modules/$(KVER)/build/Makefile),)
	$(MAKE) -C kmod KDIR=/lib/modules/$(KVER)/build NAME=$(KVER)
else
	@echo "module: no headers of the running kernel $(KVER): building for Debian's 6.12;" \
		"for this machine install linux-headers-$(KVER)"
	tools/vm/build-module 6.12
endif

HEADERS := liburing.h jansson.h zlib.h zstd.h hwloc.h microhttpd.h openssl/evp.h \
	traceevent/event-parse.h systemd/sd-daemon.h
selftests: HEADERS += cmocka.h

require:
	@command -v $(CC) >/dev/null || { echo "no compiler $(CC): run 'make deps'" >&2; exit 1; }
	@for header in $(HEADERS); do \
		printf '#include <%s>\n' stdarg.h stddef.h stdint.h setjmp.h $$header | \
			$(CC) -E - >/dev/null 2>&1 || \
			{ echo "$$header is missing: run 'make deps'" >&2; exit 1; }; \
	done

samples:		## the sample drivers of kmod/samples with hft.ko, for KERNEL=6.1, 6.12-rt, ...
	tools/vm/build-module $(or $(KERNEL),6.12)

lib: require		## libhft.so and libhft.a
	$(MAKE) -C libhft

tools: lib		## hftctl, hft-latency, ...
	$(MAKE) -C tools

selftests: lib		## build the tests, for this machine and for the VM
	$(MAKE) -C selftests

demo: deps lib tools	## replay a burst of market data in a VM; FEED=file SPEED=factor
	@FEED="$(FEED)" SPEED="$(SPEED)" tools/hft-demo/demo.sh

check: deps		## every test, in VMs with KERNELS="6.1 6.12-rt"; CHECK_OPTS=--again
	tools/vm/check $(CHECK_OPTS) --kernels "$(KERNELS)"

check-debug: deps	## the tests, fault injection and a leak scan on the debug kernel
	tools/vm/check $(CHECK_OPTS) --no-host --kernels debug

coverage: deps		## line coverage of kmod (in the VM) and of the host-tested code
	tools/vm/coverage

# What the figures are set against.  DPDK alone is 150 MB, which nothing else needs.
bench: DEPS += libck-dev libconcurrentqueue-dev libdpdk-dev liblttng-ust-dev libspdlog-dev \
	lttng-tools valgrind
bench: deps lib tools	## the figures, into build/bench.json; ONLY=name for one
	ONLY="$(ONLY)" tools/hft-bench/bench.sh

# In seconds, of all fuzzers together.
FUZZ_TIME ?= 1800

fuzz: DEPS += clang libclang-rt-14-dev
fuzz: deps		## all readers of files with libFuzzer, for FUZZ_TIME=1800 seconds
	$(MAKE) -C selftests/fuzz run FUZZ_TIME=$(FUZZ_TIME)
	@echo "make -C selftests/fuzz keep BUILD=$(BUILD) adds what is new to the corpus"

docs:			## Documentation/ and the kernel-doc comments as HTML
	$(MAKE) -C Documentation

install: all		## into PREFIX; DESTDIR, KVER
	$(MAKE) -C libhft install PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) LIBDIR=$(LIBDIR) \
		INCLUDEDIR=$(INCLUDEDIR)
	install -D -m 0644 -t $(DESTDIR)$(INCLUDEDIR)/linux uapi/linux/hft.h
	install -d $(DESTDIR)$(BINDIR)
	find $(BUILD)/tools -maxdepth 1 -type f -perm -u+x \
		-exec install -m 0755 -t $(DESTDIR)$(BINDIR) {} +
	install -D -m 0644 -t $(DESTDIR)$(UDEVDIR) tools/udev/60-hft.rules
	install -D -m 0644 -t $(DESTDIR)$(SHAREDIR) tools/hft-exporter/alerts.yml \
		tools/hft-exporter/dashboard.json
	install -d $(DESTDIR)$(UNITDIR)
	sed -e 's|@BINDIR@|$(BINDIR)|' tools/hft-exporter/hft-exporter.service.in \
		>$(DESTDIR)$(UNITDIR)/hft-exporter.service
	@if [ -e $(BUILD)/kmod/$(KVER)/hft.ko ]; then \
		install -D -m 0644 -t $(DESTDIR)/lib/modules/$(KVER)/updates \
			$(BUILD)/kmod/$(KVER)/hft.ko; \
	else \
		echo "install: hft.ko is not built for $(KVER): install linux-headers-$(KVER)" \
			"and run make" >&2; \
	fi
ifeq ($(DESTDIR),)
	groupadd --system --force hft
	ldconfig
	! command -v depmod >/dev/null || [ ! -d /lib/modules/$(KVER) ] || depmod $(KVER)
	! command -v udevadm >/dev/null || udevadm control --reload 2>/dev/null || :
	! command -v systemctl >/dev/null || systemctl daemon-reload 2>/dev/null || :
endif

uninstall:		## what install put there; the group hft stays
	$(MAKE) -C libhft uninstall PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) LIBDIR=$(LIBDIR) \
		INCLUDEDIR=$(INCLUDEDIR)
	rm -f $(DESTDIR)$(INCLUDEDIR)/linux/hft.h $(DESTDIR)$(UDEVDIR)/60-hft.rules
	rm -f $(DESTDIR)$(UNITDIR)/hft-exporter.service
	rm -f $(addprefix $(DESTDIR)$(SHAREDIR)/,alerts.yml dashboard.json)
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,$(filter-out common,$(notdir $(patsubst %/,%,$(dir \
		$(wildcard tools/*/*.c))))))
	rm -f $(DESTDIR)/lib/modules/$(KVER)/updates/hft.ko
	for dir in $(INCLUDEDIR)/linux $(SHAREDIR) /lib/modules/$(KVER)/updates; do \
		[ ! -d $(DESTDIR)$$dir ] || rmdir --ignore-fail-on-non-empty $(DESTDIR)$$dir; \
	done
ifeq ($(DESTDIR),)
	! command -v depmod >/dev/null || [ ! -d /lib/modules/$(KVER) ] || depmod $(KVER)
	ldconfig
endif

clean:			## remove build/; the kernels in ~/.cache/hft stay
	rm -rf $(BUILD)

help:			## this text
	@echo "Targets:"
	@sed -nE 's/^([a-z-]+):.*## (.*)$$/  \1|\2/p' Makefile | while IFS='|' read -r target text; do \
		printf '  %-14s %s\n' $$target "$$text"; done
	@echo "Variables: BUILD=$(BUILD) PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)"
	@echo "  KERNELS=\"$(KERNELS)\" HFT_TEST_DATA=$(HFT_TEST_DATA)"
	@echo "  HFT_CACHE=$${HFT_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/hft} (kernels, QEMU)"
