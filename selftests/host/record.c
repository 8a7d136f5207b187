// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* Records and their replay: the same dispatches, and logs that are torn or hostile. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <hft/feed.h>
#include <hft/log.h>
#include <hft/log_read.h>
#include <hft/rule.h>

#include "../libhft/record_load.h"
#include "engine/replay.h"
#include "record_write.h"

#define LOADS	4

static char folder[] = "/tmp/hft-record-XXXXXX";
static struct hft_recording sample;

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static struct hft_log_reader *open_decisions(const char *path)
{
	HFT_OPTS(hft_log_reader_opts, opts, .subsystems = "decision");
	struct hft_log_reader *reader;

	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &opts), 0);
	return reader;
}

/* Are the decisions of two logs the same, but for when they were written? */
static uint64_t compare_decisions(const char *left, const char *right)
{
	struct hft_log_reader *readers[2] = { open_decisions(left), open_decisions(right) };
	const struct hft_log_view *a, *b;
	uint64_t nr = 0;
	uint32_t i;

	while (hft_log_reader_next(readers[0], &a) > 0) {
		assert_int_equal(hft_log_reader_next(readers[1], &b), 1);
		assert_int_equal(a->site->nr_fields, b->site->nr_fields);
		for (i = 0; i < a->site->nr_fields; i++) {
			if (a->site->fields[i].type != HFT_LOG_STAMP)
				assert_int_equal(a->values[i].u, b->values[i].u);
		}
		nr++;
	}
	assert_int_equal(hft_log_reader_next(readers[1], &b), 0);
	hft_log_reader_close(readers[0]);
	hft_log_reader_close(readers[1]);
	return nr;
}

static void test_soft(void **state)
{
	uint64_t seed;

	(void)state;
	for (seed = 1; seed <= LOADS; seed++) {
		int64_t events = load_record("soft", path_of("soft"), seed, 600);

		assert_true(load_replays(path_of("soft"), events));
		load_remove(path_of("soft"));
	}
}

/* The log of what was decided again is that of what was decided. */
static void test_output(void **state)
{
	static const char *const backends[] = { "soft", "sim" };
	char output[128];
	unsigned int i;

	(void)state;
	snprintf(output, sizeof(output), "%s/output", folder);
	for (i = 0; i < 2; i++) {
		HFT_OPTS(hft_replay_opts, opts, .late_ns = LOAD_LATE_NS, .output = output);
		HFT_OPTS(hft_replay_result, result);

		assert_true(load_record(backends[i], path_of("input"), 3, 600) > 0);
		assert_int_equal(hft_replay(path_of("input"), &opts, &result), 0);
		assert_int_equal(compare_decisions(path_of("input"), output), result.events);
		load_remove(output);
		load_remove(path_of("input"));
	}
}

/* What is simulated is replayed with nobody late, and one log has all handles. */
static void test_sim(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = 1);
	HFT_OPTS(hft_replay_result, result);
	int64_t events[LOADS];
	uint32_t i;

	(void)state;
	for (i = 0; i < LOADS; i++)
		events[i] = load_record("sim", path_of("sim"), i + 1, 600);
	for (i = 0; i < LOADS; i++) {
		opts.handle = i + 1;
		assert_int_equal(hft_replay(path_of("sim"), &opts, &result), 0);
		assert_true(result.events >= (uint64_t)events[i]);
		assert_string_equal(result.backend, "sim");
		assert_int_equal(result.latest_ns, 0);
		assert_int_equal(result.handles, LOADS);
		assert_true(result.complete);
	}
	opts.handle = LOADS + 1;
	assert_int_equal(hft_replay(path_of("sim"), &opts, NULL), -ENOENT);
}

/* Two handles at the same time, of which the log has both. */
static void test_two_handles(void **state)
{
	struct load *loads = calloc(2, sizeof(*loads));
	int i;

	(void)state;
	setenv("HFT_RECORD", path_of("two"), 1);
	for (i = 0; i < 2; i++) {
		loads[i].random = (uint64_t)i + 1;
		assert_int_equal(load_open(&loads[i], "soft"), 0);
	}
	unsetenv("HFT_RECORD");
	for (i = 0; i < 400; i++)
		load_step(&loads[i % 2]);
	for (i = 0; i < 2; i++)
		load_close(&loads[i]);
	for (i = 0; i < 2; i++) {
		HFT_OPTS(hft_replay_opts, opts, .late_ns = LOAD_LATE_NS, .handle = i + 1);
		HFT_OPTS(hft_replay_result, result);

		assert_int_equal(hft_replay(path_of("two"), &opts, &result), 0);
		assert_int_equal(result.handles, 2);
		assert_true(result.complete && result.events >= loads[i].events);
	}
	free(loads);
}

/* What the process logs itself is in the same log, which stays open. */
static void test_own_log(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = 1);
	HFT_OPTS(hft_replay_result, result);
	struct hft_log *log;

	(void)state;
	assert_int_equal(hft_log_open(&log, path_of("own"), NULL), 0);
	assert_true(load_record("sim", path_of("other"), 1, 100) > 0);
	assert_int_equal(hft_log_flush(log, 0, 10 * 1000000000ull), 0);
	assert_int_equal(hft_log_close(log), 0);
	assert_int_equal(hft_replay(path_of("own"), &opts, &result), 0);
	assert_true(result.complete && result.events);
	assert_int_equal(hft_replay(path_of("other"), &opts, NULL), -ENOENT);
}

static void count_record(const struct hft_log_view *view, uint64_t counts[4])
{
	static const char *const names[4] = { "lead", "rule", "feed", "packet" };
	const union hft_log_view_value *value;
	int i;

	for (i = 0; i < 4; i++)
		counts[i] += !strcmp(view->site->name, names[i]);
	if (strcmp(view->site->name, "packet"))
		return;
	value = hft_log_view_find(view, "arrival", NULL);
	assert_non_null(value);
	assert_int_equal(value->u, 100 * counts[3]);
}

/* What else is asked for, and what a strategy reads, is in the log, and is replayed over. */
static void test_other_inputs(void **state)
{
	HFT_OPTS(hft_log_reader_opts, reading, .subsystems = "record");
	HFT_OPTS(hft_ring_opts, ring_opts, .entries = 8);
	HFT_OPTS(hft_opts, opts, .backend = "sim");
	const struct hft_rule rule = { .action = HFT_ACTION_SHED, .count = 3, .level = 2 };
	const char *path = path_of("others");
	char csv[128];
	uint64_t counts[4] = { 0 };
	struct hft_log_reader *reader;
	const struct hft_log_view *view;
	struct hft_packet packet;
	struct hft_feed *feed;
	struct hft_ring *ring;
	struct hft *h;
	FILE *file;

	(void)state;
	snprintf(csv, sizeof(csv), "%s/arrivals.csv", folder);
	file = fopen(csv, "w");
	fputs("seq,a_ns,b_ns\n1,100,110\n2,200,210\n3,300,310\n", file);
	fclose(file);
	setenv("HFT_RECORD", path, 1);
	assert_int_equal(hft_open(&h, &opts), 0);
	unsetenv("HFT_RECORD");
	assert_int_equal(hft_ring_open(h, &ring_opts, &ring), 0);
	assert_int_equal(hft_lead_set(ring, 5000), 0);
	assert_int_equal(hft_rule_set(ring, &rule), 0);
	assert_int_equal(hft_feed_open(&feed, csv), 0);
	while (hft_feed_next(feed, &packet) > 0)
		;
	hft_ring_close(ring);
	hft_close(h);
	hft_feed_close(feed);
	assert_int_equal(hft_log_reader_open(&reader, &path, 1, &reading), 0);
	while (hft_log_reader_next(reader, &view) > 0)
		count_record(view, counts);
	hft_log_reader_close(reader);
	assert_int_equal(counts[0], 1);
	assert_int_equal(counts[1], 1);
	assert_int_equal(counts[2], 1);
	assert_int_equal(counts[3], 3);
	assert_int_equal(hft_replay(path, NULL, NULL), 0);
}

/* A process that runs a load until it is killed.  Returns when it has got somewhere. */
static pid_t start_victim(const char *path)
{
	struct load *l;
	int fds[2], steps;
	char byte;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid) {
		close(fds[1]);
		assert_int_equal(read(fds[0], &byte, 1), 1);
		close(fds[0]);
		return pid;
	}
	l = calloc(1, sizeof(*l));
	l->random = 1;
	setenv("HFT_RECORD", path, 1);
	if (load_open(l, "soft"))
		_exit(1);
	for (steps = 0;; steps++) {
		load_step(l);
		if (steps == 300 && write(fds[1], "", 1) != 1)
			_exit(1);
	}
}

static void test_killed(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = LOAD_LATE_NS);
	HFT_OPTS(hft_replay_result, result);
	pid_t pid = start_victim(path_of("killed"));
	int status;

	(void)state;
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(hft_log_recover(path_of("killed"), NULL), 0);
	assert_int_equal(hft_replay(path_of("killed"), &opts, &result), 0);
	assert_false(result.complete);
	assert_true(result.records > 300 && result.events > 0);
}

static struct hft_recording copy_of(const struct hft_recording *recording)
{
	struct hft_recording copy = *recording;

	copy.records = malloc(copy.nr * sizeof(*copy.records));
	assert_non_null(copy.records);
	memcpy(copy.records, recording->records, copy.nr * sizeof(*copy.records));
	return copy;
}

static int replay_copy(const struct hft_recording *copy)
{
	HFT_OPTS(hft_replay_opts, opts, .max_steps = 100000);
	HFT_OPTS(hft_replay_result, result);

	return hft_replay_recording(copy, &opts, &result, NULL);
}

static void test_sample(void **state)
{
	struct hft_recording copy;

	(void)state;
	assert_true(load_record("sim", path_of("sample"), 1, 250) > 0);
	assert_int_equal(hft_recording_read(path_of("sample"), 1, &sample), 0);
	copy = copy_of(&sample);
	assert_int_equal(replay_copy(&copy), 0);
	hft_recording_free(&copy);
}

/* What the fuzzer begins with is no record of another version, which it would not get beyond. */
static void test_seed(void **state)
{
	struct __attribute__((packed)) {
		uint8_t kind;
		uint64_t words[5];
	} open;
	char path[PATH_MAX] = __FILE__;		/* from wherever it is run */
	FILE *seed;

	(void)state;
	snprintf(strrchr(path, '/'), 32, "/../fuzz/corpus/record/sim");
	seed = fopen(path, "r");
	assert_non_null(seed);
	assert_int_equal(fread(&open, sizeof(open), 1, seed), 1);
	fclose(seed);
	assert_int_equal(open.kind, HFT_RECORD_OPEN);
	assert_int_equal(open.words[4], HFT_RECORD_VERSION);
}

/* Records that make no sense, as nothing but their words can say. */
static void test_hostile(void **state)
{
	uint64_t random = 1;
	int trial, i;

	(void)state;
	for (trial = 0; trial < 1500; trial++) {
		struct hft_recording copy = copy_of(&sample);

		for (i = 0; i <= trial % 8; i++) {
			struct hft_record *record = &copy.records[1 + random_below(&random,
							(uint32_t)copy.nr - 2)];
			uint64_t *word = &record->words[random_below(&random, record->nr)];

			switch (random_below(&random, 4)) {
			case 0:
				*word = UINT64_MAX;
				break;
			case 1:
				*word = random_u64(&random);
				break;
			case 2:
				*word ^= 1ull << random_below(&random, 64);
				break;
			default:
				*record = copy.records[1 + random_below(&random,
							(uint32_t)copy.nr - 2)];
			}
			record->words[0] %= HFT_TIME_MAX + 1;
		}
		assert_true(replay_copy(&copy) <= 0);
		hft_recording_free(&copy);
	}
}

/* The number of an event is another. */
static void test_difference(void **state)
{
	struct hft_recording copy = copy_of(&sample);
	size_t i;

	(void)state;
	for (i = 0; copy.records[i].kind != HFT_RECORD_DISPATCH; i++)
		assert_true(i < copy.nr);
	copy.records[i].words[7] ^= 1;
	assert_int_equal(replay_copy(&copy), -EPROTO);
	assert_non_null(strstr(hft_strerror(EPROTO), "its number is another"));
	hft_recording_free(&copy);
}

static void expect_bad(const char *text)
{
	assert_int_equal(hft_replay(path_of("written"), NULL, NULL), -EBADMSG);
	assert_non_null(strstr(hft_strerror(EBADMSG), text));
}

/* A record in the midst that is not there, the first, one twice, another version. */
static void test_missing(void **state)
{
	const char *path = "written";
	struct hft_recording copy = copy_of(&sample);
	HFT_OPTS(hft_replay_result, result);
	size_t last = copy.nr - 1;

	(void)state;
	write_log(path_of(path), &copy, SIZE_MAX);
	assert_int_equal(hft_replay(path_of(path), NULL, &result), 0);
	assert_true(result.complete);
	write_log(path_of(path), &copy, 10);
	expect_bad("record 10: it is missing");
	write_log(path_of(path), &copy, 0);
	expect_bad("the first is missing");
	write_log(path_of(path), &copy, last);
	assert_int_equal(hft_replay(path_of(path), NULL, &result), 0);
	assert_false(result.complete);
	assert_int_equal(result.records, last);
	copy.records[last - 1].order--;
	write_log(path_of(path), &copy, SIZE_MAX);
	expect_bad("it is there twice");
	copy.records[last - 1].order++;
	copy.records[last - 1].words[0] = HFT_TIME_MAX + 1;
	write_log(path_of(path), &copy, SIZE_MAX);
	expect_bad("is out of range");
	copy.records[0].words[4]++;
	copy.records[last - 1].words[0] = 1;
	write_log(path_of(path), &copy, SIZE_MAX);
	expect_bad("another version");
	hft_recording_free(&copy);
}

static void test_no_log(void **state)
{
	(void)state;
	assert_int_equal(hft_replay("/nonexistent", NULL, NULL), -ENOENT);
	assert_int_equal(hft_replay(folder, NULL, NULL), -ENOENT);
}

static void count_warning(void *arg, const char *text)
{
	*(int *)arg += !!strstr(text, "recorded no more");
}

/* A record that can not be written is told of, and is no record from there on. */
static void test_left_out(void **state)
{
	int warnings = 0;
	HFT_OPTS(hft_opts, opts, .backend = "sim", .warn = count_warning, .warn_arg = &warnings);
	HFT_OPTS(hft_replay_result, result);
	struct hft_log *log;
	struct hft *h;

	(void)state;
	setenv("HFT_RECORD", "/nonexistent/record", 1);
	assert_int_equal(hft_open(&h, &opts), -ENOENT);
	assert_int_equal(hft_log_open(&log, path_of("out"), NULL), 0);
	setenv("HFT_RECORD", path_of("out"), 1);
	assert_int_equal(hft_open(&h, &opts), 0);
	unsetenv("HFT_RECORD");
	assert_int_equal(hft_log_set_level(log, "rec*", HFT_LOG_OFF), 0);
	hft_halt(h, HFT_HALT_CANCEL, 0, NULL);
	assert_int_equal(warnings, 0);
	assert_int_equal(hft_log_close(log), 0);
	hft_halt(h, HFT_HALT_CANCEL, 0, NULL);
	hft_close(h);
	assert_int_equal(warnings, 1);
	assert_int_equal(hft_replay(path_of("out"), NULL, &result), 0);
	result.sz = 0;
	assert_int_equal(hft_replay(path_of("out"), NULL, &result), -EINVAL);
	assert_false(result.complete);
	assert_int_equal(result.records, 2);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	hft_recording_free(&sample);
	load_remove(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_soft),
		cmocka_unit_test(test_sim),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_two_handles),
		cmocka_unit_test(test_own_log),
		cmocka_unit_test(test_other_inputs),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_sample),
		cmocka_unit_test(test_seed),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_difference),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_no_log),
		cmocka_unit_test(test_left_out),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
