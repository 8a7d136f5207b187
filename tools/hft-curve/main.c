// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-curve: what fraction of random task sets is schedulable, by utilisation and policy. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "hft-curve.h"

#define MAX_TASKS	64		/* of a set */

static void usage(FILE *out)
{
	fputs("Usage: hft-curve [OPTION]...\n"
	      "Print what fraction of random task sets (UUniFast) is schedulable on one CPU.\n"
	      "\n"
	      "  edf        under EDF, by processor demand: exact\n"
	      "  fixed      under fixed priorities in the order of deadlines, by response time: exact\n"
	      "  admit_edf  by what the kernel admits under EDF: the sum of densities, to 100 %\n"
	      "  admit_rm   and under RM: the hyperbolic bound\n"
	      "  sim_edf    no deadline is missed on a simulated CPU in a hyperperiod, under EDF\n"
	      "  sim_rm     and under RM (of deadlines before the period: deadline monotonic)\n"
	      "\n"
	      "  -n, --sets N        sets of each utilisation (1000)\n"
	      "  -t, --tasks N       tasks of each set, 1 to 64 (6)\n"
	      "  -s, --seed N        of the random numbers (1): the same prints the same\n"
	      "  -f, --from U        utilisation of the first point (0.5)\n"
	      "  -u, --to U          of the last, at most 1 (1.0)\n"
	      "  -d, --step U        between two (0.05), for 64 points at most\n"
	      "  -c, --constrained   deadlines are from the wcet to the period; otherwise the\n"
	      "                      period\n"
	      "  -S, --simulate      sim_edf and sim_rm too\n"
	      "  -j, --json          print JSON: fractions from 0 to 1\n"
	      "      --plot FILE.png draw the curves, by gnuplot\n"
	      "  -h, --help          this text\n"
	      "\n"
	      "Exit status: 0, 1 when something failed, 2 for wrong usage.\n",
	      out);
}

static bool parse_option(struct config *config, int option)
{
	uint64_t number = 0;
	bool good = true;

	switch (option) {
	case 'n':
		good = parse_number(optarg, 0, 1, 1000000000, &number);
		config->sets = (uint32_t)number;
		return good;
	case 't':
		good = parse_number(optarg, 0, 1, MAX_TASKS, &number);
		config->tasks = (uint32_t)number;
		return good;
	case 's':
		return parse_number(optarg, 0, 0, UINT64_MAX, &config->seed);
	case 'f':
		return parse_real(optarg, 0.001, 1.0, &config->from);
	case 'u':
		return parse_real(optarg, 0.001, 1.0, &config->to);
	case 'd':
		return parse_real(optarg, 0.001, 1.0, &config->step);
	case 'c':
		config->constrained = true;
		return true;
	case 'S':
		config->simulate = true;
		return true;
	case 'j':
		config->json = true;
		return true;
	case 'p':
		config->plot = optarg;
		return true;
	default:
		return false;
	}
}

/* Returns 0, or the exit status. */
static int parse(struct config *config, int argc, char **argv)
{
	static const struct option options[] = {
		{ "sets", required_argument, NULL, 'n' },
		{ "tasks", required_argument, NULL, 't' },
		{ "seed", required_argument, NULL, 's' },
		{ "from", required_argument, NULL, 'f' },
		{ "to", required_argument, NULL, 'u' },
		{ "step", required_argument, NULL, 'd' },
		{ "constrained", no_argument, NULL, 'c' },
		{ "simulate", no_argument, NULL, 'S' },
		{ "json", no_argument, NULL, 'j' },
		{ "plot", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	int option;

	while ((option = getopt_long(argc, argv, "n:t:s:f:u:d:cSjh", options, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			exit(0);
		}
		if (!parse_option(config, option)) {
			return option == '?' ? 2 : wrong_usage("%s is out of range", optarg);
		}
	}
	return optind < argc ? wrong_usage("%s: unexpected", argv[optind]) : 0;
}

static void print_json(const struct config *config, const struct point *points, uint32_t nr)
{
	enum judge j;
	uint32_t i;

	printf("{\"sets\": %u, \"tasks\": %u, \"seed\": %llu, \"deadlines\": \"%s\", \"points\": [",
	       config->sets, config->tasks, (unsigned long long)config->seed,
	       config->constrained ? "constrained" : "implicit");
	for (i = 0; i < nr; i++) {
		printf("%s\n  {\"utilisation\": %.4f", i ? "," : "", points[i].utilisation);
		for (j = 0; j < JUDGES; j++)
			if (is_asked(config, j))
				printf(", \"%s\": %.6f", judge_names[j],
				       (double)points[i].schedulable[j] / config->sets);
		putchar('}');
	}
	puts("\n]}");
}

static void print_text(const struct config *config, const struct point *points, uint32_t nr)
{
	enum judge j;
	uint32_t i;

	printf("%11s", "utilisation");
	for (j = 0; j < JUDGES; j++)
		if (is_asked(config, j))
			printf(" %9s", judge_names[j]);
	putchar('\n');
	for (i = 0; i < nr; i++) {
		printf("%11.4f", points[i].utilisation);
		for (j = 0; j < JUDGES; j++)
			if (is_asked(config, j))
				printf(" %9.4f", (double)points[i].schedulable[j] / config->sets);
		putchar('\n');
	}
}

static int run(const struct config *config)
{
	uint32_t nr = (uint32_t)((config->to - config->from) / config->step + 1.000001), i;
	struct point points[MAX_POINTS] = { 0 };
	uint64_t random = config->seed;
	int err = 0;

	for (i = 0; i < nr && !err; i++) {
		points[i].utilisation = config->from + i * config->step;
		err = judge_point(config, &random, &points[i]);
	}
	if (err)
		return err;
	if (config->json)
		print_json(config, points, nr);
	else
		print_text(config, points, nr);
	if (fflush(stdout) || ferror(stdout))
		return fail(errno, "standard output");
	return config->plot ? plot_points(config, points, nr) : 0;
}

int main(int argc, char **argv)
{
	struct config config = {
		.sets = 1000, .tasks = 6, .seed = 1, .from = 0.5, .to = 1.0, .step = 0.05,
	};
	int status = parse(&config, argc, argv);

	if (status)
		return status;
	if (config.to < config.from ||
	    (config.to - config.from) / config.step + 1.000001 >= MAX_POINTS + 1)
		return wrong_usage("no points, or more than 64");
	return run(&config) ? 1 : 0;
}
