// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-latency: measure how exactly this machine starts tasks. */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <common/counter.h>

#include "hft-latency.h"

#define MIN_INTERVAL_US	10
#define MAX_INTERVAL_US	10000000
#define MAX_LOOPS	(1ULL << 40)
#define COUNTERS	"cache-references,cache-misses,cycles,instructions"

static void usage(FILE *out)
{
	fprintf(out,
		"Usage: hft-latency [OPTION]...\n"
		"Start a task every so often on one CPU and print how late it was, and why:\n"
		"  interrupt       from when the timer should fire to the module's interrupt\n"
		"  publish         from there until the event is in the ring\n"
		"  wakeup          from there until the worker has it\n"
		"  dispatch_error  from the release until the task starts, after the rest of\n"
		"                  the lead was spun\n"
		"All in ns: min, p50, p90, p99, p99.9, max, to 1 %%.\n"
		"\n"
		"  -a, --affinity CPU   the CPU (default 0)\n"
		"  -i, --interval US    us from task to task, %d to %d (default 1000)\n"
		"  -l, --loops N        tasks (default 10000)\n"
		"  -p, --priority PRIO  SCHED_FIFO priority, 1 to 99, or 0 for none (default 90)\n"
		"      --lead NS|auto|learned\n"
		"                       wake the worker that long before a release; auto measures\n"
		"                       what it needs; learned goes on by what it takes (default\n"
		"                       auto)\n"
		"      --budget PPM     what the worker may spin with --lead learned, parts per\n"
		"                       million of its CPU, 1 to 1000000 (default 10000)\n"
		"      --lead-table     print what leads cost and gain here: with each, the parts per\n"
		"                       million of tasks that would start late and of the CPU that\n"
		"                       would be spun; needs --lead learned\n"
		"      --counters[=LIST]\n"
		"                       print what counters of the CPU have counted, whatever it ran,\n"
		"                       while there was a task to run: up to 4 names as perf list has\n"
		"                       them, or TYPE:CONFIG (default\n"
		"                       " COUNTERS ");\n"
		"                       needs CAP_PERFMON.  One that is not there is absent\n"
		"      --spin US|forever  how long the worker spins before it sleeps (default 0)\n"
		"      --backend NAME   kernel or soft (default: HFT_BACKEND, or what there is)\n"
		"      --histogram      print how many tasks had which latency, too\n"
		"  -j, --json           print JSON instead of text\n"
		"      --plot FILE.png  draw the histogram, by gnuplot\n"
		"      --hdr FILE.hlog  write the histograms in the log format of HdrHistogram\n"
		"  -q, --quiet          do not say what spoils latency on this machine\n"
		"  -h, --help           this text\n"
		"\n"
		"It needs CAP_SYS_NICE or RLIMIT_RTPRIO for a priority.  Without hft.ko the\n"
		"process starts the tasks itself (backend soft), and \"interrupt\" is its own\n"
		"waking up.  SIGINT ends it early; what was measured is printed.\n"
		"Exit status: 0, 1 when it could not measure or a task started early, 2 for\n"
		"wrong usage.\n",
		MIN_INTERVAL_US, MAX_INTERVAL_US);
}

static bool parse_lead(const char *text, struct config *config)
{
	if (strcmp(text, "auto") && strcmp(text, "learned"))
		return parse_number(text, 10, 0, NSEC_PER_SEC, &config->lead_ns);
	config->lead_ns = *text == 'a' ? HFT_LEAD_AUTO : HFT_LEAD_LEARNED;
	return true;
}

static bool parse_spin(const char *text, struct config *config)
{
	if (!strcmp(text, "forever")) {
		config->spin_ns = HFT_SPIN_FOREVER;
		return true;
	}
	if (!parse_number(text, 10, 0, MAX_INTERVAL_US, &config->spin_ns))
		return false;
	config->spin_ns *= NSEC_PER_USEC;
	return true;
}

enum { OPT_LEAD = 256, OPT_SPIN, OPT_BACKEND, OPT_HISTOGRAM, OPT_PLOT, OPT_HDR, OPT_BUDGET,
	OPT_LEAD_TABLE, OPT_COUNTERS };

static const struct option options[] = {
	{ "affinity", required_argument, NULL, 'a' },
	{ "interval", required_argument, NULL, 'i' },
	{ "loops", required_argument, NULL, 'l' },
	{ "priority", required_argument, NULL, 'p' },
	{ "lead", required_argument, NULL, OPT_LEAD },
	{ "budget", required_argument, NULL, OPT_BUDGET },
	{ "lead-table", no_argument, NULL, OPT_LEAD_TABLE },
	{ "counters", optional_argument, NULL, OPT_COUNTERS },
	{ "spin", required_argument, NULL, OPT_SPIN },
	{ "backend", required_argument, NULL, OPT_BACKEND },
	{ "histogram", no_argument, NULL, OPT_HISTOGRAM },
	{ "json", no_argument, NULL, 'j' },
	{ "plot", required_argument, NULL, OPT_PLOT },
	{ "hdr", required_argument, NULL, OPT_HDR },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static bool parse_option(int c, const char *text, struct config *config)
{
	uint64_t number;

	switch (c) {
	case 'a':
		if (!parse_number(text, 10, 0, CPU_SETSIZE - 1, &number))
			return false;
		config->cpu = (uint32_t)number;
		return true;
	case 'i':
		if (!parse_number(text, 10, MIN_INTERVAL_US, MAX_INTERVAL_US, &number))
			return false;
		config->interval_ns = number * NSEC_PER_USEC;
		return true;
	case 'l':
		return parse_number(text, 10, 1, MAX_LOOPS, &config->loops);
	case 'p':
		if (!parse_number(text, 10, 0, 99, &number))
			return false;
		config->priority = (int)number;
		return true;
	case OPT_LEAD:
		return parse_lead(text, config);
	case OPT_BUDGET:
		if (!parse_number(text, 10, 1, 1000000, &number))
			return false;
		config->budget_ppm = (uint32_t)number;
		return true;
	case OPT_LEAD_TABLE:
		config->lead_table = true;
		return true;
	case OPT_COUNTERS:
		config->counters = true;
		return counters_parse(text ? text : COUNTERS, &config->pmu);
	case OPT_SPIN:
		return parse_spin(text, config);
	case OPT_BACKEND:
		config->backend = text;
		return !strcmp(text, "kernel") || !strcmp(text, "soft");
	case OPT_HISTOGRAM:
		config->histogram = true;
		return true;
	case 'j':
		config->json = true;
		return true;
	case OPT_PLOT:
		config->plot = text;
		return true;
	case OPT_HDR:
		config->hdr = text;
		return true;
	default:
		config->quiet = true;
		return true;
	}
}

static int report(const struct config *config, const struct result *result)
{
	int ret = config->json ? report_json(config, result) : report_text(config, result);

	if (!ret && config->plot)
		ret = report_plot(config, result);
	if (!ret && config->hdr)
		ret = report_hdr(config, result);
	if (!ret && result->early)
		ret = fail(ETIME, "%llu tasks started before their release",
			   (unsigned long long)result->early);
	return ret;
}

static double realtime_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / NSEC_PER_SEC;
}

int main(int argc, char **argv)
{
	struct config config = {
		.interval_ns = NSEC_PER_MSEC,
		.loops = 10000,
		.priority = 90,
		.lead_ns = HFT_LEAD_AUTO,
	};
	static struct result result;
	double start_s;
	int c, ret;

	while ((c = getopt_long(argc, argv, "a:i:l:p:jqh", options, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return 0;
		}
		if (c == '?')
			return 2;
		if (!parse_option(c, optarg, &config))
			return wrong_usage("%s is out of range", optarg);
	}
	if (optind < argc)
		return wrong_usage("%s: unexpected", argv[optind]);
	if (config.lead_ns != HFT_LEAD_LEARNED && (config.budget_ppm || config.lead_table))
		return wrong_usage("--budget and --lead-table need --lead learned");
	start_s = realtime_s();
	ret = measure(&config, &result);
	result.start_s = start_s;
	result.length_s = realtime_s() - start_s;
	if (ret < 0)
		return 1;
	if (!result.tasks) {
		fail(0, "no task was run");
		return 1;
	}
	return report(&config, &result) < 0;
}
