// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* hft_metrics_write(): the file has what the objects say, whole, whoever reads and writes. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <hft/detect.h>
#include <hft/export.h>
#include <hft/hft.h>
#include <hft/pool.h>
#include <hft/resource.h>
#include <hft/rule.h>
#include <hft/stats.h>

#include <export/text.h>

#define TEXT_SIZE	262144
#define TASKS		100
#define VALUES		1000
#define ROUNDS		50
#define WRITERS		3

struct fixture {
	char folder[32];
	char path[64];
	char text[TEXT_SIZE];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->folder, "/tmp/hft-export.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/app.prom", f->folder);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	/* Nothing else is left there. */
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

static int read_file(struct fixture *f)
{
	FILE *file = fopen(f->path, "r");
	size_t nr;

	if (!file)
		return -errno;
	nr = fread(f->text, 1, TEXT_SIZE - 1, file);
	f->text[nr] = '\0';
	fclose(file);
	return 0;
}

/* The text behind a series, or NULL. */
static const char *find(const char *text, const char *series)
{
	const char *line;
	size_t nr = strlen(series);

	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, series, nr) && line[nr] == ' ')
			return line + nr + 1;
	}
	return NULL;
}

static void has(const struct fixture *f, const char *series, uint64_t value)
{
	const char *found = find(f->text, series);

	if (!found)
		fail_msg("no %s in\n%s", series, f->text);
	assert_int_equal(strtoull(found, NULL, 10), value);
}

/* What Prometheus says of it, where it is. */
static void lint(const struct fixture *f)
{
	char command[128];

	if (system("command -v promtool >/dev/null")) {
		print_message("# no promtool: the file is not checked by it\n");
		return;
	}
	snprintf(command, sizeof(command), "promtool check metrics <%s", f->path);
	assert_int_equal(system(command), 0);
}

static int64_t nothing(void *args)
{
	return *(int *)args;
}

static void test_pool(void **state)
{
	HFT_OPTS(hft_pool_opts, opts, .workers = 2, .flags = HFT_POOL_UNPINNED);
	HFT_OPTS(hft_metrics_opts, metrics_opts, .process = "maker");
	struct hft_metrics_source source = { .kind = HFT_METRICS_POOL, .name = "orders" };
	struct hft_pool_stats stats = { .sz = sizeof(stats) };
	struct fixture *f = *state;
	struct hft_group group;
	struct hft_pool *pool;
	char series[128];
	uint32_t i;
	int arg = 0;

	assert_int_equal(hft_pool_open(&pool, &opts), 0);
	hft_group_init(&group, pool);
	for (i = 0; i < TASKS; i++) {
		arg = i < 7 ? -EIO : 0;
		assert_int_equal(hft_group_spawn(&group, nothing, &arg, sizeof(arg)), 0);
	}
	assert_int_equal(hft_group_wait(&group, UINT64_MAX), -EIO);
	/* Until a worker has counted the last one. */
	do {
		assert_int_equal(hft_pool_stats(pool, HFT_POOL_ALL, &stats), 0);
	} while (stats.executed < TASKS);
	source.object = pool;
	assert_int_equal(hft_metrics_write(f->path, &source, 1, &metrics_opts), 0);
	assert_int_equal(read_file(f), 0);
	has(f, "hft_process_pool_tasks_spawned_total{process=\"maker\",pool=\"orders\"}", TASKS);
	has(f, "hft_process_pool_tasks_waiting{process=\"maker\",pool=\"orders\"}", 0);
	for (i = 0; i < 2; i++) {
		assert_int_equal(hft_pool_stats(pool, i, &stats), 0);
		snprintf(series, sizeof(series), "hft_process_pool_tasks_executed_total"
			 "{process=\"maker\",pool=\"orders\",worker=\"%u\"}", i);
		has(f, series, stats.executed);
		snprintf(series, sizeof(series), "hft_process_pool_tasks_failed_total"
			 "{process=\"maker\",pool=\"orders\",worker=\"%u\"}", i);
		has(f, series, stats.failed);
	}
	assert_null(strstr(f->text, "worker=\"2\""));
	lint(f);
	hft_pool_close(pool);
}

static void run(const struct hft_event *event, uint64_t start, void *arg)
{
	(void)event;
	(void)start;
	(void)arg;
}

/* A ring of the backend soft, which runs tasks of the ring and of its inbox. */
static void test_handle(void **state)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft");
	HFT_OPTS(hft_ring_opts, ring_opts, .cpu = 0);
	HFT_OPTS(hft_worker_opts, worker_opts, .fn = run, .flags = HFT_WORKER_MAY);
	HFT_OPTS(hft_meter_opts, meter_opts, .flags = HFT_METER_HIST);
	const struct hft_rule rule = { .number = 3, .action = HFT_ACTION_NOTIFY, .count = 1 };
	struct hft_metrics_source sources[3] = {
		{ .kind = HFT_METRICS_HANDLE, .name = "day" },
		{ .kind = HFT_METRICS_INBOX, .name = "day" },
		{ .kind = HFT_METRICS_RULES, .name = "day" },
	};
	struct hft_inbox_stats inbox = { .sz = sizeof(inbox) };
	HFT_OPTS(hft_metrics_opts, metrics_opts, .process = "a\"b\\c\nd");
	struct hft_task task = { .level = HFT_LEVEL_HIGH };
	struct hft_worker *worker;
	struct fixture *f = *state;
	struct hft_stats stats;
	struct hft_ring *ring;
	struct hft *h;
	uint64_t id;
	int i;

	assert_int_equal(hft_open(&h, &opts), 0);
	assert_int_equal(hft_ring_open(h, &ring_opts, &ring), 0);
	assert_int_equal(hft_ring_meter(ring, &meter_opts), 0);
	assert_int_equal(hft_rule_set(ring, &rule), 0);
	assert_int_equal(hft_worker_start(ring, &worker_opts, &worker), 0);
	for (i = 0; i < TASKS; i++)
		assert_int_equal(hft_submit(h, &task, NULL), 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(hft_submit_now(ring, &task), 0);
	task.release = hft_now() + 3600 * 1000000000ULL;
	for (i = 0; i < 5; i++) {
		assert_int_equal(hft_submit(h, &task, &id), 0);
		if (i)
			assert_int_equal(hft_cancel(h, id), 0);
	}
	do {
		assert_int_equal(hft_stats(h, HFT_STATS_CONTEXT, &stats), 0);
		assert_int_equal(hft_inbox_stats(ring, &inbox), 0);
	} while (stats.dispatched < TASKS || stats.in_flight || inbox.taken < 10);
	assert_int_equal(hft_worker_stop(worker), 0);
	assert_int_equal(hft_stats(h, HFT_STATS_CONTEXT, &stats), 0);

	sources[0].object = h;
	sources[1].object = ring;
	sources[2].object = ring;
	assert_int_equal(hft_metrics_write(f->path, sources, 3, &metrics_opts), 0);
	assert_int_equal(read_file(f), 0);
#define LABELS	"process=\"a\\\"b\\\\c\\nd\","
	has(f, "hft_process_tasks_free{" LABELS "handle=\"day\"}", stats.tasks_free);
	has(f, "hft_process_ring_tasks_submitted_total{" LABELS "handle=\"day\",ring=\"0\"}",
	    TASKS + 5);
	has(f, "hft_process_ring_tasks_dispatched_total{" LABELS "handle=\"day\",ring=\"0\"}",
	    TASKS);
	has(f, "hft_process_ring_tasks_cancelled_total{" LABELS "handle=\"day\",ring=\"0\"}", 4);
	has(f, "hft_process_ring_tasks_waiting{" LABELS "handle=\"day\",ring=\"0\"}", 1);
	has(f, "hft_process_inbox_tasks_submitted_total{" LABELS "inbox=\"day\"}", 10);
	has(f, "hft_process_inbox_tasks_run_total{" LABELS "inbox=\"day\"}", 10);
	has(f, "hft_process_ring_dispatch_error_seconds_count{" LABELS
	    "handle=\"day\",ring=\"0\"}", TASKS);
	has(f, "hft_process_ring_task_run_seconds_bucket{" LABELS
	    "handle=\"day\",ring=\"0\",le=\"+Inf\"}", TASKS + 10);
	has(f, "hft_process_rule_in_force{" LABELS
	    "rules=\"day\",rule=\"3\",action=\"notify\"}", 0);
	assert_null(strstr(f->text, "rule=\"0\""));
	lint(f);
	hft_ring_close(ring);
	hft_close(h);
}

static void test_detector_and_resource(void **state)
{
	struct hft_detector_stats stats = { .sz = sizeof(stats) };
	HFT_OPTS(hft_resource_opts, resource_opts, .name = "book");
	struct hft_metrics_source sources[2] = {
		{ .kind = HFT_METRICS_DETECTOR, .name = "ticks" },
		{ .kind = HFT_METRICS_RESOURCE, .name = "book" },
	};
	uint64_t answers[HFT_ANOMALIES] = {};
	struct hft_resource *resource;
	struct hft_detector *detector;
	struct fixture *f = *state;
	char series[128];
	uint64_t i;
	int ret;

	assert_int_equal(hft_detector_open(&detector), 0);
	for (i = 0; i < VALUES; i++) {
		ret = hft_detect(detector, i * 1000, i % 300 == 299 ? 9000 : 90 + i % 21, NULL);
		assert_true(ret >= 0);
		answers[ret]++;
	}
	assert_true(answers[HFT_ANOMALY_SPIKE] > 0);
	assert_int_equal(hft_detector_stats(detector, &stats), 0);
	assert_memory_equal(stats.values, answers, sizeof(answers));
	stats.sz = 0;
	assert_int_equal(hft_detector_stats(detector, &stats), -EINVAL);

	assert_int_equal(hft_resource_open(&resource, &resource_opts), 0);
	assert_int_equal(hft_resource_acquire(resource), 0);
	sources[0].object = detector;
	sources[1].object = resource;
	assert_int_equal(hft_metrics_write(f->path, sources, 2, NULL), 0);
	assert_int_equal(read_file(f), 0);
	for (i = 0; i < HFT_ANOMALIES; i++) {
		snprintf(series, sizeof(series), "hft_process_detector_values_total"
			 "{process=\"%s\",detector=\"ticks\",anomaly=\"%s\"}",
			 program_invocation_short_name, hft_anomaly_name(i));
		has(f, series, answers[i]);
	}
	snprintf(series, sizeof(series), "hft_process_resource_holders"
		 "{process=\"%s\",resource=\"book\"}", program_invocation_short_name);
	has(f, series, 1);
	lint(f);
	hft_resource_release(resource);
	hft_resource_close(resource);
	hft_detector_close(detector);
}

static void test_errors(void **state)
{
	struct hft_metrics_source sources[HFT_METRICS_SOURCES_MAX + 1] = {};
	HFT_OPTS(hft_metrics_opts, opts);
	struct hft_detector *detector;
	struct fixture *f = *state;
	char path[5000];

	assert_int_equal(hft_detector_open(&detector), 0);
	sources[0] = (struct hft_metrics_source) { detector, "a", HFT_METRICS_DETECTOR, 0 };
	sources[1] = sources[0];
	assert_int_equal(hft_metrics_write(f->path, sources, HFT_METRICS_SOURCES_MAX + 1, NULL),
			 -E2BIG);
	assert_int_equal(hft_metrics_write(f->path, sources, 2, NULL), -EINVAL);
	assert_non_null(strstr(hft_strerror(-EINVAL), "one name"));
	sources[1].name = NULL;
	assert_int_equal(hft_metrics_write(f->path, sources, 2, NULL), -EINVAL);
	sources[1].name = "b";
	sources[1].kind = HFT_METRICS_KINDS;
	assert_int_equal(hft_metrics_write(f->path, sources, 2, NULL), -EINVAL);
	sources[1].kind = 0;
	assert_int_equal(hft_metrics_write(f->path, sources, 2, NULL), -EINVAL);
	sources[1].kind = HFT_METRICS_DETECTOR;
	sources[1].reserved = 1;
	assert_int_equal(hft_metrics_write(f->path, sources, 2, NULL), -EINVAL);
	sources[1].reserved = 0;
	sources[1].object = NULL;
	assert_int_equal(hft_metrics_write(f->path, sources, 2, NULL), -EINVAL);
	opts.sz = 1;
	assert_int_equal(hft_metrics_write(f->path, sources, 1, &opts), -EINVAL);
	assert_int_equal(access(f->path, F_OK), -1);

	assert_int_equal(hft_metrics_write(f->path, sources, 1, NULL), 0);
	assert_int_equal(hft_metrics_write(f->folder, sources, 1, NULL), -EISDIR);
	snprintf(path, sizeof(path), "%s/none/x.prom", f->folder);
	assert_int_equal(hft_metrics_write(path, sources, 1, NULL), -ENOENT);
	assert_non_null(strstr(hft_strerror(-ENOENT), "none/x.prom"));
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(hft_metrics_write(path, sources, 1, NULL), -ENAMETOOLONG);
	assert_int_equal(hft_metrics_write(f->path, NULL, 0, NULL), 0);
	assert_int_equal(read_file(f), 0);
	assert_non_null(strstr(f->text, "written_timestamp_seconds"));
	hft_detector_close(detector);
}

/* Of a handle that is its parent's a child is told so, and the file stays. */
static void test_fork(void **state)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft");
	struct hft_metrics_source source = { .kind = HFT_METRICS_HANDLE, .name = "h" };
	struct fixture *f = *state;
	struct stat before, after;
	struct hft *h;
	int status;
	pid_t pid;

	assert_int_equal(hft_open(&h, &opts), 0);
	source.object = h;
	assert_int_equal(hft_metrics_write(f->path, &source, 1, NULL), 0);
	assert_int_equal(stat(f->path, &before), 0);
	assert_int_equal(before.st_mode & 0777, 0644);
	pid = fork();
	if (!pid)
		_exit(hft_metrics_write(f->path, &source, 1, NULL) == -EOWNERDEAD ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(stat(f->path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	hft_close(h);
}

struct race {
	struct fixture *f;
	const struct hft_detector *detector;
	int failed;
};

static void *write_again_and_again(void *arg)
{
	struct race *race = arg;
	const struct hft_metrics_source source = {
		race->detector, "d", HFT_METRICS_DETECTOR, 0
	};
	int i;

	for (i = 0; i < ROUNDS; i++)
		if (hft_metrics_write(race->f->path, &source, 1, NULL))
			__atomic_store_n(&race->failed, 1, __ATOMIC_RELAXED);
	return NULL;
}

/* Several write one file, one reads it, and the detector goes on. */
static void test_race(void **state)
{
	struct fixture *f = *state;
	struct race race = { .f = f };
	pthread_t threads[WRITERS];
	struct hft_detector *detector;
	const char *found;
	uint64_t i;
	char series[128];

	assert_int_equal(hft_detector_open(&detector), 0);
	race.detector = detector;
	write_again_and_again(&race);
	for (i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, write_again_and_again, &race),
				 0);
	snprintf(series, sizeof(series), "hft_process_detector_values_total"
		 "{process=\"%s\",detector=\"d\",anomaly=\"clock\"}",
		 program_invocation_short_name);
	for (i = 0; i < VALUES; i++) {
		assert_int_equal(hft_detect(detector, i, 100, NULL), 0);
		assert_int_equal(read_file(f), 0);
		/* The last line is there, to its end. */
		found = find(f->text, series);
		assert_non_null(found);
		assert_string_equal(found, "0\n");
	}
	for (i = 0; i < WRITERS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(race.failed, 0);
	write_again_and_again(&race);
	assert_int_equal(read_file(f), 0);
	snprintf(series, sizeof(series), "hft_process_detector_values_total"
		 "{process=\"%s\",detector=\"d\",anomaly=\"none\"}", program_invocation_short_name);
	has(f, series, VALUES);
	hft_detector_close(detector);
}

/* Each value of a histogram is in the first bucket that it does not exceed, and after. */
static void test_histogram(void **state)
{
	static const struct hft_metric metric = {
		"x_seconds", "X.", "seconds", HFT_METRIC_HISTOGRAM, HFT_TEXT_NS
	};
	static struct hft_hist hist;
	struct hft_text text = { .openmetrics = true };
	const struct hft_label label = { "cpu", "1" };
	static const uint64_t values[] = {
		0, 63, 64, 95, 96, 127, 128, 1000, 12884901887, 12884901888, UINT64_MAX
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		hft_hist_record(&hist, values[i]);
	hft_text_begin(&text, &metric);
	hft_text_histogram(&text, &label, 1, &hist);
	hft_text_end(&text);
	hft_text_put(&text, "", 1);
	assert_false(text.failed);
	assert_string_equal(find(text.at, "x_seconds_bucket{cpu=\"1\",le=\"0.000000063\"}"),
			    strstr(text.at, "2\nx_seconds_bucket{cpu=\"1\",le=\"0.000000095\"} 4\n"));
	assert_non_null(strstr(text.at, "le=\"0.000000127\"} 6\n"));
	assert_non_null(strstr(text.at, "le=\"0.000000767\"} 7\n"));
	assert_non_null(strstr(text.at, "le=\"0.000001023\"} 8\n"));
	assert_non_null(strstr(text.at, "le=\"12.884901887\"} 9\n"));
	assert_non_null(strstr(text.at, "le=\"+Inf\"} 11\nx_seconds_sum{cpu=\"1\"} "));
	assert_non_null(strstr(text.at, "x_seconds_count{cpu=\"1\"} 11\n# EOF\n"));
	hft_text_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pool, setup, teardown),
		cmocka_unit_test_setup_teardown(test_handle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_detector_and_resource, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fork, setup, teardown),
		cmocka_unit_test_setup_teardown(test_race, setup, teardown),
		cmocka_unit_test(test_histogram),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
