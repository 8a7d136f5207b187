// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-check: what on this machine costs latency. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <jansson.h>

#include <common/tool.h>
#include <hft/hft.h>

#include "hft-check.h"

#define EXIT_USAGE	125

static void usage(FILE *out)
{
	fputs("Usage: hft-check [OPTION]...\n"
	      "Say what on this machine costs latency: clock, isolation, interrupts, idle states,\n"
	      "frequency, scheduler, memory, limits, counters, kernel, firmware, hypervisor and the\n"
	      "module; of each what it is, what it costs, measured here or as documented, the\n"
	      "command that mends it, and how to make that last.  Nothing is changed: hft-tune does.\n"
	      "\n"
	      "  -c, --cpus LIST    the CPUs of the workers, as 2-5,7 (default: those that are\n"
	      "                     isolated, or all)\n"
	      "      --only NAME    this check alone\n"
	      "      --no-measure   only read; otherwise it measures for about a second, on the\n"
	      "                     last of these CPUs\n"
	      "      --root DIR     look at the proc, sys, boot and dev below DIR, of another\n"
	      "                     machine; nothing is measured\n"
	      "  -q, --quiet        leave out what is as it should be\n"
	      "  -j, --json         print JSON\n"
	      "  -h, --help         this text\n"
	      "\n"
	      "Some files take root to be read: the fair server's, and requests for idle states.\n"
	      "Severities: ok; note, it costs little or could not be read; warn, it spoils the\n"
	      "tail; fail, workers can not run or not in time.\n"
	      "\n"
	      "Exit status: 0 when nothing is worse than a note, 1 with warnings, 2 with failures,\n"
	      "125 for wrong usage or when it could not look.\n", out);
}

enum { OPT_ONLY = 256, OPT_NO_MEASURE, OPT_ROOT };

static const struct option options[] = {
	{ "cpus", required_argument, NULL, 'c' },
	{ "only", required_argument, NULL, OPT_ONLY },
	{ "no-measure", no_argument, NULL, OPT_NO_MEASURE },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "quiet", no_argument, NULL, 'q' },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static int run(struct report *report, const struct hft_check_opts *opts)
{
	int err, worst = hft_check_run(opts, report_add, report);

	if (worst < 0) {
		fail_hft(worst, NULL);
		return EXIT_USAGE;
	}
	err = report_end(report, worst);
	if (err)
		return EXIT_USAGE;
	return worst > HFT_CHECK_NOTE ? worst - HFT_CHECK_NOTE : 0;
}

int main(int argc, char **argv)
{
	HFT_OPTS(hft_check_opts, opts, .flags = 0);
	struct report report = { .least = HFT_CHECK_OK };
	bool json = false;
	int c, ret;

	while ((c = getopt_long(argc, argv, "c:qjh", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			opts.cpus = optarg;
			break;
		case OPT_ONLY:
			opts.only = optarg;
			break;
		case OPT_NO_MEASURE:
			opts.flags |= HFT_CHECK_NO_MEASURE;
			break;
		case OPT_ROOT:
			opts.root = optarg;
			break;
		case 'q':
			report.least = HFT_CHECK_NOTE;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind < argc) {
		wrong_usage("%s: unexpected", argv[optind]);
		return EXIT_USAGE;
	}
	if (json)
		report.json = json_array();
	ret = run(&report, &opts);
	json_decref(report.json);
	return ret;
}
