// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log verify: was a log changed since it was written? */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <common/left.h>
#include <common/tool.h>
#include <hft/log_verify.h>

#include "hft-log.h"
#include "when.h"

#define MOST_KEYS	64

struct args {
	bool json;
	bool quiet;
	const char *keys[MOST_KEYS];
	struct hft_log_verify_opts opts;
	json_t *findings;		/* of JSON */
	time_t shown;
	bool is_shown;
};

static const struct option options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "key", required_argument, NULL, 'k' },
	{ "root", required_argument, NULL, 'r' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void usage(void)
{
	fputs("Usage: hft-log verify [OPTION]... LOG\n"
	      "Find what was changed in the folder of a log since it was written: packets that are\n"
	      "others, dropped, reordered, copied or cut off, files that are others, added or gone,\n"
	      "seals and signatures that are wrong, chunks that are gone or of another log.\n"
	      "\n"
	      "  -k, --key FILE   each seal has to be signed with this Ed25519 key, of a PEM file, or\n"
	      "                   one of several; without, anyone's signature will do, and none\n"
	      "  -r, --root HEX   there has to be a chunk with this root: one that was printed\n"
	      "                   before, and kept where who can change the log can not change it\n"
	      "  -j, --json       print JSON: all findings, and the sums\n"
	      "  -q, --quiet      print nothing but errors: the exit status tells\n"
	      "  -h, --help       this text\n"
	      "\n"
	      "A finding is a line: verdict, kind, chunk, file, numbers of packets from 0, offset in\n"
	      "the file (uncompressed bytes), between which times its records are, and why.\n"
	      "TORN is what a crash may have done, to a chunk that was not sealed yet, which hft-log\n"
	      "repair seals; or what a process that was killed has left in rings (hft-log recover).\n"
	      "TAMPERED is what it can not have done.  NOTE is for information.\n"
	      "\n"
	      "Exit status: 0: the log is whole; 1: it was tampered with; 2: wrong usage, or the log\n"
	      "could not be read; 3: its end is torn, or not sealed yet, and no more.\n", stdout);
}

static const char *verdict_name(enum hft_log_verdict verdict)
{
	return verdict == HFT_LOG_IS_TAMPERED ? "TAMPERED" :
	       verdict == HFT_LOG_IS_TORN ? "TORN" : "NOTE";
}

static void clear_progress(struct args *args)
{
	if (args->is_shown)
		fputs("\r\033[K", stderr);
	args->is_shown = false;
}

static void print_packets(const struct hft_log_finding *finding)
{
	if (finding->packet == HFT_LOG_NO_PACKET)
		return;
	printf(" packet %" PRIu64, finding->packet);
	if (finding->packets > 1)
		printf("-%" PRIu64, finding->packet + finding->packets - 1);
	printf(" at %" PRIu64, finding->offset);
}

static void print_times(const struct hft_log_finding *finding)
{
	char from[WHEN_BYTES], to[WHEN_BYTES];

	if (finding->begin_ns || finding->end_ns)
		printf(" (%s to %s)", finding->begin_ns ? when(finding->begin_ns, from) : "?",
		       finding->end_ns ? when(finding->end_ns, to) : "?");
}

static void print_text(const struct hft_log_finding *finding)
{
	const char *colon = ":";

	printf("%s %s", verdict_name(finding->verdict), hft_log_finding_name(finding->kind));
	if (finding->chunk) {
		printf("%s chunk %" PRIu64, colon, finding->chunk);
		colon = "";
	}
	if (*finding->file)
		printf("%s %s", colon, finding->file);
	print_packets(finding);
	print_times(finding);
	printf(": %s\n", finding->text);
}

static void add_time(json_t *json, const char *name, uint64_t ns)
{
	char text[WHEN_BYTES];

	if (ns)
		json_object_set_new(json, name, json_string(when(ns, text)));
}

static void add_json(json_t *findings, const struct hft_log_finding *finding)
{
	json_t *json;

	json = json_pack("{s:s, s:s, s:I, s:s, s:s}", "verdict", verdict_name(finding->verdict),
			 "kind", hft_log_finding_name(finding->kind),
			 "chunk", (json_int_t)finding->chunk, "file", finding->file,
			 "text", finding->text);
	if (finding->packet != HFT_LOG_NO_PACKET) {
		json_object_set_new(json, "packet", json_integer((json_int_t)finding->packet));
		json_object_set_new(json, "packets", json_integer((json_int_t)finding->packets));
		json_object_set_new(json, "offset", json_integer((json_int_t)finding->offset));
	}
	add_time(json, "from", finding->begin_ns);
	add_time(json, "to", finding->end_ns);
	json_array_append_new(findings, json);
}

/* Names of files and words of a seal may be anyone's. */
static void hear(void *arg, const struct hft_log_finding *found)
{
	struct hft_log_finding finding = *found;
	struct args *args = arg;
	char *file, *text;

	if (args->quiet)
		return;
	file = copy_clean(found->file);
	text = copy_clean(found->text);
	finding.file = file ? file : "?";
	finding.text = text ? text : "?";
	clear_progress(args);
	if (args->json)
		add_json(args->findings, &finding);
	else
		print_text(&finding);
	free(file);
	free(text);
}

/* Once a second, on a terminal */
static void show_progress(void *arg, uint64_t done, uint64_t all)
{
	struct args *args = arg;
	time_t now = time(NULL);

	if (now == args->shown)
		return;
	if (args->shown) {
		fprintf(stderr, "\r%5.1f %% of %.1f MB", 100 * (double)done / (double)(all ?: 1),
			(double)all / 1e6);
		args->is_shown = true;
	}
	args->shown = now;
}

static int status_of(const struct hft_log_verify_result *result)
{
	if (result->tampered)
		return STATUS_DAMAGED;
	return result->torn ? STATUS_TORN : STATUS_OK;
}

static const char *verdict_of(const struct hft_log_verify_result *result)
{
	if (result->tampered)
		return "tampered";
	return result->torn ? "torn" : "whole";
}

static void print_sums(const struct hft_log_verify_result *result, const char *uuid)
{
	printf("%s: log %s: %" PRIu64 " chunk%s from %" PRIu64 " on, %" PRIu64 " sealed, %" PRIu64
	       " signed; %" PRIu64 " packets, %" PRIu64 " records, %" PRIu64 " counted as lost, %"
	       PRIu64 " bytes\n", verdict_of(result), *uuid ? uuid : "?",
	       result->chunks, result->chunks == 1 ? "" : "s", result->first_chunk,
	       result->sealed, result->signed_chunks,
	       result->packets, result->records, result->lost, result->bytes);
	if (*result->root)
		printf("root %s\n", result->root);
	if (*result->key)
		printf("key %s\n", result->key);
}

static void print_json(struct args *args, const struct hft_log_verify_result *result,
		       const char *uuid)
{
	json_t *json;

	json = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:s, s:O}",
			 "verdict", verdict_of(result), "uuid", uuid,
			 "tampered", (json_int_t)result->tampered, "torn", (json_int_t)result->torn,
			 "chunks", (json_int_t)result->chunks,
			 "first_chunk", (json_int_t)result->first_chunk,
			 "sealed", (json_int_t)result->sealed,
			 "signed", (json_int_t)result->signed_chunks,
			 "packets", (json_int_t)result->packets,
			 "records", (json_int_t)result->records,
			 "lost_records", (json_int_t)result->lost,
			 "bytes", (json_int_t)result->bytes, "root", result->root,
			 "key", result->key, "findings", args->findings);
	json_dumpf(json, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(json);
}

static int take_option(int option, void *arg)
{
	struct args *args = arg;

	if (option == 'j')
		args->json = true;
	else if (option == 'r')
		args->opts.root = optarg;
	else if (option == 'q')
		args->quiet = true;
	else if (args->opts.nr_keys == MOST_KEYS)
		return wrong_usage("more than %d keys", MOST_KEYS);
	else
		args->keys[args->opts.nr_keys++] = optarg;
	return 0;
}

static int verify(struct args *args, const char *dir)
{
	struct hft_log_verify_result result = { .sz = sizeof(result) };
	char *uuid;
	int err;

	args->opts.sz = sizeof(args->opts);
	args->opts.keys = args->keys;
	args->opts.arg = args;
	if (isatty(STDERR_FILENO) && !args->quiet)
		args->opts.progress = show_progress;
	tell_left(dir);
	err = hft_log_verify(dir, &args->opts, hear, args, &result);
	clear_progress(args);
	if (err) {
		fail_hft(err, dir);
		return STATUS_USAGE;
	}
	uuid = copy_clean(result.uuid);
	if (!args->quiet && args->json)
		print_json(args, &result, uuid ? uuid : "");
	else if (!args->quiet)
		print_sums(&result, uuid ? uuid : "");
	free(uuid);
	return status_of(&result);
}

int cmd_verify(int argc, char **argv)
{
	static const struct log_command command = {
		.help = "hft-log verify --help", .letters = "jk:r:qh", .options = options,
		.usage = usage, .take = take_option,
	};
	struct args args = { 0 };
	const char *log;
	int status = read_options(&command, argc, argv, &args, &log);

	if (status || !log)
		return status;
	args.findings = json_array();
	status = verify(&args, log);
	json_decref(args.findings);
	return status;
}
