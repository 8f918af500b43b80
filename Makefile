# methodgate: `make run` to try it, `make check` to test it, `make install`.
# GNU make. Honoured: CC CPPFLAGS CFLAGS LDFLAGS LTO WERROR DESTDIR PREFIX
# BUILD.

VERSION = 0.1.0
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system
SYSUSERSDIR ?= /usr/lib/sysusers.d
BUILD ?= build
JOBS ?= $(shell nproc)
CFLAGS ?= -O2 -g
# Modules call each other a lot: across them, too, calls may be inlined.
LTO ?= -flto=auto
LTO_AR = $(if $(LTO),gcc-ar,$(AR))
# An error in development; packagers may set it empty.
WERROR ?= -Werror
FUZZ_SECONDS ?= 60
FUZZ_TARGET ?=

WARNINGS = -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes \
    -Wmissing-prototypes -Wold-style-definition -Wundef -Wwrite-strings \
    -Wformat=2 -Wvla -Wnull-dereference $(WERROR)
HARDEN = -fPIE -fstack-protector-strong -fstack-clash-protection \
    $(if $(filter x86_64,$(MACHINE)),-fcf-protection)
HARDEN_LD = -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack
SANITIZE = -fsanitize=address,undefined -fno-sanitize-recover=all \
    -fno-omit-frame-pointer
MACHINE := $(shell uname -m)

# Asked for when first needed: `make deps` may have to install pkg-config.
PKGS = libevent_core libevent_extra libevent_openssl inih libssl libcrypto
PKG_CFLAGS = $(shell pkg-config --cflags $(PKGS))
PKG_LIBS = $(shell pkg-config --libs $(PKGS))
CHECK_CFLAGS = $(shell pkg-config --cflags check)
CHECK_LIBS = $(shell pkg-config --libs check)

COMMON = -std=c11 -D_GNU_SOURCE -DMETHODGATE_VERSION='"$(VERSION)"' -Isrc \
    $(PKG_CFLAGS) $(WARNINGS) -MMD -MP
RELEASE = $(COMMON) -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 $(HARDEN) \
    $(CPPFLAGS) $(CFLAGS) $(LTO)
ASAN = $(COMMON) -O1 -g $(SANITIZE)
THREADS = -fsanitize=thread -fno-omit-frame-pointer
TSAN = $(COMMON) -O1 -g $(THREADS)
FUZZ = $(COMMON) -O1 -g $(SANITIZE) -fsanitize=fuzzer-no-link
FUZZ_CC = clang-14

SRC = $(wildcard src/*.c)
TESTS = $(wildcard tests/unit/test_*.c)
FAKES = $(filter-out $(TESTS),$(wildcard tests/unit/*.c))
FUZZERS = $(wildcard tests/fuzz/fuzz_*.c)
BENCHES = $(wildcard tests/bench/bench_*.c)

unit_programs = $(TESTS:tests/unit/%.c=$(BUILD)/asan/unit/%)
fuzz_programs = $(FUZZERS:tests/fuzz/%.c=$(BUILD)/fuzz/%)
bench_programs = $(BENCHES:tests/bench/%.c=$(BUILD)/bench/%)
# $(call objects,FLAVOUR): all but main, which no test may link.
objects = $(patsubst src/%.c,$(BUILD)/$(1)/%.o,$(filter-out src/main.c,$(SRC)))
# Only changed members would leave those of deleted files behind.
archive = @rm -f $@ && $(LTO_AR) rcs $@ $^
# V=1 shows whole commands.
say = $(if $(V),,@echo '  $(1)	$@'; )
# Calls of ourselves run jobs in parallel, unless -j was given.
SUB = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))

.PHONY: all asan tsan run check unit-programs fuzz-programs bench-programs fuzz \
    bench fmt tidy install deps clean
.SECONDARY:
.DELETE_ON_ERROR:

all: $(BUILD)/methodgate
asan: $(BUILD)/asan/methodgate
tsan: $(BUILD)/tsan/methodgate
unit-programs: $(unit_programs)
fuzz-programs: $(fuzz_programs)
bench-programs: $(bench_programs)

$(BUILD)/methodgate: $(BUILD)/release/main.o $(BUILD)/release/libmethodgate.a
	$(call say,LD)$(CC) $(HARDEN_LD) $(CFLAGS) $(LTO) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/asan/methodgate: $(BUILD)/asan/main.o $(BUILD)/asan/libmethodgate.a
	$(call say,LD)$(CC) $(SANITIZE) -o $@ $^ $(PKG_LIBS)

$(BUILD)/tsan/methodgate: $(BUILD)/tsan/main.o $(BUILD)/tsan/libmethodgate.a
	$(call say,LD)$(CC) $(THREADS) -o $@ $^ $(PKG_LIBS)

$(BUILD)/release/libmethodgate.a: $(call objects,release)
	$(archive)
$(BUILD)/asan/libmethodgate.a: $(call objects,asan)
	$(archive)
$(BUILD)/tsan/libmethodgate.a: $(call objects,tsan)
	$(archive)
$(BUILD)/fuzz/libmethodgate.a: $(call objects,fuzz)
	$(archive)
$(BUILD)/asan/unit/libfakes.a: $(FAKES:tests/unit/%.c=$(BUILD)/asan/unit/%.o)
	$(archive)

$(BUILD)/release/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(RELEASE) -c -o $@ $<

$(BUILD)/asan/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ASAN) -c -o $@ $<

$(BUILD)/tsan/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(TSAN) -c -o $@ $<

$(BUILD)/asan/unit/%.o: tests/unit/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ASAN) $(CHECK_CFLAGS) -c -o $@ $<

$(BUILD)/asan/unit/%: $(BUILD)/asan/unit/%.o $(BUILD)/asan/unit/libfakes.a \
    $(BUILD)/asan/libmethodgate.a
	$(call say,LD)$(CC) $(SANITIZE) -o $@ $^ $(CHECK_LIBS) $(PKG_LIBS)

$(BUILD)/fuzz/%.o: src/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(FUZZ_CC) $(FUZZ) -c -o $@ $<

$(BUILD)/fuzz/%.o: tests/fuzz/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(FUZZ_CC) $(FUZZ) -c -o $@ $<

$(BUILD)/fuzz/fuzz_%: $(BUILD)/fuzz/fuzz_%.o $(BUILD)/fuzz/libmethodgate.a
	$(call say,LD)$(FUZZ_CC) $(SANITIZE) -fsanitize=fuzzer -o $@ $^ $(PKG_LIBS)

$(BUILD)/bench/%.o: tests/bench/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(RELEASE) -c -o $@ $<

$(BUILD)/bench/bench_%: $(BUILD)/bench/bench_%.o $(BUILD)/release/libmethodgate.a
	$(call say,LD)$(CC) $(HARDEN_LD) $(CFLAGS) $(LTO) $(LDFLAGS) -o $@ $^ $(PKG_LIBS)

-include $(wildcard $(BUILD)/*/*.d $(BUILD)/*/*/*.d)

run:
	@tools/deps build run
	+@$(SUB) all
	@exec sh tools/demo $(BUILD)/methodgate

# Each part runs whatever became of the others; the last line has the sum.
check:
	@tools/deps build check
	+@BUILD='$(BUILD)' SUBMAKE='$(SUB)' sh tests/run

# make fuzz FUZZ_SECONDS=600 FUZZ_TARGET=h1_head; without a target, all of them
fuzz:
	@tools/deps build check
	+@BUILD='$(BUILD)' SUBMAKE='$(SUB)' \
	    sh tests/fuzz/run -s '$(FUZZ_SECONDS)' $(FUZZ_TARGET)

# The cost of a decision, then CPU per request beside nginx.
$(BUILD)/bench/origin $(BUILD)/bench/relay: $(BUILD)/bench/%: tests/bench/%.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -O2 -std=c11 -D_GNU_SOURCE $(WARNINGS) -o $@ $<

bench:
	@tools/deps build bench
	+@$(SUB) all bench-programs $(BUILD)/bench/origin $(BUILD)/bench/relay
	@for program in $(bench_programs); do $$program || exit 1; done
	@BUILD='$(BUILD)' tests/bench/run $(BENCH_ARGS)

fmt:
	@tools/deps dev
	clang-format-14 -style=file -i $(wildcard src/*.[ch] tests/*/*.[ch])

tidy:
	@tools/deps build dev
	clang-tidy-14 --quiet --warnings-as-errors='*' \
	    --checks='-*,bugprone-*,clang-analyzer-*,cert-*,$(TIDY_OFF)' \
	    $(SRC) -- -std=c11 -D_GNU_SOURCE -DMETHODGATE_VERSION='""' -Isrc
TIDY_OFF = -bugprone-easily-swappable-parameters,-cert-err33-c,$\
    -clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,$\
    -clang-analyzer-valist.Uninitialized,-bugprone-reserved-identifier,-cert-dcl37-c,-cert-dcl51-cpp

# A configuration that is already there is never touched.
install: all
	install -D -m 755 $(BUILD)/methodgate \
	    $(DESTDIR)$(PREFIX)/sbin/methodgate
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 man/*.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 man/*.5
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/methodgate/examples \
	    conf/methodgate.ini
	install -D -m 644 -t \
	    $(DESTDIR)$(PREFIX)/share/doc/methodgate/examples/sites \
	    conf/sites/*.ini
	install -d -m 755 $(DESTDIR)$(SYSCONFDIR)/methodgate/sites
	test -e $(DESTDIR)$(SYSCONFDIR)/methodgate/methodgate.ini || \
	    install -m 644 -t $(DESTDIR)$(SYSCONFDIR)/methodgate \
	    conf/methodgate.ini
	install -d -m 755 $(DESTDIR)$(UNITDIR)
	sed 's|/usr/sbin/|$(PREFIX)/sbin/|' \
	    packaging/systemd/methodgate@.service \
	    >$(DESTDIR)$(UNITDIR)/methodgate@.service
	chmod 644 $(DESTDIR)$(UNITDIR)/methodgate@.service
	install -D -m 644 packaging/systemd/methodgate.sysusers \
	    $(DESTDIR)$(SYSUSERSDIR)/methodgate.conf
	@test -n "$(DESTDIR)" || ! command -v systemd-sysusers >/dev/null || \
	    systemd-sysusers methodgate.conf

deps:
	@tools/deps build run check bench dev

clean:
	rm -rf $(BUILD)/methodgate $(BUILD)/release $(BUILD)/asan \
	    $(BUILD)/tsan \
	    $(BUILD)/fuzz $(BUILD)/coverage $(BUILD)/check $(BUILD)/bench
