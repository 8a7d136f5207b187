// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log cat: records as text, JSON or CSV. */
#include <stdio.h>
#include <unistd.h>

#include <common/tool.h>

#include "filter.h"
#include "hft-log.h"
#include "print.h"

static const struct option options[] = {
	FILTER_OPTIONS,
	PRINT_OPTIONS,
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void usage(void)
{
	fputs("Usage: hft-log cat [OPTION]... LOG...\n"
	      "Print the records of all threads of all LOGs, in the order of time.\n"
	      "\n" PRINT_HELP FILTER_HELP
	      "\n"
	      "A line of text is: time level subsystem thread[tid] message.  Control characters are\n"
	      "shown as \\xHH.\n"
	      "\n"
	      "Exit status: as hft-log --help tells.\n", stdout);
}

static int parse(int argc, char **argv, struct filter *filter, struct print *print)
{
	int option, ret = 0;

	while (!ret && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 'h') {
			usage();
			return -1;
		}
		ret = print_option(print, option, optarg);
		if (ret < 0)
			ret = filter_option(filter, option, optarg);
	}
	if (argc - optind > 1)
		print->flags |= HFT_LOG_VIEW_HOST;
	return ret;
}

static int print_all(struct filter *filter, struct print *print, struct hft_log_reader *reader)
{
	const struct hft_log_view *view;
	int ret = 0, err = print_head(print);

	while (!err && (ret = hft_log_reader_next(reader, &view)) > 0)
		err = print_view(print, view);
	if (!err)
		err = print_flush(print);
	return err ? STATUS_USAGE : filter_status(filter, ret);
}

int cmd_cat(int argc, char **argv)
{
	struct hft_log_reader *reader;
	struct filter filter;
	struct print print;
	int status;

	tool_help = "hft-log cat --help";
	if (print_begin(&print, STDOUT_FILENO))
		return STATUS_USAGE;
	filter_begin(&filter);
	status = parse(argc, argv, &filter, &print);
	if (!status)
		status = filter_open(&filter, &reader, argv + optind, argc - optind);
	if (!status) {
		status = print_all(&filter, &print, reader);
		hft_log_reader_close(reader);
	}
	filter_end(&filter);
	print_end(&print);
	return status < 0 ? STATUS_OK : status;
}
