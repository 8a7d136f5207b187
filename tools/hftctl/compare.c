// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl graph compare: what the order by the critical path gains over that of submission. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hft/hft.h>

#include "../../libhft/src/random.h"
#include "graph.h"
#include "hftctl.h"
#include "machine.h"

#define UNIT_NS		1000	/* of a graph's times */

/* A graph counts if a bound allows a run by submission to take so much less. */
#define ALLOWS		0.2

/**
 * struct drift - what a graph's nodes take
 * @stg: the graph; its costs are those of the tick, for the bound
 * @nr: nodes
 * @given: their costs as the graph is built, ns
 * @first: in the first tick, ns
 * @rises: to the last tick by the factor, or falls by it
 * @now: in this tick, ns
 */
struct drift {
	struct stg stg;
	uint32_t nr;
	uint64_t *given;
	double *first;
	bool *rises;
	uint64_t *now;
};

static void drift_free(struct drift *drift)
{
	stg_free(&drift->stg);
	free(drift->given);
	free(drift->first);
	free(drift->rises);
	free(drift->now);
}

static int drift_alloc(struct drift *drift)
{
	uint32_t nr = drift->nr = hft_graph_nodes(drift->stg.graph);

	drift->given = calloc(nr, sizeof(*drift->given));
	drift->first = calloc(nr, sizeof(*drift->first));
	drift->rises = calloc(nr, sizeof(*drift->rises));
	drift->now = calloc(nr, sizeof(*drift->now));
	if (drift->given && drift->first && drift->rises && drift->now)
		return 0;
	return -ENOMEM;
}

/* Its costs are those of the file. */
static int drift_open(struct drift *drift, const char *path)
{
	struct hft_node_info info = { .sz = sizeof(info) };
	uint32_t i;
	int err;

	*drift = (struct drift){};
	err = stg_read(path, &drift->stg);
	if (err)
		return err;
	if (drift_alloc(drift)) {
		drift_free(drift);
		return fail(ENOMEM, "%s", path);
	}
	for (i = 0; i < drift->nr; i++) {
		hft_graph_node_info(drift->stg.graph, i, &info);
		drift->given[i] = info.cost_ns * UNIT_NS;
	}
	return 0;
}

/* Above 0, to 1. */
static double random_part(uint64_t *state)
{
	return (double)((random_u64(state) >> 11) + 1) / 0x1p53;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Each graph has other random numbers, whichever others there are. */
static uint64_t mix_name(uint64_t seed, const char *name)
{
	for (; *name; name++) {
		seed ^= (unsigned char)*name;
		random_u64(&seed);
	}
	return seed;
}

/* Of an exponential distribution, whose mean is what the file says. */
static void choose_costs(struct drift *drift, uint64_t state)
{
	uint32_t i;

	for (i = 0; i < drift->nr; i++) {
		drift->first[i] = -log(random_part(&state)) * (double)drift->given[i];
		drift->rises[i] = random_u64(&state) & 1;
	}
}

/* At @part of the way from the first tick, 0, to the last, 1. */
static void drift_to(struct drift *drift, double factor, double part)
{
	double rise = pow(factor, part), fall = pow(factor, -part);
	uint32_t i;

	for (i = 0; i < drift->nr; i++)
		drift->now[i] = (uint64_t)(drift->first[i] * (drift->rises[i] ? rise : fall));
}

static void drift_to_tick(struct drift *drift, const struct compare_args *args, uint32_t tick)
{
	double part = args->ticks > 1 ? (double)tick / (args->ticks - 1) : 0;

	drift_to(drift, args->drift, part);
}

/* No schedule of so many workers is shorter: the path, and the work shared evenly. */
static int find_bound(struct drift *drift, uint32_t workers, uint64_t *ns)
{
	uint64_t length, work = 0;
	uint32_t i;
	int err;

	for (i = 0; i < drift->nr; i++) {
		err = hft_graph_set_cost(drift->stg.graph, i, drift->now[i]);
		if (err)
			return err;
		work += drift->now[i];
	}
	length = hft_graph_length(drift->stg.graph);
	work = (work + workers - 1) / workers;
	*ns = length > work ? length : work;
	return 0;
}

static int sum_bounds(struct drift *drift, const struct compare_args *args, uint32_t workers,
		      uint64_t *sum)
{
	uint64_t ns;
	uint32_t tick;
	int err;

	*sum = 0;
	for (tick = 0; tick < args->ticks; tick++) {
		drift_to_tick(drift, args, tick);
		err = find_bound(drift, workers, &ns);
		if (err)
			return err;
		*sum += ns;
	}
	return 0;
}

/* The graph learns what its nodes take, from tick to tick; before the first it has the file's. */
static int sum_runs(struct drift *drift, const struct compare_args *args, uint32_t workers,
		    uint64_t seed, uint32_t order, uint64_t *sum)
{
	HFT_OPTS(hft_graph_opts, opts, .nodes = drift->nr, .hop_ns = 1);
	struct machine machine;
	uint64_t ns;
	uint32_t tick, i;
	int err = 0;

	for (i = 0; i < drift->nr && !err; i++)
		err = hft_graph_set_cost(drift->stg.graph, i, drift->given[i]);
	if (!err)
		err = machine_open(&machine, &drift->stg, workers, seed, &opts, drift->now);
	if (err)
		return err;
	*sum = 0;
	for (tick = 0; tick < args->ticks && !err; tick++) {
		drift_to_tick(drift, args, tick);
		err = machine_run(&machine, order, &ns);
		*sum += ns;
	}
	machine_close(&machine);
	return err;
}

static int compare_orders(struct drift *drift, const struct compare_args *args, uint32_t workers,
			  const char *name, uint64_t seed, json_t *row)
{
	uint64_t by_rank, by_submission, bound;
	double gain, most;
	int err;

	choose_costs(drift, mix_name(seed, name));
	err = sum_runs(drift, args, workers, seed, HFT_ORDER_SUBMISSION, &by_submission);
	if (!err)
		err = sum_runs(drift, args, workers, seed, HFT_ORDER_RANK, &by_rank);
	if (!err)
		err = sum_bounds(drift, args, workers, &bound);
	if (err)
		return err;
	gain = by_submission ? 1 - (double)by_rank / (double)by_submission : 0;
	most = by_submission ? 1 - (double)bound / (double)by_submission : 0;
	json_object_set_new(row, "rank_ns", json_integer((json_int_t)(by_rank / args->ticks)));
	json_object_set_new(row, "submission_ns",
			    json_integer((json_int_t)(by_submission / args->ticks)));
	json_object_set_new(row, "bound_ns", json_integer((json_int_t)(bound / args->ticks)));
	json_object_set_new(row, "gain_pct", json_real(100 * gain));
	json_object_set_new(row, "most_pct", json_real(100 * most));
	json_object_set_new(row, "counts", json_boolean(most >= ALLOWS));
	return 0;
}

static int add_row(struct drift *drift, const struct compare_args *args, const char *path,
		   uint32_t workers, uint64_t seed, json_t *rows)
{
	json_t *row = json_pack("{s:s, s:I, s:I}", "graph", name_of(path),
				"workers", (json_int_t)workers, "seed", (json_int_t)seed);
	int err;

	if (!row)
		return fail(EILSEQ, "%s: a name that is no UTF-8, or no memory", path);
	json_array_append_new(rows, row);
	err = compare_orders(drift, args, workers, name_of(path), seed, row);
	if (err)
		fail_hft(err, path);
	return err;
}

static int compare_file(const struct compare_args *args, const char *path, json_t *rows)
{
	static const uint32_t counts[] = { 2, 4, 8 };
	struct drift drift;
	uint64_t seed;
	size_t i;
	int err;

	err = drift_open(&drift, path);
	if (err)
		return err;
	for (seed = args->seed; seed < args->seed + args->rounds && !err; seed++) {
		if (args->workers)
			err = add_row(&drift, args, path, args->workers, seed, rows);
		for (i = 0; !args->workers && i < sizeof(counts) / sizeof(counts[0]) && !err; i++)
			err = add_row(&drift, args, path, counts[i], seed, rows);
	}
	drift_free(&drift);
	return err;
}

static void add_means(json_t *rows, json_t *value)
{
	double gain, all = 0, counted = 0;
	json_int_t nr = 0;
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		gain = json_real_value(json_object_get(row, "gain_pct"));
		all += gain;
		if (!json_is_true(json_object_get(row, "counts")))
			continue;
		counted += gain;
		nr++;
	}
	json_object_set_new(value, "rows", json_integer((json_int_t)json_array_size(rows)));
	json_object_set_new(value, "rows_that_count", json_integer(nr));
	json_object_set_new(value, "gain_pct_all",
			    json_real(json_array_size(rows) ?
				      all / (double)json_array_size(rows) : 0));
	json_object_set_new(value, "gain_pct", nr ? json_real(counted / (double)nr) : json_null());
}

static void print_text(json_t *value)
{
	json_t *row;
	size_t i;

	printf("%-16s %7s %6s %14s %14s %14s %9s %9s %s\n", "graph", "workers", "seed", "rank_ns",
	       "submission_ns", "bound_ns", "gain_pct", "most_pct", "counts");
	json_array_foreach(json_object_get(value, "row"), i, row) {
		const char *name;
		json_int_t workers, seed, rank, submission, bound;
		double gain, most;
		int counts;

		json_unpack(row, "{s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:b}", "graph", &name,
			    "workers", &workers, "seed", &seed, "rank_ns", &rank, "submission_ns",
			    &submission, "bound_ns", &bound, "gain_pct", &gain, "most_pct", &most,
			    "counts", &counts);
		printf("%-16s %7lld %6lld %14lld %14lld %14lld %9.2f %9.2f %s\n", name,
		       (long long)workers, (long long)seed, (long long)rank,
		       (long long)submission, (long long)bound, gain, most,
		       counts ? "yes" : "no");
	}
	printf("\nrows %lld, gain %.2f %% on average; a bound allows %.0f %% of %lld",
	       (long long)json_integer_value(json_object_get(value, "rows")),
	       json_real_value(json_object_get(value, "gain_pct_all")), 100 * ALLOWS,
	       (long long)json_integer_value(json_object_get(value, "rows_that_count")));
	row = json_object_get(value, "gain_pct");
	if (json_is_real(row))
		printf(": %.2f %%", json_real_value(row));
	putchar('\n');
}

int compare_files(const struct compare_args *args, char *const *paths, int nr)
{
	json_t *value = json_object(), *rows = json_array();
	int i, err = 0;

	json_object_set_new(value, "ticks", json_integer(args->ticks));
	json_object_set_new(value, "drift", json_real(args->drift));
	json_object_set_new(value, "row", rows);
	for (i = 0; i < nr && !err; i++)
		err = compare_file(args, paths[i], rows);
	if (!err)
		add_means(rows, value);
	if (!err && args->json) {
		json_dumpf(value, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (!err) {
		print_text(value);
	}
	json_decref(value);
	if (!err && (fflush(stdout) || ferror(stdout)))
		err = fail(errno, "standard output");
	return err;
}
