// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log follow: records as they are written. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <common/left.h>
#include <common/tool.h>

#include "filter.h"
#include "gettime.h"
#include "hft-log.h"
#include "print.h"

#define MS		1000000ull
#define INTERVAL_MS	50

/* A process that ends is looked for so often */
#define LEFT_NS		(1000 * MS)

struct follow {
	char **paths;
	int nr_paths;
	uint64_t left_next;
	bool *left;			/* of each path: it was told */
	struct filter filter;
	struct print print;
	uint64_t interval_ms;
	uint64_t idle_ms;		/* 0: no end */
	bool all;
};

enum { FOLLOW_ALL = PRINT_END, FOLLOW_INTERVAL, FOLLOW_IDLE };

static const struct option options[] = {
	FILTER_OPTIONS,
	PRINT_OPTIONS,
	{ "all", no_argument, NULL, FOLLOW_ALL },
	{ "interval", required_argument, NULL, FOLLOW_INTERVAL },
	{ "idle", required_argument, NULL, FOLLOW_IDLE },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static void usage(void)
{
	fputs("Usage: hft-log follow [OPTION]... LOG...\n"
	      "Print records as they come to be in the LOGs' files, from chunk to chunk, until\n"
	      "SIGINT or SIGTERM.  A LOG may have no chunk yet.\n"
	      "\n"
	      "  --all               what is there already, too\n"
	      "  --interval MS       look for more each so many ms (default 50)\n"
	      "  --idle MS           end when nothing came for so many ms\n"
	      PRINT_HELP FILTER_HELP
	      "\n"
	      "Records that come at one time are in the order of time; one that its writer kept\n"
	      "back may come behind later ones of other threads.\n"
	      "A process that is killed is told of: its last records are in its rings (hft-log\n"
	      "recover).\n"
	      "\n"
	      "Exit status: as hft-log --help tells.\n", stdout);
}

static int set_ms(const char *option, const char *text, uint64_t *ms)
{
	if (parse_number(text, 10, 1, 86400000, ms))
		return 0;
	return wrong_usage("%s %s is no number of ms from 1 to 86400000", option, text);
}

static int take_option(struct follow *follow, int option)
{
	int ret;

	switch (option) {
	case FOLLOW_ALL:
		follow->all = true;
		return 0;
	case FOLLOW_INTERVAL:
		return set_ms("--interval", optarg, &follow->interval_ms);
	case FOLLOW_IDLE:
		return set_ms("--idle", optarg, &follow->idle_ms);
	case 'h':
		usage();
		return -1;
	default:
		ret = print_option(&follow->print, option, optarg);
		return ret < 0 ? filter_option(&follow->filter, option, optarg) : ret;
	}
}

static int parse(int argc, char **argv, struct follow *follow)
{
	int option, ret = 0;

	follow->interval_ms = INTERVAL_MS;
	while (!ret && (option = getopt_long(argc, argv, "h", options, NULL)) != -1)
		ret = take_option(follow, option);
	if (argc - optind > 1)
		follow->print.flags |= HFT_LOG_VIEW_HOST;
	return ret ? ret : print_check(&follow->print);
}

static void rest(const struct follow *follow)
{
	struct timespec time = {
		.tv_sec = (time_t)(follow->interval_ms / 1000),
		.tv_nsec = (long)(follow->interval_ms % 1000 * MS),
	};

	nanosleep(&time, NULL);
}

/* What is there now; @some: was there any? */
static int print_some(struct follow *follow, struct hft_log_reader *reader, bool *some)
{
	const struct hft_log_view *view;
	int ret = 0, err = 0;

	*some = false;
	while (!stopped && !err && (ret = hft_log_reader_next(reader, &view)) > 0) {
		*some = true;
		err = print_view(&follow->print, view);
	}
	if (!err)
		err = print_flush(&follow->print);
	if (!err && ret < 0)
		err = fail_hft(ret, NULL);
	return err;
}

/* It is told once of each, unless that has been recovered and is left again. */
static void look_for_left(struct follow *follow, uint64_t now)
{
	bool left;
	int i;

	if (now < follow->left_next)
		return;
	follow->left_next = now + LEFT_NS;
	for (i = 0; i < follow->nr_paths; i++) {
		left = has_left(follow->paths[i]);
		if (left && !follow->left[i])
			follow->filter.torn |= tell_left(follow->paths[i]);
		follow->left[i] = left;
	}
}

/*
 * What was left before is told when the logs are opened, behind this: of a process that is killed
 * meanwhile it is told twice, and not never.
 */
static int begin_to_look(struct follow *follow)
{
	int i;

	follow->left = calloc((size_t)follow->nr_paths, sizeof(*follow->left));
	if (!follow->left)
		return fail(ENOMEM, "follow");
	for (i = 0; i < follow->nr_paths; i++)
		follow->left[i] = has_left(follow->paths[i]);
	return 0;
}

static int follow_all(struct follow *follow, struct hft_log_reader *reader)
{
	uint64_t last = hft_gettime(CLOCK_MONOTONIC), now;
	int err = print_head(&follow->print);
	bool some;

	while (!err && !stopped) {
		err = print_some(follow, reader, &some);
		now = hft_gettime(CLOCK_MONOTONIC);
		look_for_left(follow, now);
		if (some)
			last = now;
		if (err || (follow->idle_ms && now - last >= follow->idle_ms * MS))
			break;
		rest(follow);
		if (stopped)
			break;
		err = hft_log_reader_refresh(reader);
		if (err)
			fail_hft(err, NULL);
	}
	return err ? STATUS_USAGE : filter_status(&follow->filter, 0);
}

static int run(int argc, char **argv, struct follow *follow)
{
	struct sigaction action = { .sa_handler = stop };
	struct hft_log_reader *reader;
	int status = parse(argc, argv, follow);

	if (status)
		return status;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	follow->filter.opts.flags = HFT_LOG_READ_FOLLOW;
	follow->filter.opts.progress = NULL;	/* it has no end */
	if (!follow->all && !follow->filter.opts.from)
		follow->filter.opts.from = hft_gettime(CLOCK_REALTIME);
	follow->paths = argv + optind;
	follow->nr_paths = argc - optind;
	if (begin_to_look(follow))
		return STATUS_USAGE;
	status = filter_open(&follow->filter, &reader, argv + optind, argc - optind);
	if (!status) {
		status = follow_all(follow, reader);
		hft_log_reader_close(reader);
	}
	free(follow->left);
	return status;
}

int cmd_follow(int argc, char **argv)
{
	struct follow follow = { .all = false };
	int status;

	tool_help = "hft-log follow --help";
	print_begin(&follow.print, STDOUT_FILENO);
	filter_begin(&follow.filter);
	follow.filter.progress.prints = true;
	status = run(argc, argv, &follow);
	filter_end(&follow.filter);
	print_end(&follow.print);
	return status < 0 ? STATUS_OK : status;
}
