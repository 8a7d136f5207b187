// SPDX-License-Identifier: GPL-2.0-only
/*
 * Differential test: random operations on a backend and on a simulated machine, which
 * both have to say the same of them.  A sequence that does not is made as short as it can
 * be and printed, with what it takes to run it again.
 */
#include <getopt.h>

#include "differ_run.h"

/* Sequences that have their rings in common. */
#define ERA		512
#define DEFAULT_NUMBER	10000

struct options {
	const char *backend;
	uint64_t seed;
	uint64_t first;
	uint64_t number;
	bool verbose;
};

static struct pair pair = { .patience = PATIENCE_NS };
static struct op ops[OPS], shorter[OPS];

static void open_pair(const struct options *options)
{
	if (side_open(&pair.oracle, "sim") || side_open(&pair.subject, options->backend)) {
		printf("Bail out! %s: %s\n", options->backend, hft_strerror(EIO));
		exit(1);
	}
	side_leave();
}

static uint64_t mix(uint64_t seed, uint64_t index)
{
	uint64_t state = seed + index * 0x9e3779b97f4a7c15;

	return random_u64(&state);
}

static bool open_rings(const struct options *options, uint64_t index)
{
	uint64_t seed = mix(~options->seed, index / ERA);

	side_open_rings(&pair.oracle, seed);
	side_leave();
	side_open_rings(&pair.subject, seed);
	return pair_agrees(&pair, "open", 0);
}

static void close_rings(void)
{
	side_close_rings(&pair.oracle);
	side_leave();
	side_close_rings(&pair.subject);
}

static void close_pair(void)
{
	hft_close(pair.oracle.h);
	side_leave();
	hft_close(pair.subject.h);
}

static uint32_t draw_sequence(const struct options *options, uint64_t index)
{
	static struct draw d;

	d.random = mix(options->seed, index);
	d.nr = 0;
	d.wall[HFT_CLOCK_REALTIME] = real_time(CLOCK_REALTIME);
	d.wall[HFT_CLOCK_TAI] = real_time(CLOCK_TAI);
	return draw_ops(&d, ops);
}

/* Is there a difference from a fresh start, too? */
static bool differs(const struct options *options, uint64_t index, const struct op *some,
		    uint32_t nr)
{
	bool same;

	pair.difference[0] = '\0';
	open_pair(options);
	same = open_rings(options, index) && pair_run(&pair, some, nr);
	close_rings();
	close_pair();
	return !same;
}

/* Drop operations that the difference does not need.  Returns how many are left. */
static uint32_t shrink_ops(const struct options *options, uint64_t index, uint32_t nr)
{
	uint32_t part, at;

	for (part = nr / 2; part; part /= 2) {
		for (at = 0; at + part <= nr; ) {
			memcpy(shorter, ops, at * sizeof(ops[0]));
			memcpy(&shorter[at], &ops[at + part], (nr - at - part) * sizeof(ops[0]));
			if (!differs(options, index, shorter, nr - part)) {
				at += part;
				continue;
			}
			nr -= part;
			memcpy(ops, shorter, nr * sizeof(ops[0]));
		}
	}
	return nr;
}

/* And tasks of its batches. */
static void shrink_batch(const struct options *options, uint64_t index, uint32_t nr, uint32_t at)
{
	struct op *op = &ops[at];
	uint32_t i;

	for (i = op->nr; i-- && op->nr > 1; ) {
		struct op saved = *op;

		memmove(&op->tasks[i], &op->tasks[i + 1],
			(op->nr - i - 1) * sizeof(op->tasks[0]));
		op->nr--;
		if (!differs(options, index, ops, nr))
			*op = saved;
	}
}

static uint32_t shrink(const struct options *options, uint64_t index, uint32_t nr)
{
	uint32_t i;

	nr = shrink_ops(options, index, nr);
	for (i = 0; i < nr; i++) {
		if (ops[i].kind == BATCHED)
			shrink_batch(options, index, nr, i);
	}
	return nr;
}

static void print_rings(void)
{
	const struct hft_ring_opts *opts = pair.subject.opts;
	uint32_t i;

	for (i = 0; i < RINGS; i++, opts++)
		printf("#   ring %u: CPU %u, policy %u, %u entries, window %u, levels 0x%x, lead %"
		       PRIu64 " ns\n", i, opts->cpu, opts->policy, opts->entries, opts->window,
		       opts->level_mask, opts->lead_ns);
}

static void tell_difference(const struct options *options, uint64_t index, uint32_t nr)
{
	uint32_t i;

	printf("# sequence %" PRIu64 " of seed %" PRIu64 ": %s\n", index, options->seed,
	       pair.difference);
	printf("# again: --backend %s --seed %" PRIu64 " --first %" PRIu64 " --number 1\n",
	       options->backend, options->seed, index);
	print_rings();
	pair.patience = HASTE_NS;
	close_rings();
	close_pair();
	if (differs(options, index, ops, nr))
		nr = shrink(options, index, nr);
	else
		printf("# not by itself: it takes the sequences before it\n");
	/* What the shortest says, not the last that was tried. */
	differs(options, index, ops, nr);
	printf("# %s\n", pair.difference);
	for (i = 0; i < nr; i++)
		print_op(&ops[i], i);
}

/* The rings of an era are closed with what its last sequence left in them. */
static bool end_era(const struct options *options, uint64_t index)
{
	uint32_t nr = draw_sequence(options, mix(index, 1)), i;

	for (i = 0; i < nr; i++) {
		if (!pair_do(&pair, &ops[i], i))
			return false;
	}
	close_rings();
	say_stats(&pair.oracle, HFT_STATS_CONTEXT);
	side_leave();
	say_stats(&pair.subject, HFT_STATS_CONTEXT);
	return pair_agrees(&pair, "close", 0);
}

static bool run_sequences(const struct options *options)
{
	uint64_t index, last = options->first + options->number - 1;
	uint32_t nr;

	open_pair(options);
	open_rings(options, options->first);
	for (index = options->first; index <= last; index++) {
		nr = draw_sequence(options, index);
		if (options->verbose)
			printf("# sequence %" PRIu64 "\n", index);
		if (!pair_run(&pair, ops, nr)) {
			tell_difference(options, index, nr);
			return false;
		}
		if ((index + 1) % ERA && index < last)
			continue;
		if (!end_era(options, index)) {
			printf("# end of sequence %" PRIu64 " of seed %" PRIu64 ": %s\n", index,
			       options->seed, pair.difference);
			return false;
		}
		if (index < last)
			open_rings(options, index + 1);
	}
	close_pair();
	return true;
}

static bool have_kernel(void)
{
	HFT_OPTS(hft_opts, opts, .backend = "kernel", .tasks = 1);
	struct hft *h;

	if (hft_open(&h, &opts))
		return false;
	hft_close(h);
	return true;
}

/* So many, times HFT_TEST_SCALE; a kernel with its checkers built in is slow. */
static uint64_t scaled(uint64_t n)
{
	const char *scale = getenv("HFT_TEST_SCALE");
	double value = (double)n * (scale ? strtod(scale, NULL) : 1.0);

	if (!access("/sys/kernel/debug/kmemleak", F_OK))
		value /= 20;
	return value >= 1 ? (uint64_t)value : 1;
}

static void usage(FILE *out)
{
	fputs("Usage: differential [OPTION]...\n"
	      "Random operations on a backend and on a simulated machine: do both say the same?\n"
	      "\n"
	      "  -b, --backend NAME  kernel or soft (default: kernel, soft where there is none)\n"
	      "  -s, --seed N        of the random numbers (1)\n"
	      "  -f, --first N       the first sequence (0)\n"
	      "  -n, --number N      how many sequences (10000 times HFT_TEST_SCALE)\n"
	      "  -v, --verbose       name each sequence before it is run\n"
	      "  -h, --help          this text\n"
	      "\n"
	      "Exit status: 0, 1 when there is a difference, 2 for wrong usage.\n", out);
}

static bool read_number(const char *text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	return !errno && end != text && !*end && *text != '-';
}

/* Returns -1, or the status to exit with. */
static int read_option(struct options *options, int c)
{
	switch (c) {
	case 'b':
		options->backend = optarg;
		return -1;
	case 's':
		return read_number(optarg, &options->seed) ? -1 : 2;
	case 'f':
		return read_number(optarg, &options->first) ? -1 : 2;
	case 'n':
		return read_number(optarg, &options->number) && options->number ? -1 : 2;
	case 'v':
		options->verbose = true;
		return -1;
	case 'h':
		usage(stdout);
		return 0;
	default:
		return 2;
	}
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{ "backend", required_argument, NULL, 'b' },
		{ "seed", required_argument, NULL, 's' },
		{ "first", required_argument, NULL, 'f' },
		{ "number", required_argument, NULL, 'n' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct options options = { .seed = 1, .number = scaled(DEFAULT_NUMBER) };
	int c, status = -1;
	bool same;

	while (status < 0 && (c = getopt_long(argc, argv, "b:s:f:n:vh", names, NULL)) != -1)
		status = read_option(&options, c);
	if (status < 0 && optind < argc)
		status = 2;
	if (status == 2)
		usage(stderr);
	if (status >= 0)
		return status;

	if (!options.backend)
		options.backend = have_kernel() ? "kernel" : "soft";
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("TAP version 13\n1..1\n");
	same = run_sequences(&options);
	printf("%sok 1 %s: %" PRIu64 " sequences of seed %" PRIu64 "\n", same ? "" : "not ",
	       options.backend, options.number, options.seed);
	return !same;
}
