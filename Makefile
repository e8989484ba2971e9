# SPDX-License-Identifier: GPL-2.0-or-later
#
# make            build segd and segctl            (no root)
# make check-unit unit, golden and fuzz-corpus tests, also under sanitizers (no root)
# make check      everything, on real packets too  (root: installs what is missing)
# make bench      throughput, loading, events, revocation and resync beside rivals (root)
# make check-soak 200 changes and a foreign hand for minutes, under traffic  (root)
# make check-boot segd on a Debian that boots, in systemd-nspawn  (root, systemd-container, mmdebstrap)
# make check-kernel packets on Debian 12's own kernel, emulated: 6 to 9 minutes  (root, x86_64: installs qemu)
# make demo       segd at work between namespaces  (root: installs what is missing)
# make install    PREFIX and DESTDIR are honoured; /etc/segd is filled only where it is empty
# make uninstall  the same files out again; /etc/segd and /var/lib/segd stay
#
# Sources are found by folder: a new .c file needs no line here.

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
BUILD      ?= build
CC         ?= gcc
VERSION    := 0.1.0

sbindir  := $(PREFIX)/sbin
bindir   := $(PREFIX)/bin
mandir   := $(PREFIX)/share/man
docdir   := $(PREFIX)/share/doc/segd
localedir := $(PREFIX)/share/locale
completiondir := $(PREFIX)/share/bash-completion/completions
unitdir  := $(PREFIX)/lib/systemd/system
confdir  := $(SYSCONFDIR)/segd

WARNINGS  := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
HARDENING ?= -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
HARDENING_LDFLAGS ?= -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed
PKG_LIB    := libfyaml jansson
PKG_DAEMON := libnftnl libmnl libnetfilter_conntrack libnetfilter_log libevent_core libevent_extra sqlite3 libsystemd libcap-ng libseccomp
PKG_CFLAGS  = $(shell pkg-config --cflags $(PKG_LIB) $(PKG_DAEMON) 2>/dev/null)

CFLAGS   ?= -g
ALL_CFLAGS = -std=gnu11 $(WARNINGS) $(HARDENING) $(CFLAGS) -Ilib -Idaemon -D_GNU_SOURCE \
	     -DSEG_VERSION='"$(VERSION)"' -DSEG_SYSCONFDIR='"$(SYSCONFDIR)"' -DSEG_LOCALEDIR='"$(localedir)"' \
	     $(PKG_CFLAGS) -MMD -MP
LIBS_LIB    = $(shell pkg-config --libs $(PKG_LIB))
LIBS_DAEMON = $(shell pkg-config --libs $(PKG_DAEMON))

LIB_SRC    := $(wildcard lib/*/*.c)
DAEMON_SRC := $(wildcard daemon/*.c daemon/*/*.c)
SEGCTL_SRC := $(wildcard segctl/*.c)
UNIT_SRC   := $(wildcard tests/unit/test_*.c)
FUZZ       := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))

# Objects live apart: a program may bear the name of a folder (segctl).
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIB_OBJ    := $(call obj,$(LIB_SRC))
DAEMON_OBJ := $(call obj,$(filter-out daemon/main.c,$(DAEMON_SRC)))
UNIT_BIN   := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))

MO         := $(patsubst po/%.po,$(BUILD)/locale/%/LC_MESSAGES/segd.mo,$(wildcard po/*.po))
UNITS      := $(wildcard systemd/*.service systemd/*.socket systemd/*.target)
MAN        := $(wildcard man/*.[1-8])
EXAMPLES   := $(wildcard conf/*.yaml conf/*.yml conf/*.json conf/examples/*.yaml conf/examples/*.tsv)

.PHONY: all check check-unit check-floors check-ja po lint demo deps install uninstall clean
.PHONY: bench check-boot check-fuzz check-golden check-golden-ja check-kernel check-sanitize run-unit run-replay
.DELETE_ON_ERROR:

all: $(BUILD)/segd $(BUILD)/segctl $(MO)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@

# Archives made anew, so that a source that is gone leaves no object behind.
$(BUILD)/libseg.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^
$(BUILD)/libsegd.a: $(DAEMON_OBJ)
	@mkdir -p $(@D) && rm -f $@
	ar rcs $@ $^

$(BUILD)/segd: $(BUILD)/obj/daemon/main.o $(BUILD)/libsegd.a $(BUILD)/libseg.a
	$(CC) $(HARDENING_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_DAEMON) $(LIBS_LIB)

# A daemon that asks the kernel for an owner of the table that none gives: it lives as on a kernel before 6.9.
$(BUILD)/obj/plain/%.o: daemon/kernel/%.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DNFT_TABLE_F_KEPT=0x82 -c $< -o $@
$(BUILD)/plain/segd: $(BUILD)/obj/daemon/main.o $(BUILD)/obj/plain/nft_own.o $(BUILD)/libsegd.a $(BUILD)/libseg.a
	@mkdir -p $(@D)
	$(CC) $(HARDENING_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_DAEMON) $(LIBS_LIB)
# The messages that have values, for segctl/english.c.
$(BUILD)/messages.c: $(BUILD)/segd.pot
	@{ echo '#include "english.h"'; echo 'const char *const segctl_messages[] = {'; \
		sed -n 's/^msgid \(".*%.*"\)$$/\t\1,/p' $<; echo '	NULL};'; } > $@
$(BUILD)/obj/messages.o: $(BUILD)/messages.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -Isegctl -c $< -o $@
$(BUILD)/segctl: $(call obj,$(SEGCTL_SRC)) $(BUILD)/obj/messages.o $(BUILD)/libseg.a
	$(CC) $(HARDENING_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_LIB)

# Each tests/unit/test_NAME.c is a program on check, linked with everything but main.
$(BUILD)/unit/%: $(BUILD)/obj/tests/unit/%.o $(BUILD)/libsegd.a $(BUILD)/libseg.a
	@mkdir -p $(@D)
	$(CC) $(HARDENING_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_DAEMON) $(LIBS_LIB) $(shell pkg-config --libs check)

# Each tests/fuzz/fuzz_NAME.c, with a main that feeds it the files of its corpus; any compiler.
$(BUILD)/replay/%: $(BUILD)/obj/tests/fuzz/fuzz_%.o $(BUILD)/obj/tests/fuzz/replay.o $(BUILD)/libsegd.a $(BUILD)/libseg.a
	@mkdir -p $(@D)
	$(CC) $(HARDENING_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_DAEMON) $(LIBS_LIB)

# The same with libFuzzer, to search: build/fuzz/addr -max_total_time=60 /tmp/found tests/fuzz/corpus/addr
SANITIZE := -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
CLANG_BUILD := $(BUILD)/clang
$(BUILD)/fuzz/%: tests/fuzz/fuzz_%.c $(LIB_SRC) $(DAEMON_SRC)
	@mkdir -p $(@D)
	$(MAKE) CC=clang BUILD=$(CLANG_BUILD) HARDENING=-O1 CFLAGS='$(SANITIZE) -fsanitize=fuzzer-no-link' \
		$(addprefix $(CLANG_BUILD)/,obj/tests/fuzz/fuzz_$*.o libsegd.a libseg.a)
	clang $(SANITIZE) -fsanitize=fuzzer -o $@ \
		$(addprefix $(CLANG_BUILD)/,obj/tests/fuzz/fuzz_$*.o libsegd.a libseg.a) $(LIBS_DAEMON) $(LIBS_LIB)

.SECONDARY: # objects of tests are kept, so that a second run builds nothing

check-unit: run-unit check-golden check-golden-ja check-sanitize

check-golden: $(BUILD)/segctl
	@tests/golden/run --segctl $<
check-golden-ja: $(BUILD)/segctl $(MO)
	@tests/golden/japanese --segctl $<

run-unit: $(UNIT_BIN)
	@failed=0; for t in $(UNIT_BIN); do CK_DEFAULT_TIMEOUT=60 $$t || failed=1; done; exit $$failed

run-replay: $(FUZZ:%=$(BUILD)/replay/%)
	@failed=0; for f in $(FUZZ); do $(BUILD)/replay/$$f tests/fuzz/corpus/$$f || failed=1; done; exit $$failed

# Everything once more in a tree of its own, where undefined behaviour and a byte too far end the run.
IN_SAN = @$(MAKE) -k -j$(shell nproc) BUILD=$(BUILD)/san HARDENING=-O1 HARDENING_LDFLAGS= CFLAGS='$(SANITIZE)'
check-fuzz:
	$(IN_SAN) run-replay
check-sanitize:
	$(IN_SAN) run-unit run-replay

# Everything; the last line sums all runners. tests/run NAME runs one suite alone.
check: deps
	@$(MAKE) -s all $(BUILD)/plain/segd
	@tests/run

# Ratios beside rivals of the same minute; ethtool is the one thing that tests do not need as well.
bench: all $(BUILD)/bench/traffic $(BUILD)/bench/events
	@command -v ethtool >/dev/null || apt-get -qq install -y ethtool >/dev/null
	$(BUILD)/bench/events
	tests/bench/run
$(BUILD)/bench/traffic: $(BUILD)/obj/tests/bench/traffic.o
	@mkdir -p $(@D)
	$(CC) $(HARDENING_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^
$(BUILD)/bench/events: $(BUILD)/obj/tests/bench/events.o $(BUILD)/libsegd.a $(BUILD)/libseg.a
	@mkdir -p $(@D)
	$(CC) $(HARDENING_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_DAEMON) $(LIBS_LIB)

check-soak: all
	@SEG_SOAK=200 SEG_PACE=2000 tests/net/run test_atomic.py test_hands.py

check-boot: all
	@tests/boot/run

check-kernel: all
	@tests/kernel/run -j2

demo: deps
	@$(MAKE) -s all
	@tests/demo/run

deps:
	@.ci/deps

check-floors:
	@tests/floors

# Style included; that the pages refer to each other before they are installed is no fault.
lint:
	@! mandoc -Tlint $(MAN) </dev/null | grep -v -e 'referenced manual not found' -e 'outdated mandoc.db' | grep .
	@echo "lint: $(words $(MAN)) pages"

# Japanese: every message a person can meet in lib/ and segctl/, and what the daemon answers with as a
# sentence (lib/control/sentence.h), is in po/ja.po, translated, none fuzzy.
# `make po` brings what is new in the sources there, with an empty msgstr.
$(BUILD)/segd.pot: $(LIB_SRC) $(SEGCTL_SRC) $(DAEMON_SRC)
	@mkdir -p $(@D)
	@xgettext --from-code=UTF-8 --no-wrap -k_ -kN_ -kC_:1c,2 -kseg_sentence_new:1 -kseg_answer_error:4 -kseg_engine_say_why:2 -kfinding:3 \
		--add-comments=TRANSLATORS --package-name=segd -o $@ $^
	@sed -i -e '/^"POT-Creation-Date/d' -e '/^"Report-Msgid-Bugs-To/d' $@
po: $(BUILD)/segd.pot
	msgmerge --quiet --no-fuzzy-matching --no-wrap --no-location --backup=none --update po/ja.po $<
check-ja: $(BUILD)/segd.pot
	@msgcmp po/ja.po $<
	@msgfmt --check -o /dev/null po/ja.po
	@echo "check-ja: every message is translated"

# Laid out as it is installed: TEXTDOMAINDIR=build/locale build/segctl speaks it.
$(BUILD)/locale/%/LC_MESSAGES/segd.mo: po/%.po
	@mkdir -p $(@D)
	msgfmt -o $@ $<

install: all
	install -d $(DESTDIR)$(sbindir) $(DESTDIR)$(bindir) $(DESTDIR)$(unitdir) $(DESTDIR)$(completiondir) \
		$(DESTDIR)$(docdir)/examples/lists $(DESTDIR)$(confdir)
	install -m 755 $(BUILD)/segd $(DESTDIR)$(sbindir)/segd
	install -m 755 $(BUILD)/segctl $(DESTDIR)$(bindir)/segctl
	set -e; for m in $(MAN); do \
		install -D -m 644 $$m $(DESTDIR)$(mandir)/man$${m##*.}/$${m##*/}; done
	set -e; for u in $(notdir $(UNITS)); do \
		sed -e 's|@sbindir@|$(sbindir)|g' -e 's|@bindir@|$(bindir)|g' -e 's|@confdir@|$(confdir)|g' \
			-e 's|/usr/sbin/segd|$(sbindir)/segd|g' systemd/$$u >$(DESTDIR)$(unitdir)/$$u; \
		chmod 644 $(DESTDIR)$(unitdir)/$$u; done
	set -e; for c in $(wildcard segctl/*.bash); do \
		install -m 644 $$c $(DESTDIR)$(completiondir)/segctl; done
	set -e; for m in $(MO:$(BUILD)/locale/%=%); do \
		install -D -m 644 $(BUILD)/locale/$$m $(DESTDIR)$(localedir)/$$m; done
	install -m 644 README.md README.ja.md HACKING.md LICENSE $(DESTDIR)$(docdir)
	install -m 644 $(EXAMPLES) $(DESTDIR)$(docdir)/examples
	install -m 644 $(wildcard conf/examples/lists/*.txt) $(DESTDIR)$(docdir)/examples/lists
	# A city's own policy is never overwritten; what is there first denies everything (segd-policy(5)).
	set -e; for f in segd.yaml; do test -e $(DESTDIR)$(confdir)/$$f || test ! -e conf/$$f || \
		install -m 644 conf/$$f $(DESTDIR)$(confdir)/$$f; done
	install -D -m 644 systemd/segd.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/segd.conf
	# Onto this machine: the user exists and systemd knows the unit before anybody starts it.
	test -n "$(DESTDIR)" || test ! -d /run/systemd/system || test "$$(id -u)" != 0 || \
		{ systemd-sysusers $(PREFIX)/lib/sysusers.d/segd.conf && systemctl daemon-reload; }

uninstall:
	rm -f $(DESTDIR)$(sbindir)/segd $(DESTDIR)$(bindir)/segctl $(DESTDIR)$(completiondir)/segctl
	rm -f $(foreach m,$(notdir $(MAN)),$(DESTDIR)$(mandir)/man$(subst .,,$(suffix $(m)))/$(m))
	rm -f $(addprefix $(DESTDIR)$(unitdir)/,$(notdir $(UNITS))) $(DESTDIR)$(PREFIX)/lib/sysusers.d/segd.conf
	rm -f $(MO:$(BUILD)/locale/%=$(DESTDIR)$(localedir)/%)
	rm -rf $(DESTDIR)$(docdir)

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
