// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log cat: records as text, JSON or CSV. */
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include <common/tool.h>

#include "filter.h"
#include "hft-log.h"
#include "pages.h"
#include "print.h"

/* More are kept busy by what one thread reads for no format. */
#define THREADS_ENOUGH	16u

enum { CAT_THREADS = PRINT_END };

struct cat {
	struct filter filter;
	struct print print;
	unsigned int threads;
};

static const struct option options[] = {
	FILTER_OPTIONS,
	PRINT_OPTIONS,
	{ "threads", required_argument, NULL, CAT_THREADS },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void usage(void)
{
	fputs("Usage: hft-log cat [OPTION]... LOG...\n"
	      "Print the records of all threads of all LOGs, in the order of time.\n"
	      "\n" PRINT_HELP FILTER_HELP
	      "  --threads N         so many at most read and make text, 1 to 64 (default: one for\n"
	      "                      each CPU that may be run on, and no more than 16)\n"
	      "\n"
	      "A line of text is: time level subsystem thread[tid] message.  Control characters are\n"
	      "shown as \\xHH.\n"
	      "\n"
	      "Exit status: as hft-log --help tells.\n", stdout);
}

static int set_threads(struct cat *cat, const char *text)
{
	uint64_t number;

	if (!parse_number(text, 10, 1, PAGES_THREADS_MAX, &number))
		return wrong_usage("--threads %s is no number from 1 to %u", text,
				   PAGES_THREADS_MAX);
	cat->threads = (unsigned int)number;
	return 0;
}

static unsigned int count_cpus(void)
{
	unsigned int cpus;
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set))
		return 1;
	cpus = (unsigned int)CPU_COUNT(&set);
	return cpus < THREADS_ENOUGH ? cpus : THREADS_ENOUGH;
}

static int take_option(struct cat *cat, int option)
{
	int ret;

	switch (option) {
	case CAT_THREADS:
		return set_threads(cat, optarg);
	case 'h':
		usage();
		return -1;
	default:
		ret = print_option(&cat->print, option, optarg);
		return ret < 0 ? filter_option(&cat->filter, option, optarg) : ret;
	}
}

static int parse(int argc, char **argv, struct cat *cat)
{
	int option, ret = 0;

	while (!ret && (option = getopt_long(argc, argv, "h", options, NULL)) != -1)
		ret = take_option(cat, option);
	if (argc - optind > 1)
		cat->print.flags |= HFT_LOG_VIEW_HOST;
	return ret ? ret : print_check(&cat->print);
}

static int print_all(struct cat *cat, struct hft_log_reader *reader)
{
	const struct hft_log_view *view;
	int ret = 0, err = print_threads(&cat->print, cat->threads);

	if (!err)
		err = print_head(&cat->print);
	while (!err && (ret = hft_log_reader_next(reader, &view)) > 0)
		err = print_view(&cat->print, view);
	if (!err)
		err = print_flush(&cat->print);
	return err ? STATUS_USAGE : filter_status(&cat->filter, ret);
}

int cmd_cat(int argc, char **argv)
{
	struct cat cat = { .threads = count_cpus() };
	struct hft_log_reader *reader = NULL;
	int status;

	tool_help = "hft-log cat --help";
	print_begin(&cat.print, STDOUT_FILENO);
	filter_begin(&cat.filter);
	cat.filter.progress.prints = true;
	status = parse(argc, argv, &cat);
	if (!status)
		status = filter_open(&cat.filter, &reader, argv + optind, argc - optind);
	if (!status)
		status = print_all(&cat, reader);
	print_end(&cat.print);		/* its threads have to do with what is the reader's */
	hft_log_reader_close(reader);
	filter_end(&cat.filter);
	return status < 0 ? STATUS_OK : status;
}
