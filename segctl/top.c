// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * segctl top: what is busy now, drawn again every few seconds until q.
 *
 * Plain ANSI in whatever the terminal is wide, 80 columns at least; the
 * alternate screen, so that the shell's lines are there again afterwards.
 */
#include "commands.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "base/i18n.h"
#include "base/utf8.h"
#include "client.h"
#include "options.h"
#include "output.h"
#include "sample.h"

#define INTERVAL 2 /* seconds */
#define INTERVAL_MAX 3600
#define LISTED 20   /* of each, with --json */
#define BUSIEST 200 /* flows asked for: more than a screen shows, since their order changes */
#define SLACK 60    /* seconds by which permits are asked for too early: a missed one would miss its bytes */
#define COUNT_CELLS 8
#define RATE_CELLS 13
#define SHARE 4 /* the daemon works at most a fourth of the time for us */
#define ENTER "\033[?1049h\033[?25l"
#define LEAVE "\033[?25h\033[?1049l"

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

struct view {
	const struct segctl *ctl;
	struct segctl_client *client;
	struct segctl_sample sample;
	json_t *status;
	long long version;  /* of the policy whose permits the sample knows; 0: none yet */
	double taken, cost; /* when the sample was taken, and how long that took */
	int rows, columns;
	struct seg_strbuf out;
	int line; /* lines drawn */
};

static double now(void)
{
	struct timespec at;

	clock_gettime(CLOCK_MONOTONIC, &at);
	return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static bool take_piece(void *context, const json_t *piece)
{
	struct view *view = context;

	segctl_sample_add_permits(&view->sample, piece);
	return true;
}

/* All permits at first and behind another policy; then those used since the sample before. */
static int ask_permits(struct view *view, const json_t *status)
{
	long long version = segctl_number_of(json_object_get(status, "policy"), "version");
	bool all = !view->version || version != view->version;
	json_t *parameters = NULL;
	int result;

	if (!all)
		parameters = json_pack("{s:I}", "used-within",
				       (json_int_t)(now() - view->taken + view->cost) + SLACK);
	segctl_sample_begin(&view->sample, all);
	result = segctl_client_stream(view->client, "Permits", parameters, take_piece, view);
	view->version = result ? 0 : version; /* half a list is none */
	return result;
}

static int take_sample(struct view *view)
{
	json_t *status = NULL, *flows = NULL;
	double began = now(), at;
	int result = segctl_client_call(view->client, "Status", NULL, &status);

	if (!result)
		result = ask_permits(view, status);
	if (!result)
		result = segctl_client_call(view->client, "Flows", json_pack("{s:i}", "busiest", BUSIEST),
					    &flows);
	if (!result) {
		at = now();
		segctl_sample_end(&view->sample, flows, at - view->taken);
		view->taken = at;
		view->cost = at - began;
		json_decref(view->status);
		view->status = json_incref(status);
	}
	json_decref(status);
	json_decref(flows);
	return result;
}

/* A text in exactly `cells` cells: cut with an ellipsis, or filled with blanks. */
static void put(struct view *view, const char *text, int cells)
{
	struct seg_strbuf shown = {0};
	size_t used;

	seg_utf8_show(&shown, text, strlen(text));
	used = seg_utf8_cut(&view->out, seg_strbuf_text(&shown), (size_t)cells);
	seg_strbuf_printf(&view->out, "%*s ", cells - (int)used, "");
	seg_strbuf_fini(&shown);
}

static void put_number(struct view *view, long long number, int cells)
{
	seg_strbuf_printf(&view->out, "%*lld ", cells, number);
}

static void put_rate(struct view *view, double rate, int cells)
{
	char size[SEGCTL_SIZE_STRLEN], text[SEGCTL_SIZE_STRLEN + 2] = "-";

	if (rate >= 0)
		snprintf(text, sizeof(text), "%s/s", segctl_size((long long)rate, size));
	seg_strbuf_printf(&view->out, "%*s", cells, text);
}

/* What an older frame left on the line goes. */
static void end_line(struct view *view)
{
	seg_strbuf_add(&view->out, segctl_terminal() ? "\033[K\n" : "\n");
	view->line++;
}

/* A word at the right end of `cells` cells. */
static void put_right(struct view *view, const char *text, int cells)
{
	struct seg_strbuf shown = {0};
	int width = (int)seg_utf8_show(&shown, text, strlen(text));

	seg_strbuf_printf(&view->out, "%*s%s", cells > width ? cells - width : 0, "",
			  seg_strbuf_text(&shown));
	seg_strbuf_fini(&shown);
}

/* What the rows are, and what stands in their last columns; count: NULL where there is no such column. */
static void put_heading(struct view *view, const char *text, const char *count)
{
	int left = view->columns - RATE_CELLS - 3 - (count ? COUNT_CELLS + 1 : 0);

	seg_strbuf_add(&view->out, segctl_tone_begin(view->ctl, SEGCTL_HEAD));
	put(view, text, left);
	if (count) {
		put_right(view, count, COUNT_CELLS);
		seg_strbuf_addc(&view->out, ' ');
	}
	put_right(view, _(">BYTES") + 1, RATE_CELLS);
	seg_strbuf_add(&view->out, segctl_tone_end(view->ctl, SEGCTL_HEAD));
	end_line(view);
}

static void draw_head(struct view *view)
{
	const json_t *fill = json_object_get(view->status, "conntrack");
	struct seg_strbuf line = {0};

	seg_strbuf_printf(&line, _("segd %s  denied %lld  violations %lld  conntrack %lld of %lld"),
			  segctl_word(segctl_text_of(view->status, "state")),
			  segctl_number_of(view->status, "denied"),
			  segctl_number_of(view->status, "violations"), segctl_number_of(fill, "count"),
			  segctl_number_of(fill, "max"));
	put(view, seg_strbuf_text(&line), view->columns - 2);
	end_line(view);
	seg_strbuf_fini(&line);
}

static void draw_pairs(struct view *view, int rows)
{
	int half = (view->columns - 26) / 2;

	put_heading(view, _("ZONES"), _(">FLOWS") + 1);
	for (size_t i = 0; i < view->sample.pairs.n && rows-- > 0; i++) {
		const struct segctl_item *item = &view->sample.pairs.item[i];

		put(view, item->first, half);
		put(view, item->second, half);
		put_number(view, item->flows, COUNT_CELLS);
		put_rate(view, item->rate, RATE_CELLS);
		end_line(view);
	}
}

static void draw_permits(struct view *view, int rows)
{
	put_heading(view, _("PERMITS"), _("TOTAL"));
	for (size_t i = 0; i < view->sample.permits.n && rows-- > 0; i++) {
		const struct segctl_item *item = &view->sample.permits.item[i];

		put(view, item->first, 18);
		put(view, item->second, view->columns - 44);
		put_number(view, item->flows, COUNT_CELLS);
		put_rate(view, item->rate, RATE_CELLS);
		end_line(view);
	}
}

static void draw_flows(struct view *view, int rows)
{
	int half = (view->columns - 33) / 2;

	put_heading(view, _("FLOWS"), NULL);
	for (size_t i = 0; i < view->sample.flows.n && rows-- > 0; i++) {
		const struct segctl_item *item = &view->sample.flows.item[i];

		put(view, item->first, 6);
		put(view, item->second, half);
		put(view, item->third, half);
		put(view, item->permit, view->columns - 2 * half - RATE_CELLS - 12);
		put_rate(view, item->rate, RATE_CELLS);
		end_line(view);
	}
}

static int least(size_t n, int limit)
{
	return n < (size_t)limit ? (int)n : limit;
}

/* A fourth of the rows each for pairs and permits, the rest for flows. */
static void draw(struct view *view)
{
	struct winsize size;
	int pairs, permits;

	view->rows = 24;
	view->columns = 80;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row && size.ws_col) {
		view->rows = size.ws_row;
		view->columns = size.ws_col < 60 ? 60 : size.ws_col;
	}
	pairs = least(view->sample.pairs.n, view->rows / 4);
	permits = least(view->sample.permits.n, view->rows / 4);
	seg_strbuf_reset(&view->out);
	view->line = 0;
	if (segctl_terminal())
		seg_strbuf_add(&view->out, "\033[H");
	draw_head(view);
	draw_pairs(view, pairs);
	draw_permits(view, permits);
	draw_flows(view, view->rows - view->line - 3);
	if (segctl_terminal())
		seg_strbuf_printf(&view->out, "\033[J\033[%d;1H%s%s%s", view->rows,
				  segctl_tone_begin(view->ctl, SEGCTL_DIM), _("q: quit"),
				  segctl_tone_end(view->ctl, SEGCTL_DIM));
	fputs(seg_strbuf_text(&view->out), stdout);
	fflush(stdout);
}

/* True: the person wants to leave. */
static bool wait_for_key(double seconds)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	double end = now() + seconds;

	while (!stopped && now() < end) {
		char key;
		int ready = poll(&input, 1, (int)((end - now()) * 1000) + 1);

		if (ready > 0 && read(STDIN_FILENO, &key, 1) < 1)
			return true;
		if (ready > 0 && (key == 'q' || key == 'Q' || key == 3))
			return true;
		if (ready < 0)
			break; /* a signal: the window has another size, or it is time to go */
	}
	return stopped;
}

static int show_live(struct view *view, long long interval)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct termios before, raw;
	int status = SEGCTL_YES;
	double wait = 1; /* rates come with the second sample */

	if (tcgetattr(STDIN_FILENO, &before))
		return segctl_fail(view->ctl, SEGCTL_USAGE, "usage",
				   _("top needs a terminal to read keys from"));
	raw = before;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	fputs(ENTER, stdout);
	do {
		draw(view);
		if (wait_for_key(wait > view->cost * SHARE ? wait : view->cost * SHARE))
			break;
		wait = (double)interval;
		status = take_sample(view);
	} while (!status && !stopped);
	fputs(LEAVE, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &before);
	if (stopped)
		return SEGCTL_YES;
	if (status) /* why was said on the screen that is gone now */
		return segctl_fail(view->ctl, (enum segctl_exit)status, "unreachable",
				   _("segd at %s does not answer any more"), view->ctl->socket);
	return status;
}

/* Two samples, one answer. */
static int show_once(struct view *view, long long interval)
{
	int status;

	sleep((unsigned)interval);
	status = take_sample(view);
	if (status)
		return status;
	if (view->ctl->json)
		return segctl_json(segctl_sample_json(&view->sample, LISTED), SEGCTL_YES);
	draw(view);
	return SEGCTL_YES;
}

static int run(const struct segctl *ctl, int argc, char **argv)
{
	const char *text = NULL;
	const struct segctl_option options[] = {{"interval", &text, NULL}, {0}};
	struct view view = {.ctl = ctl};
	long long interval = INTERVAL;
	int status;

	if (segctl_options(ctl, &command_top, argc, argv, options, NULL, 0, 0) < 0)
		return SEGCTL_USAGE;
	if (text && !segctl_number(text, 1, INTERVAL_MAX, &interval))
		return segctl_usage(ctl, &command_top, _("'%s' is no number of seconds"), text);
	status = segctl_client_open(ctl, &view.client);
	if (!status)
		status = take_sample(&view);
	if (!status)
		status = ctl->json || !segctl_terminal() ? show_once(&view, interval)
							 : show_live(&view, interval);
	segctl_client_close(view.client);
	segctl_sample_fini(&view.sample);
	json_decref(view.status);
	seg_strbuf_fini(&view.out);
	return status;
}

const struct command command_top = {
	.name = "top",
	.arguments = "[--interval SECONDS]",
	.run = run,
	.summary = N_("the busiest zones, permits and flows, live"),
	.details = N_("  --interval SECONDS  between two pictures, by default 2\n"
		      "\n"
		      "Until q. Without a terminal, once.\n"),
};
