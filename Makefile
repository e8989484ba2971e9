# SPDX-License-Identifier: GPL-2.0-or-later
#
# make            build segd and segctl            (no root)
# make check-unit unit, golden and fuzz-corpus tests, also under sanitizers (no root)
# make check      everything, on real packets too  (root: installs what is missing)
# make demo       segd at work between namespaces  (root: installs what is missing)
# make install    PREFIX and DESTDIR are honoured
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
unitdir  := $(PREFIX)/lib/systemd/system

WARNINGS  := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
HARDENING ?= -O2 -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection -fPIE
HARDENING_LDFLAGS ?= -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed
PKG_LIB    := libfyaml jansson
PKG_DAEMON := libnftnl libmnl libnetfilter_conntrack libnetfilter_log libevent_core sqlite3 libsystemd libcap-ng libseccomp
PKG_CFLAGS  = $(shell pkg-config --cflags $(PKG_LIB) $(PKG_DAEMON) 2>/dev/null)

CFLAGS   ?= -g
ALL_CFLAGS = -std=gnu11 $(WARNINGS) $(HARDENING) $(CFLAGS) -Ilib -Idaemon -D_GNU_SOURCE \
	     -DSEG_VERSION='"$(VERSION)"' -DSEG_SYSCONFDIR='"$(SYSCONFDIR)"' -DSEG_LOCALEDIR='"$(PREFIX)/share/locale"' \
	     $(PKG_CFLAGS) -MMD -MP
LIBS_LIB    = $(shell pkg-config --libs $(PKG_LIB))
LIBS_DAEMON = $(shell pkg-config --libs $(PKG_DAEMON))

LIB_SRC    := $(wildcard lib/*/*.c)
DAEMON_SRC := $(wildcard daemon/*.c daemon/*/*.c)
SEGCTL_SRC := $(wildcard segctl/*.c)
UNIT_SRC   := $(wildcard tests/unit/test_*.c)

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))
LIB_OBJ    := $(call obj,$(LIB_SRC))
DAEMON_OBJ := $(call obj,$(filter-out daemon/main.c,$(DAEMON_SRC)))
UNIT_BIN   := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_SRC))

.PHONY: all check check-unit demo deps install clean
.DELETE_ON_ERROR:

all: $(BUILD)/segd $(BUILD)/segctl

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@

# Archives made anew, so that a source that is gone leaves no object behind.
$(BUILD)/libseg.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^
$(BUILD)/libsegd.a: $(DAEMON_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/segd: $(BUILD)/daemon/main.o $(BUILD)/libsegd.a $(BUILD)/libseg.a
	$(CC) $(HARDENING_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_DAEMON) $(LIBS_LIB)
$(BUILD)/segctl: $(call obj,$(SEGCTL_SRC)) $(BUILD)/libseg.a
	$(CC) $(HARDENING_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_LIB)

# Each tests/unit/test_NAME.c is a program on check, linked with everything but main.
$(BUILD)/unit/%: $(BUILD)/tests/unit/%.o $(BUILD)/libsegd.a $(BUILD)/libseg.a
	@mkdir -p $(@D)
	$(CC) $(HARDENING_LDFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $^ $(LIBS_DAEMON) $(LIBS_LIB) $(shell pkg-config --libs check)

check-unit: $(UNIT_BIN)
	@set -e; for t in $(UNIT_BIN); do $$t; done

clean:
	rm -rf $(BUILD)

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
