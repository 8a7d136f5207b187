// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log repair: keep and seal what a crash has left of a log. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include <common/tool.h>
#include <hft/hft.h>
#include <hft/log_verify.h>

#include "hft-log.h"

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "key", required_argument, NULL, 'k' },
	{ "output", required_argument, NULL, 'o' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void usage(void)
{
	fputs("Usage: hft-log repair [OPTION]... LOG\n"
	      "Seal the chunks that a crash left unsealed, with each packet in them that is whole.\n"
	      "What is no whole packet is cut out, and kept beside, in files whose names begin with\n"
	      "\".cut-\".  The seals say that they are of a repair, what was found and what was cut;\n"
	      "hft-log verify tells of it from then on.  Tampering is not mended by this.\n"
	      "\n"
	      "  -o, --output DIR  leave the log alone: write a repaired copy to this folder, which\n"
	      "                    is made, and removed if that fails\n"
	      "  -k, --key FILE    sign the seals with this private Ed25519 key, of a PEM file: a LOG\n"
	      "                    whose seals are signed is not repaired without\n"
	      "  -j, --json        print JSON\n"
	      "  -h, --help        this text\n"
	      "\n"
	      "A program that opens its log again repairs it first: this is for logs that no one\n"
	      "writes to any more.\n"
	      "\n"
	      "Exit status: 0: done, also if there was nothing to do; 1: a seal is missing or damaged\n"
	      "that was there (see hft-log verify), the log is being written, or its process was\n"
	      "killed and has left rings, which come first (see hft-log recover); 2: wrong usage, or\n"
	      "files could not be read or written.\n", stdout);
}

static void print_text(const struct hft_log_repair_result *result)
{
	printf("sealed %" PRIu64 " chunk%s with %" PRIu64 " packets of %" PRIu64 " records; cut %" PRIu64
	       " bytes of %" PRIu64 " streams\n", result->chunks, result->chunks == 1 ? "" : "s",
	       result->packets, result->records, result->cut_bytes, result->cut_streams);
}

static void print_json(const struct hft_log_repair_result *result)
{
	json_t *json;

	json = json_pack("{s:I, s:I, s:I, s:I, s:I}", "chunks", (json_int_t)result->chunks,
			 "packets", (json_int_t)result->packets,
			 "records", (json_int_t)result->records,
			 "cut_bytes", (json_int_t)result->cut_bytes,
			 "cut_streams", (json_int_t)result->cut_streams);
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

struct args {
	struct hft_log_repair_opts opts;
	bool json;
};

static int take_option(int option, void *arg)
{
	struct args *args = arg;

	if (option == 'j')
		args->json = true;
	else if (option == 'k')
		args->opts.key = optarg;
	else
		args->opts.output = optarg;
	return 0;
}

int cmd_repair(int argc, char **argv)
{
	static const struct log_command command = {
		.help = "hft-log repair --help", .letters = "jk:o:h", .options = options,
		.usage = usage, .take = take_option,
	};
	struct hft_log_repair_result result = { .sz = sizeof(result) };
	struct args args = { .opts.sz = sizeof(args.opts) };
	const char *log;
	int status = read_options(&command, argc, argv, &args, &log), err;

	if (status || !log)
		return status;
	err = hft_log_repair(log, &args.opts, &result);
	if (err) {
		if (args.opts.output)
			fail(0, "%s to %s: %s", log, args.opts.output, hft_strerror(err));
		else
			fail_hft(err, log);
		return err == -EBADMSG || err == -EBUSY || err == -EUCLEAN || err == -ENXIO ?
			STATUS_DAMAGED : STATUS_USAGE;
	}
	if (args.json)
		print_json(&result);
	else
		print_text(&result);
	return STATUS_OK;
}
