// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* The schedule in the log: every task is there, with all that became of it, and its times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <jansson.h>

#include <hft/hft.h>
#include <hft/pool.h>
#include <hft/sim.h>

#include "log_command.h"
#include "log_here.h"

#define MS		1000000ull
#define PATIENCE_NS	(60000 * MS)
#define TASKS		50
#define DUE		200
#define FAR_NS		(3600000 * MS)

static void want(const char *subsystem)
{
	assert_int_equal(hft_log_set_level(the_log, subsystem, HFT_LOG_DEBUG), 0);
}

static void close_all(struct hft_log_reader *reader)
{
	hft_log_reader_close(reader);
	tree_remove(dir);
}

static uint64_t u_of(const struct hft_log_view *view, const char *name)
{
	const union hft_log_view_value *value = hft_log_view_find(view, name, NULL);

	assert_non_null(value);
	return value->u;
}

static bool is(const struct hft_log_view *view, const char *name)
{
	return !strcmp(view->site->name, name);
}

struct worked {
	struct hft *h;
	struct hft_ring *ring;
	struct hft_worker *worker;
	atomic_uint ran;
};

static void body(const struct hft_event *event, uint64_t start, void *arg)
{
	struct worked *worked = arg;

	(void)event;
	hft_spin_until(start + 20000);
	atomic_fetch_add(&worked->ran, 1);
}

static void start(struct worked *worked)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft", .tasks = 2 * TASKS);
	HFT_OPTS(hft_worker_opts, worker, .fn = body, .arg = worked);

	memset(worked, 0, sizeof(*worked));
	assert_int_equal(hft_open(&worked->h, &opts), 0);
	assert_int_equal(hft_ring_open(worked->h, NULL, &worked->ring), 0);
	assert_int_equal(hft_worker_start(worked->ring, &worker, &worked->worker), 0);
}

static void wait_for_all(struct worked *worked)
{
	uint64_t end = hft_now() + PATIENCE_NS;

	while (atomic_load(&worked->ran) < TASKS && hft_now() < end)
		usleep(1000);
	assert_int_equal(atomic_load(&worked->ran), TASKS);
}

static void stop(struct worked *worked)
{
	wait_for_all(worked);
	assert_int_equal(hft_worker_stop(worked->worker), 0);
	hft_ring_close(worked->ring);
	hft_close(worked->h);
}

/* Half of them by one call; odd ones have a deadline that they can not make. */
static void submit(struct worked *worked, uint64_t ids[TASKS])
{
	uint64_t now = hft_now();
	struct hft_task tasks[TASKS];
	uint32_t i;

	for (i = 0; i < TASKS; i++)
		tasks[i] = (struct hft_task){
			.cookie = i, .release = now, .ring = hft_ring_number(worked->ring),
			.level = HFT_LEVEL_NORMAL, .task_class = i % 7,
			.deadline = i % 2 ? now + 1 : 0,
		};
	for (i = 0; i < TASKS / 2; i++)
		assert_int_equal(hft_submit(worked->h, &tasks[i], &ids[i]), 0);
	assert_int_equal(hft_submit_batch(worked->h, tasks + i, TASKS - i,
					  (int64_t *)(ids + i)), TASKS - i);
}

static void nothing_unless_wanted(void **state)
{
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct worked worked;
	uint64_t ids[TASKS];

	(void)state;
	assert_int_equal(hft_log_set_level(the_log, "sched", HFT_LOG_INFO), 0);
	start(&worked);
	submit(&worked, ids);
	stop(&worked);
	reader = reopen("sched,pool");
	assert_int_equal(hft_log_reader_next(reader, &view), 0);
	close_all(reader);
}

/* How far a task is, and when it came there. */
struct seen {
	uint64_t submitted;
	uint64_t released;
	uint64_t dispatched;
	uint64_t started;
	uint64_t ended;
	bool missed;
};

static void look(const struct hft_log_view *view, struct seen *seen, const uint64_t *ids)
{
	uint64_t cookie = u_of(view, "cookie"), at = u_of(view, "at");

	assert_true(cookie < TASKS);
	seen += cookie;
	assert_true(u_of(view, "task") == ids[cookie]);
	assert_int_equal(u_of(view, "level"), HFT_LEVEL_NORMAL);
	assert_true(at <= view->monotonic + 1000 * MS && view->monotonic <= at + PATIENCE_NS);
	if (is(view, "submit")) {
		assert_int_equal(seen->submitted, 0);
		assert_int_equal(u_of(view, "class"), cookie % 7);
		seen->submitted = at;
	} else if (is(view, "release")) {
		assert_int_equal(seen->released, 0);
		assert_true(at >= u_of(view, "release"));
		seen->released = at;
	} else if (is(view, "dispatch")) {
		seen->dispatched = at;
	} else if (is(view, "start")) {
		assert_int_equal(seen->started, 0);
		assert_true(at >= seen->dispatched && seen->dispatched >= u_of(view, "published"));
		seen->started = at;
	} else if (is(view, "end")) {
		assert_int_equal(seen->ended, 0);
		assert_true(at >= seen->started + 20000);
		seen->ended = at;
	} else {
		assert_string_equal(view->site->name, "miss");
		assert_true(at == seen->ended && at > u_of(view, "deadline"));
		seen->missed = true;
	}
}

static void tasks_are_logged(void **state)
{
	uint64_t ids[TASKS], far, cancelled = 0, halts = 0;
	struct seen seen[TASKS] = { 0 };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct hft_task task = { 0 };
	struct worked worked;
	uint32_t i;

	(void)state;
	want("sched");
	start(&worked);
	submit(&worked, ids);
	task.ring = hft_ring_number(worked.ring);
	task.level = HFT_LEVEL_NORMAL;
	task.cookie = 4711;
	task.release = hft_now() + FAR_NS;
	assert_int_equal(hft_submit(worked.h, &task, &far), 0);
	assert_int_equal(hft_cancel(worked.h, far), 0);
	assert_int_equal(hft_cancel(worked.h, far), -ENOENT);
	wait_for_all(&worked);
	assert_int_equal(hft_halt(worked.h, HFT_HALT_ALL, 0, NULL), 0);
	assert_int_equal(hft_resume(worked.h, 0), 0);
	stop(&worked);

	reader = reopen("sched");
	while (hft_log_reader_next(reader, &view) == 1) {
		if (is(view, "cancel")) {
			assert_true(u_of(view, "task") == far);
			cancelled++;
		} else if (is(view, "halt")) {
			assert_int_equal(u_of(view, "mode"),
					 halts ? HFT_HALT_NONE : HFT_HALT_ALL);
			halts++;
		} else if (u_of(view, "cookie") != 4711) {
			look(view, seen, ids);
		}
	}
	assert_int_equal(cancelled, 1);
	assert_int_equal(halts, 2);
	for (i = 0; i < TASKS; i++) {
		assert_true(seen[i].submitted && seen[i].released && seen[i].started &&
			    seen[i].ended && seen[i].released <= seen[i].started);
		assert_int_equal(seen[i].missed, i % 2);
	}
	close_all(reader);
}

static void add_lost(void *lost, const struct hft_log_notice *notice)
{
	assert_int_equal(notice->kind, HFT_LOG_NOTICE_LOST);
	*(uint64_t *)lost += notice->lost;
}

/* Who finds more due than is kept for the log while a queue is locked tells how many. */
static void many_releases_are_counted(void **state)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft", .tasks = DUE);
	uint64_t lost = 0, released = 0;
	HFT_OPTS(hft_log_reader_opts, reading, .subsystems = "sched", .notice = add_lost,
		 .context = &lost);
	struct hft_task task = { .level = HFT_LEVEL_NORMAL, .release = hft_now() + 200 * MS };
	const char *path = dir;
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct hft_ring *ring;
	struct hft *h;
	uint32_t i;

	(void)state;
	want("sched");
	assert_int_equal(hft_open(&h, &opts), 0);
	assert_int_equal(hft_ring_open(h, NULL, &ring), 0);
	task.ring = hft_ring_number(ring);
	for (i = 0; i < DUE; i++)
		assert_int_equal(hft_submit(h, &task, NULL), 0);
	while (hft_now() < task.release)
		usleep(1000);
	assert_true(hft_wait(ring, 0) >= 0);
	hft_ring_close(ring);
	hft_close(h);
	assert_int_equal(hft_log_close(the_log), 0);
	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &reading), 0);
	while (hft_log_reader_next(reader, &view) == 1)
		released += is(view, "release");
	assert_true(released > 0 && lost > 0);
	assert_int_equal(released + lost, DUE);
	close_all(reader);
}

#define RECORDS		64

struct recorded {
	struct hft_sim_record records[RECORDS];
	uint32_t nr;
};

static void record(const struct hft_sim_record *record, void *arg)
{
	struct recorded *recorded = arg;

	assert_true(recorded->nr < RECORDS);
	recorded->records[recorded->nr++] = *record;
}

static const char *const sim_names[HFT_SIM_WHATS] = {
	[HFT_SIM_RELEASE] = "release", [HFT_SIM_DISPATCH] = "dispatch", [HFT_SIM_START] = "start",
	[HFT_SIM_PREEMPT] = "preempt", [HFT_SIM_RESUME] = "resume", [HFT_SIM_END] = "end",
	[HFT_SIM_MISS] = "miss", [HFT_SIM_CANCEL] = "cancel",
};

/* A long task that a better one preempts, which misses its deadline. */
static void run_machine(struct recorded *recorded)
{
	HFT_OPTS(hft_sim_opts, opts, .seed = 1, .start_ns = 5000, .record = record,
		 .record_arg = recorded);
	HFT_OPTS(hft_ring_opts, ring_opts, .cpu = 0);
	HFT_OPTS(hft_sim_worker_opts, worker, .flags = HFT_SIM_PREEMPTIVE);
	struct hft_task task = { .cookie = 1, .release = 10000, .wcet = 50000,
				 .level = HFT_LEVEL_LOW };
	struct hft_sim *sim;
	uint64_t id;
	int ring;

	assert_int_equal(hft_sim_open(&sim, &opts), 0);
	ring = hft_sim_ring_add(sim, &ring_opts);
	assert_true(ring >= 0);
	task.ring = (uint32_t)ring;
	assert_int_equal(hft_sim_worker_add(sim, task.ring, &worker), 0);
	assert_int_equal(hft_sim_submit(sim, &task, NULL), 0);
	task.cookie = 2;
	task.release = 20000;
	task.deadline = 21000;
	task.level = HFT_LEVEL_HIGH;
	assert_int_equal(hft_sim_submit(sim, &task, NULL), 0);
	task.release = 90000;
	task.deadline = 0;
	assert_int_equal(hft_sim_submit(sim, &task, &id), 0);
	assert_int_equal(hft_sim_cancel(sim, id), 0);
	assert_int_equal(hft_sim_run(sim), 0);
	hft_sim_close(sim);
}

static void a_machine_is_logged(void **state)
{
	struct recorded recorded = { .nr = 0 };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	uint32_t i, preempted = 0;

	(void)state;
	want("sched");
	run_machine(&recorded);
	reader = reopen("sched");
	for (i = 0; i < recorded.nr; i++) {
		const struct hft_sim_record *wanted = &recorded.records[i];

		assert_non_null(sim_names[wanted->what]);
		assert_int_equal(hft_log_reader_next(reader, &view), 1);
		assert_string_equal(view->site->name, sim_names[wanted->what]);
		assert_true(u_of(view, "at") == wanted->time);
		assert_true(u_of(view, "task") == wanted->task);
		preempted += wanted->what == HFT_SIM_PREEMPT;
		if (wanted->what == HFT_SIM_CANCEL)
			continue;
		assert_true(u_of(view, "cookie") == wanted->cookie);
		assert_int_equal(u_of(view, "cpu"), wanted->cpu);
		assert_int_equal(u_of(view, "ring"), wanted->ring);
	}
	assert_int_equal(hft_log_reader_next(reader, &view), 0);
	assert_int_equal(preempted, 1);
	close_all(reader);
}

static int64_t leaf(void *args)
{
	(void)args;
	hft_spin_until(hft_now() + 5000);
	return 0;
}

#define POOL_TASKS	200

static void pools_are_logged(void **state)
{
	uint64_t begun = 0, ended = 0, stolen = 0, running[2] = { 0 };
	HFT_OPTS(hft_pool_opts, opts, .workers = 2);
	HFT_OPTS(hft_pool_stats, stats);
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct hft_group group;
	struct hft_pool *pool;
	uint32_t i;

	(void)state;
	want("pool");
	assert_int_equal(hft_pool_open(&pool, &opts), 0);
	hft_group_init(&group, pool);
	for (i = 0; i < POOL_TASKS; i++)
		assert_int_equal(hft_group_spawn(&group, leaf, NULL, 0), 0);
	assert_int_equal(hft_group_wait(&group, HFT_WAIT_FOREVER), 0);
	assert_int_equal(hft_pool_stats(pool, HFT_POOL_ALL, &stats), 0);
	hft_pool_close(pool);

	reader = reopen("pool");
	while (hft_log_reader_next(reader, &view) == 1) {
		uint64_t worker = u_of(view, "worker");

		assert_true(worker < 2);
		if (is(view, "steal")) {
			assert_int_equal(u_of(view, "victim"), !worker);
			stolen++;
			continue;
		}
		assert_true(u_of(view, "fn") == (uintptr_t)leaf);
		/* Each ends before its worker's next begins. */
		if (is(view, "start")) {
			assert_int_equal(running[worker], 0);
			running[worker] = u_of(view, "at");
			begun++;
		} else {
			assert_true(running[worker] &&
				    u_of(view, "at") >= running[worker] + 5000);
			running[worker] = 0;
			ended++;
		}
	}
	assert_int_equal(begun, POOL_TASKS);
	assert_int_equal(ended, POOL_TASKS);
	assert_int_equal(stolen, stats.stolen);
	close_all(reader);
}

/* Runs the tool, if it is built; its exit status. */
static int tool(const char *arguments)
{
	return log_command(arguments, dir, dir);
}

static json_t *member(json_t *object, const char *name, json_type type)
{
	json_t *value = json_object_get(object, name);

	if (!value || json_typeof(value) != type)
		fail_msg("no %s of the right type", name);
	return value;
}

static json_int_t integer(json_t *object, const char *name)
{
	return json_integer_value(member(object, name, JSON_INTEGER));
}

static const char *string(json_t *object, const char *name)
{
	return json_string_value(member(object, name, JSON_STRING));
}

static double real(json_t *object, const char *name)
{
	double value = json_real_value(member(object, name, JSON_REAL));

	assert_true(value >= 0);
	return value;
}

#define LANES_MOST	16

/* What a trace has. */
struct trace {
	uint32_t spans;
	uint32_t marks;
	bool process[LANES_MOST];
	bool thread[LANES_MOST];
};

/* A name comes before the first event that is of it. */
static void check_name(json_t *event, struct trace *trace)
{
	bool is_process = !strcmp(string(event, "name"), "process_name");

	assert_int_equal(json_object_size(event), 5);
	if (!is_process)
		assert_string_equal(string(event, "name"), "thread_name");
	assert_int_equal(json_object_size(member(event, "args", JSON_OBJECT)), 1);
	assert_true(*string(json_object_get(event, "args"), "name"));
	if (is_process)
		trace->process[integer(event, "pid")] = true;
	else
		trace->thread[integer(event, "tid")] = true;
}

/* All fields of the format that ui.perfetto.dev needs, and no others. */
static void check_event(json_t *event, struct trace *trace)
{
	const char *phase = string(event, "ph");

	assert_in_range(integer(event, "pid"), 1, LANES_MOST - 1);
	assert_in_range(integer(event, "tid"), 1, LANES_MOST - 1);
	if (!strcmp(phase, "M")) {
		check_name(event, trace);
		return;
	}
	assert_true(trace->process[integer(event, "pid")]);
	assert_true(trace->thread[integer(event, "tid")]);
	assert_true(*string(event, "name") && *string(event, "cat"));
	member(event, "args", JSON_OBJECT);
	real(event, "ts");
	assert_int_equal(json_object_size(event), 8);
	if (!strcmp(phase, "X")) {
		real(event, "dur");
		trace->spans++;
	} else {
		assert_string_equal(phase, "i");
		assert_string_equal(string(event, "s"), "t");
		trace->marks++;
	}
}

static json_t *load_trace(const char *path, struct trace *trace)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error), *event;
	size_t i;

	if (!root)
		fail_msg("line %d: %s", error.line, error.text);
	assert_int_equal(json_object_size(root), 3);
	assert_string_equal(string(root, "displayTimeUnit"), "ns");
	string(member(root, "otherData", JSON_OBJECT), "base_ns");
	memset(trace, 0, sizeof(*trace));
	json_array_foreach(member(root, "traceEvents", JSON_ARRAY), i, event)
		check_event(event, trace);
	return root;
}

/* One that runs the tool has these behind its folder, which has the log alone. */
static void out_path(char *arguments, size_t size, char *path, const char *command,
		     const char *end)
{
	assert_true(snprintf(path, PATH_MAX, "%s%s", dir, end) < PATH_MAX);
	assert_true(snprintf(arguments, size, "%s --output %s", command, path) < (int)size);
}

static void span_is(json_t *root, uint32_t number, uint64_t cookie, double from, double us,
		    bool ended)
{
	json_t *event, *args;
	uint32_t spans = 0;
	size_t i;

	json_array_foreach(json_object_get(root, "traceEvents"), i, event) {
		if (strcmp(string(event, "ph"), "X") || spans++ != number)
			continue;
		args = json_object_get(event, "args");
		assert_int_equal(integer(args, "cookie"), cookie);
		assert_int_equal(json_is_true(json_object_get(args, "ended")), ended);
		assert_true(real(event, "ts") == from && real(event, "dur") == us);
		return;
	}
	fail_msg("no span %u", number);
}

/* The long task of 50 us from 10 us on; from 20 us to 70 us the one that is better. */
static void a_machine_is_exported(void **state)
{
	char arguments[2 * PATH_MAX], path[PATH_MAX];
	struct recorded recorded = { .nr = 0 };
	struct trace trace;
	json_t *root;

	(void)state;
	want("sched");
	run_machine(&recorded);
	assert_int_equal(hft_log_close(the_log), 0);
	out_path(arguments, sizeof(arguments), path, "export --perfetto --subsystem sched",
		 ".json");
	assert_int_equal(tool(arguments), 0);
	root = load_trace(path, &trace);
	assert_int_equal(trace.spans, 3);
	assert_int_equal(trace.marks + 2 * trace.spans, recorded.nr);
	assert_string_equal(string(json_object_get(root, "otherData"), "simulated_base_ns"), "0");
	span_is(root, 0, 1, 10, 10, false);
	span_is(root, 1, 2, 20, 50, true);
	span_is(root, 2, 1, 70, 40, true);
	json_decref(root);
	unlink(path);
	tree_remove(dir);
}

/* With all else that was logged: clock evidence, and a message that is no nice text. */
static void workers_are_exported(void **state)
{
	char arguments[2 * PATH_MAX], path[PATH_MAX];
	struct worked worked;
	uint64_t ids[TASKS];
	struct trace trace;

	(void)state;
	want("sched");
	assert_int_equal(hft_log(HFT_LOG_INFO, "text=%s x=%f", "\"\xff\n\\", 0.0 / 0.0), 0);
	start(&worked);
	submit(&worked, ids);
	stop(&worked);
	assert_int_equal(hft_log_close(the_log), 0);
	out_path(arguments, sizeof(arguments), path, "export --perfetto", ".json");
	assert_int_equal(tool(arguments), 0);
	json_decref(load_trace(path, &trace));
	assert_int_equal(trace.spans, TASKS);
	/* submit and dispatch of each, a miss of each other, the message. */
	assert_true(trace.marks >= 2 * TASKS + TASKS / 2 + 1);
	unlink(path);
	tree_remove(dir);
}

static void has(const char *path, const char *text)
{
	char found[1 << 16];
	FILE *file = fopen(path, "r");
	size_t bytes;

	assert_non_null(file);
	bytes = fread(found, 1, sizeof(found) - 1, file);
	fclose(file);
	if (!memmem(found, bytes, text, strlen(text)))
		fail_msg("%s has no %s", path, text);
}

static void a_machine_is_drawn(void **state)
{
	char arguments[2 * PATH_MAX], path[PATH_MAX];
	struct recorded recorded = { .nr = 0 };

	(void)state;
	want("sched");
	run_machine(&recorded);
	assert_int_equal(hft_log_close(the_log), 0);
	out_path(arguments, sizeof(arguments), path, "timeline --subsystem none 2>/dev/null",
		 ".svg");
	assert_int_equal(tool(arguments), 2);
	assert_int_equal(access(path, F_OK), -1);
	if (system("command -v gnuplot >/dev/null")) {
		tree_remove(dir);
		skip();
	}
	out_path(arguments, sizeof(arguments), path, "timeline --most 2 2>/dev/null", ".svg");
	assert_int_equal(tool(arguments), 2);
	out_path(arguments, sizeof(arguments), path, "timeline --most 3", ".svg");
	assert_int_equal(tool(arguments), 0);
	has(path, "<svg");
	has(path, "CPU 0 ring 0");
	has(path, "missed");
	unlink(path);
	out_path(arguments, sizeof(arguments), path, "timeline", ".png");
	assert_int_equal(tool(arguments), 0);
	has(path, "PNG");
	unlink(path);
	tree_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(nothing_unless_wanted, begin),
		cmocka_unit_test_setup(tasks_are_logged, begin),
		cmocka_unit_test_setup(many_releases_are_counted, begin),
		cmocka_unit_test_setup(a_machine_is_logged, begin),
		cmocka_unit_test_setup(pools_are_logged, begin),
		cmocka_unit_test_setup(a_machine_is_exported, begin),
		cmocka_unit_test_setup(workers_are_exported, begin),
		cmocka_unit_test_setup(a_machine_is_drawn, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
