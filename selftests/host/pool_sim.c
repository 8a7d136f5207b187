// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* A pool on a simulated machine: the same tasks, in virtual time, and each time the same. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <hft/graph.h>
#include <hft/pool.h>
#include <hft/resource.h>
#include <hft/sim.h>
#include <hft/strand.h>

#include "random.h"

#define US	1000ULL

struct machine {
	struct hft *h;
	struct hft_pool *pool;
};

static void open_machine(struct machine *machine, const char *options, uint32_t workers)
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = options);
	HFT_OPTS(hft_pool_opts, pool, .workers = workers);

	assert_int_equal(hft_open(&machine->h, &opts), 0);
	pool.hft = machine->h;
	assert_int_equal(hft_pool_open(&machine->pool, &pool), 0);
}

static void close_machine(struct machine *machine)
{
	hft_pool_close(machine->pool);
	hft_close(machine->h);
}

static int64_t spin(void *args)
{
	hft_spin_until(hft_now() + *(uint64_t *)args);
	return 0;
}

/* Eight tasks of 10 us each on as many workers as there are. */
static void takes_as_long_as_it_spins(void **state)
{
	uint64_t ns = 10 * US, start;
	struct machine machine;
	struct hft_group group;
	uint32_t workers;
	int i;

	(void)state;
	for (workers = 1; workers <= 8; workers *= 2) {
		open_machine(&machine, "cpus=8", workers);
		start = hft_now();
		hft_group_init(&group, machine.pool);
		for (i = 0; i < 8; i++)
			assert_int_equal(hft_group_spawn(&group, spin, &ns, sizeof(ns)), 0);
		assert_int_equal(hft_now(), start);
		assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
		assert_int_equal(hft_now() - start, 8 * ns / workers);
		close_machine(&machine);
	}
}

static void waits_in_its_time(void **state)
{
	struct hft_handle handle;
	struct machine machine;
	uint64_t ns = 10 * US, start;
	HFT_OPTS(hft_spawn_opts, opts);
	int64_t result = -1;

	(void)state;
	open_machine(&machine, "cpus=1,wakeup_ns=700", 1);
	start = hft_now();
	assert_int_equal(hft_spawn_opts(machine.pool, spin, &ns, sizeof(ns), &opts, &handle), 0);
	assert_int_equal(hft_join(&handle, start + 4 * US, &result), -ETIMEDOUT);
	assert_int_equal(hft_now(), start + 4 * US);
	assert_int_equal(hft_join(&handle, UINT64_MAX, &result), 0);
	assert_int_equal(result, 0);
	assert_int_equal(hft_now(), start + 10 * US);

	/* By now it sleeps. */
	hft_spin_until(start + 20 * US);
	assert_int_equal(hft_spawn_opts(machine.pool, spin, &ns, sizeof(ns), &opts, &handle), 0);
	assert_int_equal(hft_join(&handle, UINT64_MAX, NULL), 0);
	assert_int_equal(hft_now(), start + 30 * US + 700);
	close_machine(&machine);
}

static int64_t use(void *args)
{
	struct hft_resource *resource = *(struct hft_resource **)args;
	int err = hft_resource_acquire(resource);

	if (err)
		return err;
	hft_spin_until(hft_now() + 3 * US);
	return hft_resource_release(resource);
}

/* Tasks that wait for what who waits for them has: nothing will happen any more. */
static void tells_that_nothing_will_happen(void **state)
{
	struct hft_resource *resource;
	struct machine machine;
	struct hft_group group;
	uint64_t start;
	int i;

	(void)state;
	open_machine(&machine, "cpus=2", 2);
	assert_int_equal(hft_resource_open(&resource, NULL), 0);
	assert_int_equal(hft_resource_acquire(resource), 0);
	hft_group_init(&group, machine.pool);
	for (i = 0; i < 2; i++)
		assert_int_equal(hft_group_spawn(&group, use, &resource, sizeof(resource)), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), -EDEADLK);
	start = hft_now();
	assert_int_equal(hft_group_wait(&group, start + US), -ETIMEDOUT);
	assert_int_equal(hft_now(), start + US);

	assert_int_equal(hft_resource_release(resource), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	assert_int_equal(hft_now(), start + 7 * US);
	close_machine(&machine);
	assert_int_equal(hft_resource_close(resource), 0);
}

static int64_t keep(void *args)
{
	return hft_resource_acquire(*(struct hft_resource **)args);
}

/* Likewise who waits for a resource: no time that was set is over. */
static void tells_that_nobody_releases(void **state)
{
	struct hft_resource *resource;
	struct machine machine;
	struct hft_group group;

	(void)state;
	open_machine(&machine, "cpus=1", 1);
	assert_int_equal(hft_resource_open(&resource, NULL), 0);
	hft_group_init(&group, machine.pool);
	assert_int_equal(hft_group_spawn(&group, keep, &resource, sizeof(resource)), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	assert_int_equal(hft_resource_acquire(resource), -EDEADLK);
	assert_int_equal(hft_resource_timed(resource, hft_now() + US), -ETIMEDOUT);
	close_machine(&machine);
	assert_int_equal(hft_resource_close(resource), 0);
}

struct patience {
	struct hft_pool *pool;
	struct hft_resource *resource;
};

/* In a task, each wait until a time is over then. */
static int64_t be_patient(void *args)
{
	struct patience patience = *(struct patience *)args;
	uint64_t start = hft_now(), ns = 9 * US;
	HFT_OPTS(hft_spawn_opts, opts, .worker = 2);
	struct hft_handle handle;

	if (hft_resource_timed(patience.resource, start + 3 * US) != -ETIMEDOUT ||
	    hft_now() != start + 3 * US ||
	    hft_resource_timed(patience.resource, start) != -ETIMEDOUT ||
	    hft_spawn_opts(patience.pool, spin, &ns, sizeof(ns), &opts, &handle) ||
	    hft_join(&handle, start + 5 * US, NULL) != -ETIMEDOUT || hft_now() != start + 5 * US ||
	    hft_join(&handle, UINT64_MAX, NULL) || hft_now() != start + 12 * US)
		return -EPROTO;
	return 0;
}

static void tasks_wait_until_a_time(void **state)
{
	struct patience patience;
	struct machine machine;
	struct hft_group group;
	HFT_OPTS(hft_spawn_opts, opts, .group = &group, .worker = 1);

	(void)state;
	open_machine(&machine, "cpus=2", 2);
	patience.pool = machine.pool;
	assert_int_equal(hft_resource_open(&patience.resource, NULL), 0);
	assert_int_equal(hft_resource_acquire(patience.resource), 0);
	hft_group_init(&group, machine.pool);
	assert_int_equal(hft_spawn_opts(machine.pool, be_patient, &patience, sizeof(patience),
					&opts, NULL), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	assert_int_equal(hft_resource_release(patience.resource), 0);
	assert_int_equal(hft_resource_close(patience.resource), 0);
	close_machine(&machine);
}

struct visit {
	struct hft_group group;
	int err;
};

/* The body of a ring's worker is part of the machine: it may spawn, and not wait. */
static void visit(const struct hft_event *event, uint64_t start, void *arg)
{
	struct visit *visit = arg;
	uint64_t ns = 10 * US;

	(void)start;
	assert_int_equal(event->cookie, 7);
	assert_int_equal(hft_group_spawn(&visit->group, spin, &ns, sizeof(ns)), 0);
	visit->err = hft_group_wait(&visit->group, UINT64_MAX);
}

static void bodies_of_rings_spawn(void **state)
{
	HFT_OPTS(hft_ring_opts, ring_opts);
	struct visit visited = {};
	HFT_OPTS(hft_worker_opts, worker_opts, .fn = visit, .arg = &visited);
	struct hft_task task = { .cookie = 7 };
	struct hft_worker *worker;
	struct machine machine;
	struct hft_ring *ring;
	uint64_t start;

	(void)state;
	open_machine(&machine, "cpus=2", 1);
	assert_int_equal(hft_ring_open(machine.h, &ring_opts, &ring), 0);
	assert_int_equal(hft_worker_start(ring, &worker_opts, &worker), 0);
	hft_group_init(&visited.group, machine.pool);
	task.ring = hft_ring_number(ring);
	start = hft_now() + 5 * US;
	assert_int_equal(hft_submit_at(machine.h, &task, start, NULL), 0);
	hft_spin_until(start + 1);
	assert_int_equal(visited.err, -EBUSY);
	assert_int_equal(hft_group_wait(&visited.group, UINT64_MAX), 0);
	assert_int_equal(hft_now(), start + 10 * US);
	assert_int_equal(hft_worker_stop(worker), 0);
	hft_ring_close(ring);
	close_machine(&machine);
}

static int64_t wait_for(void *args)
{
	return hft_group_wait(*(struct hft_group **)args, UINT64_MAX);
}

/* A task that waits for its own group, in which it is. */
static void closes_with_tasks_that_never_end(void **state)
{
	struct machine machine;
	struct hft_group group, *self = &group;

	(void)state;
	open_machine(&machine, "cpus=2", 2);
	hft_group_init(&group, machine.pool);
	assert_int_equal(hft_group_spawn(&group, wait_for, &self, sizeof(self)), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), -EDEADLK);
	assert_int_equal(hft_pool_remove_worker(machine.pool, 0) +
			 hft_pool_remove_worker(machine.pool, 1), -EDEADLK);
	close_machine(&machine);
}

static uint64_t time_of_a_task(struct machine *machine)
{
	uint64_t ns = 10 * US, start = hft_now();
	struct hft_group group;

	hft_group_init(&group, machine->pool);
	assert_int_equal(hft_group_spawn(&group, spin, &ns, sizeof(ns)), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	return hft_now() - start;
}

/* Threads, while who waits for them uses a machine. */

struct mixed {
	struct machine machine;
	struct hft_pool *threads;
};

static void sleep_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

static int64_t sleep_really(void *args)
{
	(void)args;
	sleep_ms(2);
	return 0;
}

/* By then its workers sleep. */
static int64_t run_on_threads(void *args)
{
	struct mixed *mixed = *(struct mixed **)args;
	uint64_t start = hft_now();
	struct hft_group group;
	int i, err;

	sleep_ms(20);
	hft_group_init(&group, mixed->threads);
	for (i = 0; i < 8; i++)
		assert_int_equal(hft_group_spawn(&group, sleep_really, NULL, 0), 0);
	err = hft_group_wait(&group, UINT64_MAX);
	/* The machine's time, which has stood still. */
	assert_int_equal(hft_now(), start);
	return err;
}

static int64_t run_on_machine(void *args)
{
	struct mixed *mixed = *(struct mixed **)args;
	struct mixed own = { .threads = mixed->threads };
	struct mixed *inner = &own;
	uint64_t start = hft_now();

	open_machine(&own.machine, "cpus=2", 2);
	assert_int_equal(time_of_a_task(&own.machine), 10 * US);
	assert_int_equal(run_on_threads(&inner), 0);
	close_machine(&own.machine);
	assert_true(hft_now() >= start);
	return 0;
}

static void threads_are_used_beside_a_machine(void **state)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = 2, .flags = HFT_POOL_UNPINNED);
	struct mixed mixed, *self = &mixed;
	struct hft_group group;
	int i;

	(void)state;
	open_machine(&mixed.machine, "cpus=2", 2);
	assert_int_equal(hft_pool_open(&mixed.threads, &opts), 0);
	assert_int_equal(run_on_threads(&self), 0);

	/* A thread of the machine */
	hft_group_init(&group, mixed.machine.pool);
	assert_int_equal(hft_group_spawn(&group, run_on_threads, &self, sizeof(self)), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);

	/* Workers that use machines of their own */
	hft_group_init(&group, mixed.threads);
	for (i = 0; i < 4; i++)
		assert_int_equal(hft_group_spawn(&group, run_on_machine, &self, sizeof(self)), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);

	assert_int_equal(hft_pool_remove_worker(mixed.threads, 0), 0);
	hft_pool_close(mixed.threads);
	assert_int_equal(time_of_a_task(&mixed.machine), 10 * US);
	close_machine(&mixed.machine);
}

struct holder {
	struct hft_group *group;
	struct hft_resource *resource;
};

/* It has what it has declared as well. */
static int64_t hold_for_ever(void *args)
{
	const struct holder *holder = args;
	int err = hft_resource_acquire(holder->resource);

	return err ? err : hft_group_wait(holder->group, UINT64_MAX);
}

/* One has both and never ends, one waits for each of them. */
static void closes_with_resources_that_are_had(void **state)
{
	struct hft_resource *declared, *acquired;
	struct hft_required required;
	struct machine machine;
	struct hft_group group;
	struct holder holder = { .group = &group };
	HFT_OPTS(hft_spawn_opts, opts, .group = &group, .resources = &required, .nr_resources = 1);
	uint64_t ns = US;

	(void)state;
	assert_int_equal(hft_resource_open(&declared, NULL), 0);
	assert_int_equal(hft_resource_open(&acquired, NULL), 0);
	holder.resource = acquired;
	required = (struct hft_required){ .resource = declared };
	open_machine(&machine, "cpus=4", 4);
	hft_group_init(&group, machine.pool);
	assert_int_equal(hft_spawn_opts(machine.pool, hold_for_ever, &holder, sizeof(holder), &opts,
					NULL), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), -EDEADLK);
	assert_int_equal(hft_group_spawn(&group, use, &acquired, sizeof(acquired)), 0);
	assert_int_equal(hft_spawn_opts(machine.pool, spin, &ns, sizeof(ns), &opts, NULL), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), -EDEADLK);
	close_machine(&machine);

	/* Nothing of them is left. */
	open_machine(&machine, "cpus=4", 4);
	hft_group_init(&group, machine.pool);
	assert_int_equal(hft_spawn_opts(machine.pool, use, &acquired, sizeof(acquired), &opts,
					NULL), 0);
	assert_int_equal(hft_spawn_opts(machine.pool, use, &acquired, sizeof(acquired), &opts,
					NULL), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	close_machine(&machine);
	assert_int_equal(hft_resource_close(declared), 0);
	assert_int_equal(hft_resource_close(acquired), 0);
}

/* A tree of tasks that spin for random times and wait for their children. */

struct tree {
	struct machine *machine;
	uint64_t seed;
	uint32_t depth;
	uint64_t *hash;
};

static int64_t grow(void *args)
{
	struct tree tree = *(struct tree *)args, child = tree;
	uint64_t random = tree.seed;
	struct hft_group group;
	int i;

	hft_spin_until(hft_now() + random_below(&random, 5000));
	*tree.hash = *tree.hash * 31 + hft_now() + (uint64_t)hft_pool_worker();
	if (!tree.depth)
		return 0;
	child.depth--;
	hft_group_init(&group, tree.machine->pool);
	for (i = 0; i < 4; i++) {
		child.seed = random_u64(&random);
		hft_group_spawn(&group, grow, &child, sizeof(child));
	}
	return hft_group_wait(&group, UINT64_MAX);
}

static uint64_t hash_of(const char *options, uint64_t *stolen)
{
	struct machine machine;
	HFT_OPTS(hft_pool_stats, stats);
	uint64_t hash = 0;
	struct tree tree = { .machine = &machine, .seed = 5, .depth = 4, .hash = &hash };
	struct hft_group group;

	open_machine(&machine, options, 4);
	hft_group_init(&group, machine.pool);
	assert_int_equal(hft_group_spawn(&group, grow, &tree, sizeof(tree)), 0);
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	assert_int_equal(hft_pool_stats(machine.pool, HFT_POOL_ALL, &stats), 0);
	assert_int_equal(stats.executed, 341);
	*stolen = stats.stolen;
	close_machine(&machine);
	return hash;
}

static void is_the_same_each_time(void **state)
{
	uint64_t stolen, again;
	uint64_t hash = hash_of("cpus=4,seed=1", &stolen);

	(void)state;
	assert_true(stolen > 0);
	assert_int_equal(hash_of("cpus=4,seed=1", &again), hash);
	assert_int_equal(again, stolen);
	assert_int_not_equal(hash_of("cpus=4,seed=2", &again), hash);
}

struct post {
	uint64_t *next;
	uint64_t number;
};

/* Not before the one before it has ended. */
static int64_t in_order(void *args)
{
	const struct post *post = args;

	if (*post->next != post->number)
		return -EPROTO;
	hft_spin_until(hft_now() + 2 * US);
	if (*post->next != post->number)
		return -EPROTO;
	*post->next += 1;
	return 0;
}

static void strands_run_beside_each_other(void **state)
{
	HFT_OPTS(hft_strands_opts, opts);
	struct hft_strands *strands;
	uint64_t next[4] = {}, start, i;
	struct machine machine;
	struct hft_group group;
	HFT_OPTS(hft_post_opts, post_opts, .group = &group);

	(void)state;
	open_machine(&machine, "cpus=4", 4);
	opts.pool = machine.pool;
	assert_int_equal(hft_strands_open(&strands, &opts), 0);
	hft_group_init(&group, machine.pool);
	start = hft_now();
	for (i = 0; i < 40; i++) {
		struct post post = { .next = &next[i % 4], .number = i / 4 };

		assert_int_equal(hft_post_opts(strands, i % 4, in_order, &post, sizeof(post),
					       &post_opts), 0);
	}
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), 0);
	assert_int_equal(hft_now() - start, 20 * US);
	assert_int_equal(hft_strands_keys(strands), 0);
	hft_strands_close(strands);
	close_machine(&machine);
}

static int node(void *arg, const struct hft_node_call *call)
{
	(void)call;
	hft_spin_until(hft_now() + *(const uint64_t *)arg);
	return 0;
}

/* A source, eight nodes, a sink, on so many workers. */
static uint64_t time_of_diamond(uint32_t workers)
{
	HFT_OPTS(hft_graph_opts, opts, .hop_ns = 1);
	uint64_t cost = 10 * US;
	HFT_OPTS(hft_node_opts, node_opts, .fn = node, .arg = &cost, .cost_ns = cost);
	HFT_OPTS(hft_run_result, result);
	struct hft_graph *graph;
	struct machine machine;
	uint32_t i;

	open_machine(&machine, "cpus=8", workers);
	opts.pool = machine.pool;
	assert_int_equal(hft_graph_open(&graph, &opts), 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(hft_graph_add_node(graph, &node_opts), i);
	for (i = 1; i < 9; i++) {
		assert_int_equal(hft_graph_add_edge(graph, 0, i, 0), 0);
		assert_int_equal(hft_graph_add_edge(graph, i, 9, 0), 0);
	}
	assert_int_equal(hft_graph_seal(graph), 0);
	assert_int_equal(hft_graph_run(graph, NULL, &result), 0);
	assert_int_equal(result.executed, 10);
	hft_graph_close(graph);
	close_machine(&machine);
	return result.end_ns - result.start_ns;
}

static void graphs_use_all_workers(void **state)
{
	(void)state;
	assert_int_equal(time_of_diamond(1), 60 * US);
	assert_int_equal(time_of_diamond(3), 40 * US);
	assert_int_equal(time_of_diamond(7), 30 * US);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_as_long_as_it_spins),
		cmocka_unit_test(waits_in_its_time),
		cmocka_unit_test(tells_that_nothing_will_happen),
		cmocka_unit_test(tells_that_nobody_releases),
		cmocka_unit_test(tasks_wait_until_a_time),
		cmocka_unit_test(bodies_of_rings_spawn),
		cmocka_unit_test(closes_with_tasks_that_never_end),
		cmocka_unit_test(closes_with_resources_that_are_had),
		cmocka_unit_test(threads_are_used_beside_a_machine),
		cmocka_unit_test(strands_run_beside_each_other),
		cmocka_unit_test(graphs_use_all_workers),
		cmocka_unit_test(is_the_same_each_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
