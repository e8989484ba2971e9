/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "settings.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/i18n.h"
#include "base/language.h"
#include "policy/yaml.h"

#define STATE_DIR "/var/lib/segd"
#define SOCKET "/run/segd/control.sock"

void seg_settings_init(struct seg_settings *settings)
{
	*settings = (struct seg_settings){
		.arena = seg_arena_new(),
		.config = SEG_SYSCONFDIR "/segd/segd.yaml",
		.policy = SEG_SYSCONFDIR "/segd/policy.yaml",
		.state_dir = STATE_DIR,
		.socket = SOCKET,
		.user = "segd",
		.syslog = SEG_ON,
		.journal = SEG_AUTO,
		.syslog_options = {.path = "/dev/log", .facility = LOG_AUTHPRIV, .queue = 10000},
		.denied_window = 60,
		.receive_buffer = 16u << 20,
	};
}

void seg_settings_fini(struct seg_settings *settings)
{
	seg_arena_free(settings->arena);
	settings->arena = NULL;
}

/* Values. */

struct reading {
	struct seg_settings *settings;
	struct seg_diags *diags;
};

static const char *read_text(struct reading *r, const struct yaml_node *node)
{
	if (node->kind == YAML_SCALAR && node->len)
		return seg_arena_strdup(r->settings->arena, node->text);
	seg_error(r->diags, SEG_TYPE, node->place, "%s is a text", node->key->text);
	return "";
}

static bool read_bool(struct reading *r, const struct yaml_node *node)
{
	if (node->kind == YAML_SCALAR && (!strcmp(node->text, "true") || !strcmp(node->text, "false")))
		return node->text[0] == 't';
	seg_error(r->diags, SEG_TYPE, node->place, "%s is true or false", node->key->text);
	return false;
}

/* A number with an optional unit of `units`, a letter each, the multipliers beside them. */
static uint64_t read_number(struct reading *r, const struct yaml_node *node, const char *units,
			    const uint64_t *times, uint64_t min, uint64_t max)
{
	const char *unit;
	char *end;
	uint64_t value = 0;

	errno = EINVAL;
	if (node->kind == YAML_SCALAR && node->text[0] >= '0' && node->text[0] <= '9') {
		errno = 0;
		value = strtoull(node->text, &end, 10);
	}
	if (!errno && *end) {
		unit = strchr(units, *end);
		if (!unit || end[1] || value > UINT64_MAX / times[unit - units])
			errno = EINVAL;
		else
			value *= times[unit - units];
	}
	if (errno) {
		seg_error(r->diags, SEG_TYPE, node->place, "%s is a number, such as 60", node->key->text);
		return min;
	}
	if (value < min || value > max) {
		seg_error(r->diags, SEG_RANGE, node->place, "%s is between %llu and %llu", node->key->text,
			  (unsigned long long)min, (unsigned long long)max);
		return min;
	}
	return value;
}

static uint64_t read_seconds(struct reading *r, const struct yaml_node *node, uint64_t min, uint64_t max)
{
	static const uint64_t times[] = {1, 60, 3600};

	return read_number(r, node, "smh", times, min, max);
}

static uint64_t read_bytes(struct reading *r, const struct yaml_node *node, uint64_t min, uint64_t max)
{
	static const uint64_t times[] = {1u << 10, 1u << 20};

	return read_number(r, node, "KM", times, min, max);
}

struct word {
	const char *name;
	int value;
};

static int read_word(struct reading *r, const struct yaml_node *node, const struct word *words)
{
	struct seg_strbuf known = {0};

	for (const struct word *w = words; w->name; w++)
		if (node->kind == YAML_SCALAR && !strcmp(node->text, w->name))
			return w->value;
	for (const struct word *w = words; w->name; w++)
		seg_strbuf_printf(&known, "%s%s", w == words ? "" : ", ", w->name);
	seg_error(r->diags, SEG_TYPE, node->place, "%s is one of %s", node->key->text, seg_strbuf_text(&known));
	seg_strbuf_fini(&known);
	return words[0].value;
}

/* Keys. */

typedef void (*read_fn)(struct reading *r, const struct yaml_node *node);
struct key {
	const char *name;
	read_fn read;
};

static void read_mapping(struct reading *r, const struct yaml_node *node, const char *what, const struct key *keys,
			 size_t n)
{
	const char *names[16], *near;
	struct seg_diag *diag;

	if (node->kind == YAML_BROKEN)
		return;
	if (node->kind != YAML_MAPPING) {
		seg_error(r->diags, SEG_TYPE, node->place, "%s is a mapping of keys to values", what);
		return;
	}
	for (size_t i = 0; i < n; i++)
		names[i] = keys[i].name;
	for (const struct yaml_node *value = node->first; value; value = value->next) {
		size_t i = 0;

		while (i < n && strcmp(value->key->text, names[i]))
			i++;
		if (i < n) {
			if (value->kind != YAML_BROKEN)
				keys[i].read(r, value);
			continue;
		}
		diag = seg_error(r->diags, SEG_UNKNOWN_KEY, value->key->place, "%s has no key %s", what,
				 value->key->text);
		near = seg_nearest(value->key->text, names, n);
		if (near)
			seg_diag_hint(r->diags, diag, "did you mean %s?", near);
	}
}

static void syslog_path(struct reading *r, const struct yaml_node *node)
{
	r->settings->syslog_options.path = read_text(r, node);
}

static void syslog_facility(struct reading *r, const struct yaml_node *node)
{
	static const struct word words[] = {
		{"authpriv", LOG_AUTHPRIV}, {"auth", LOG_AUTH},	    {"daemon", LOG_DAEMON}, {"user", LOG_USER},
		{"local0", LOG_LOCAL0},	    {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
		{"local4", LOG_LOCAL4},	    {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
		{NULL, 0}};

	r->settings->syslog_options.facility = read_word(r, node, words);
}

static void syslog_format(struct reading *r, const struct yaml_node *node)
{
	static const struct word words[] = {
		{"text", SEG_FORMAT_TEXT}, {"cee", SEG_FORMAT_CEE}, {"cef", SEG_FORMAT_CEF}, {NULL, 0}};

	r->settings->syslog_options.format = (enum seg_sink_format)read_word(r, node, words);
}

static void syslog_queue(struct reading *r, const struct yaml_node *node)
{
	static const uint64_t none[] = {1};

	r->settings->syslog_options.queue = (size_t)read_number(r, node, "", none, 100, 1000000);
}

static void key_syslog(struct reading *r, const struct yaml_node *node)
{
	static const struct key keys[] = {
		{"path", syslog_path}, {"facility", syslog_facility}, {"format", syslog_format}, {"queue", syslog_queue}};

	if (node->kind == YAML_SCALAR) {
		r->settings->syslog = read_bool(r, node) ? SEG_ON : SEG_OFF;
		return;
	}
	read_mapping(r, node, "syslog", keys, sizeof(keys) / sizeof(*keys));
}

static void key_journal(struct reading *r, const struct yaml_node *node)
{
	static const struct word words[] = {{"auto", SEG_AUTO}, {"true", SEG_ON}, {"false", SEG_OFF}, {NULL, 0}};

	r->settings->journal = (enum seg_switch)read_word(r, node, words);
}

static void key_policy(struct reading *r, const struct yaml_node *node)
{
	r->settings->policy = read_text(r, node);
}

static void key_state_dir(struct reading *r, const struct yaml_node *node)
{
	r->settings->state_dir = read_text(r, node);
}

static void key_socket(struct reading *r, const struct yaml_node *node)
{
	r->settings->socket = read_text(r, node);
}

static void key_user(struct reading *r, const struct yaml_node *node)
{
	r->settings->user = read_text(r, node);
}

static void key_group(struct reading *r, const struct yaml_node *node)
{
	r->settings->group = read_text(r, node);
}

static void key_observe(struct reading *r, const struct yaml_node *node)
{
	r->settings->observe = read_bool(r, node);
}

/* "127.0.0.1:9530", "[::1]:9530" */
static bool parse_port(const char *text, seg_addr *addr, uint16_t *port)
{
	bool bracket = *text == '[';
	const char *colon = strrchr(text, ':');
	const char *end = colon && bracket ? colon - 1 : colon;
	char *rest;
	unsigned long number;

	if (!colon || (bracket && (end <= text || *end != ']')) || colon[1] < '0' || colon[1] > '9')
		return false;
	text += bracket;
	number = strtoul(colon + 1, &rest, 10);
	if (*rest || number < 1 || number > UINT16_MAX || !seg_addr_parse(text, (size_t)(end - text), addr) ||
	    (seg_addr_family(*addr) == SEG_IPV6) != bracket)
		return false;
	*port = (uint16_t)number;
	return true;
}

#define METRICS_HINT "127.0.0.1:9530, \"[::1]:9530\" (in quotes) or unix:/run/segd/metrics.sock"

static void key_metrics(struct reading *r, const struct yaml_node *node)
{
	static const char unix_socket[] = "unix:/";
	const char *text = node->kind == YAML_SCALAR ? node->text : "";
	struct seg_metrics_at at = {.text = text};
	struct seg_diag *diag;

	if (!strcmp(text, "false"))
		return;
	if (!strncmp(text, unix_socket, strlen(unix_socket)) && text[strlen(unix_socket)]) {
		at.path = text + strlen("unix:");
	} else if (!parse_port(text, &at.addr, &at.port)) {
		diag = seg_error(r->diags, SEG_TYPE, node->place,
				 "metrics is false, a UNIX socket or an address with a port");
		seg_diag_hint(r->diags, diag, METRICS_HINT);
		return;
	} else if (!seg_addr_is_loopback(at.addr)) {
		diag = seg_error(r->diags, SEG_RANGE, node->place,
				 "metrics are served on a loopback address alone, and %s is none", text);
		seg_diag_hint(r->diags, diag, METRICS_HINT);
		return;
	}
	at.text = seg_arena_strdup(r->settings->arena, text);
	at.path = at.path ? at.text + strlen("unix:") : NULL;
	r->settings->metrics = at;
}

static void key_denied_window(struct reading *r, const struct yaml_node *node)
{
	r->settings->denied_window = (unsigned)read_seconds(r, node, 1, 86400);
}

static void key_receive_buffer(struct reading *r, const struct yaml_node *node)
{
	r->settings->receive_buffer = (size_t)read_bytes(r, node, 1024, 1u << 30);
}

void seg_settings_read(struct seg_settings *settings, const char *name, const char *text, size_t len,
		       struct seg_diags *diags)
{
	static const struct key keys[] = {
		{"policy", key_policy},	      {"state-dir", key_state_dir}, {"socket", key_socket},
		{"user", key_user},	      {"group", key_group},	    {"observe", key_observe},
		{"syslog", key_syslog},	      {"journal", key_journal},	    {"denied-window", key_denied_window},
		{"receive-buffer", key_receive_buffer}, {"metrics", key_metrics}};
	struct reading r = {settings, diags};
	struct yaml_node *root = yaml_parse(seg_source_new(diags, name, text, len), NULL, settings->arena, diags);

	if (root)
		read_mapping(&r, root, "segd.yaml", keys, sizeof(keys) / sizeof(*keys));
}

/* The command line. */

static const char *const usage =
	N_("Usage: segd [--foreground] [--config FILE] [--policy FILE] [--state-dir DIR] [--socket PATH] "
	   "[--observe]\n"
	   "Network segmentation daemon: keeps zones apart as a policy says. See segd(8), segctl(1).\n");

/* 1: that was all there is to do; a negative errno: it is none. */
static int take_option(struct seg_settings *settings, int option)
{
	switch (option) {
	case 'f':
		settings->foreground = true;
		return 0;
	case 'c':
		settings->config = optarg;
		settings->config_named = true;
		return 0;
	case 'p':
		settings->policy = optarg;
		return 0;
	case 'd':
		settings->state_dir = optarg;
		return 0;
	case 's':
		settings->socket = optarg;
		return 0;
	case 'o':
		settings->observe = true;
		return 0;
	case 'h':
		seg_language_choose(true);
		fputs(_(usage), stdout);
		return 1;
	case 'V':
		puts("segd " SEG_VERSION);
		return 1;
	default:
		fputs(usage, stderr);
		return -EINVAL;
	}
}

static int read_options(struct seg_settings *settings, int argc, char **argv)
{
	static const struct option options[] = {
		{"foreground", no_argument, NULL, 'f'},	      {"config", required_argument, NULL, 'c'},
		{"policy", required_argument, NULL, 'p'},     {"state-dir", required_argument, NULL, 'd'},
		{"socket", required_argument, NULL, 's'},     {"observe", no_argument, NULL, 'o'},
		{"help", no_argument, NULL, 'h'},	      {"version", no_argument, NULL, 'V'},
		{NULL, 0, NULL, 0}};
	int option, r;

	optind = 1;
	while ((option = getopt_long(argc, argv, "fh", options, NULL)) != -1) {
		r = take_option(settings, option);
		if (r)
			return r;
	}
	if (optind < argc) {
		fprintf(stderr, "segd: unexpected argument '%s'\n%s", argv[optind], usage);
		return -EINVAL;
	}
	return 0;
}

static char *slurp(const char *path, size_t *len)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	size_t cap = 0;
	ssize_t n;

	if (!file)
		return NULL;
	n = getdelim(&text, &cap, '\0', file);
	*len = n > 0 ? (size_t)n : 0;
	if (n < 0 && feof(file)) /* empty */
		n = 0;
	fclose(file);
	if (n >= 0 && text)
		return text;
	free(text);
	errno = EIO;
	return NULL;
}

static int read_config(struct seg_settings *settings)
{
	struct seg_strbuf said = {0};
	struct seg_diags diags;
	size_t len;
	char *text = slurp(settings->config, &len);
	int r;

	if (!text) {
		if (errno == ENOENT && !settings->config_named)
			return 0;
		fprintf(stderr, "segd: cannot read %s: %s\n", settings->config, strerror(errno));
		return -EBADMSG;
	}
	seg_diags_init(&diags);
	seg_settings_read(settings, settings->config, text, len, &diags);
	seg_diags_render(&diags, false, &said);
	fputs(seg_strbuf_text(&said), stderr);
	r = diags.errors ? -EBADMSG : 0;
	seg_strbuf_fini(&said);
	seg_diags_fini(&diags);
	free(text);
	return r;
}

int seg_settings_load(struct seg_settings *settings, int argc, char **argv)
{
	int r = read_options(settings, argc, argv);

	if (!r)
		r = read_config(settings);
	if (!r)
		r = read_options(settings, argc, argv);
	return r;
}
