// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log merge: make one log of many. */
#include <inttypes.h>
#include <stdio.h>

#include <common/tool.h>
#include <hft/log_store.h>

#include "filter.h"
#include "hft-log.h"

enum { MERGE_OUTPUT = FILTER_END, MERGE_NO_PACK };

static const struct option options[] = {
	FILTER_OPTIONS,
	{ "output", required_argument, NULL, MERGE_OUTPUT },
	{ "key", required_argument, NULL, 'k' },
	{ "no-pack", no_argument, NULL, MERGE_NO_PACK },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void usage(void)
{
	fputs("Usage: hft-log merge [OPTION]... --output DIR LOG...\n"
	      "Write the records of all LOGs, in the order of time, to a log of its own, which is\n"
	      "CTF as they are: of threads, processes and hosts, each shown as of its own.  Its\n"
	      "stamps are ns of UTC.\n"
	      "hft-log cat LOG... shows many logs as text without that.\n"
	      "An error of the disk ends it: it may be begun anew, as the LOGs stay as they are.\n"
	      "\n"
	      "  --output DIR        folder of the new log, which must not be there yet, and is\n"
	      "                      removed if that fails\n"
	      "  -k, --key FILE      sign its seals with this private Ed25519 key, of a PEM file\n"
	      "  --no-pack           do not compress it: for babeltrace2 and other readers of CTF\n"
	      FILTER_HELP
	      "\n"
	      "Exit status: as hft-log --help tells.\n", stdout);
}

static int merge(struct filter *filter, struct hft_log_reader *reader, const char *output,
		 const struct hft_log_store_opts *opts)
{
	uint64_t records;
	int err = hft_log_merge(reader, output, opts, &records);

	if (err)
		return filter_status(filter, err);
	printf("%" PRIu64 " records\n", records);
	return filter_status(filter, 0);
}

static int run(int argc, char **argv, struct filter *filter)
{
	struct hft_log_reader *reader;
	const char *output = NULL;
	int option, status = 0;
	struct hft_log_store_opts opts = { .sz = sizeof(opts) };

	while (!status && (option = getopt_long(argc, argv, "hk:", options, NULL)) != -1) {
		if (option == MERGE_OUTPUT) {
			output = optarg;
		} else if (option == MERGE_NO_PACK) {
			opts.flags = HFT_LOG_STORE_NO_PACK;
		} else if (option == 'k') {
			opts.key_file = optarg;
		} else if (option == 'h') {
			usage();
			return -1;
		} else {
			status = filter_option(filter, option, optarg);
		}
	}
	if (!status && !output)
		status = wrong_usage("where to?  merge needs --output");
	if (!status)
		status = filter_open(filter, &reader, argv + optind, argc - optind);
	if (status)
		return status;
	status = merge(filter, reader, output, &opts);
	hft_log_reader_close(reader);
	return status;
}

int cmd_merge(int argc, char **argv)
{
	struct filter filter;
	int status;

	tool_help = "hft-log merge --help";
	filter_begin(&filter);
	status = run(argc, argv, &filter);
	filter_end(&filter);
	return status < 0 ? STATUS_OK : status;
}
