// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* What a replay says of the first decision that differs. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../libhft/record_load.h"
#include "engine/replay.h"

static char folder[] = "/tmp/hft-replay-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

#define LONG_NS		1000000
#define WCET_NS		5000

/* A task that runs, and two that wait meanwhile.  They are sent as @ids. */
static void record_three(const char *path, uint64_t ids[3])
{
	HFT_OPTS(hft_opts, opts, .backend = "sim", .device = "cpus=1");
	HFT_OPTS(hft_ring_opts, ring_opts, .entries = 4, .window = 1, .policy = HFT_POLICY_LLF);
	uint64_t deadline = 2 * LONG_NS;
	struct hft_ring *ring;
	struct hft *h;
	uint32_t i;

	setenv("HFT_RECORD", path, 1);
	assert_int_equal(hft_open(&h, &opts), 0);
	unsetenv("HFT_RECORD");
	assert_int_equal(hft_ring_open(h, &ring_opts, &ring), 0);
	for (i = 0; i < 3; i++) {
		struct hft_task task = {
			.cookie = 100 + i, .release = hft_now(), .level = HFT_LEVEL_NORMAL,
			.deadline = hft_now() + deadline, .wcet = WCET_NS,
		};

		assert_int_equal(hft_submit(h, &task, &ids[i]), 0);
		deadline += LONG_NS;
	}
	for (i = 0; i < 3; i++) {
		assert_true(hft_wait(ring, hft_now()) > 0);
		hft_spin_until(hft_now() + LONG_NS);
		hft_ring_advance(ring);
	}
	hft_ring_close(ring);
	hft_close(h);
}

static struct hft_record *submission_of(struct hft_recording *recording, uint64_t id)
{
	size_t i;

	for (i = 0; i < recording->nr; i++) {
		struct hft_record *record = &recording->records[i];

		if (record->kind == HFT_RECORD_SUBMIT && record->words[2] == id)
			return record;
	}
	fail();
	return NULL;
}

/* Of the second and the third the third is more urgent, in a record that says otherwise. */
static void test_difference(void **state)
{
	HFT_OPTS(hft_replay_opts, opts, .late_ns = LONG_NS / 2);
	const struct hft_replay_difference *difference;
	struct hft_replay_result result;
	struct hft_recording recording;
	struct hft_record *last;
	uint64_t ids[3];

	(void)state;
	record_three(path_of("three"), ids);
	assert_int_equal(hft_replay(path_of("three"), &opts, &result), 0);
	assert_int_equal(result.events, 3);
	assert_int_equal(result.difference.time, 0);
	assert_int_equal(hft_recording_read(path_of("three"), 1, &recording), 0);
	last = submission_of(&recording, ids[2]);
	last->words[5] -= 3 * LONG_NS;
	last->words[9] = HFT_LEVEL_NORMAL;
	assert_int_equal(hft_replay_recording(&recording, &opts, &result, NULL), -EPROTO);
	difference = &result.difference;
	assert_int_equal(result.events, 1);
	assert_int_equal(recording.records[difference->record].kind, HFT_RECORD_DISPATCH);
	assert_int_equal(recording.records[difference->record].words[2], ids[1]);
	assert_int_equal(recording.records[difference->record].words[0], difference->time);
	assert_int_equal(difference->policy, HFT_POLICY_LLF);
	assert_int_equal(difference->went.task, ids[1]);
	assert_int_equal(difference->went.cookie, 101);
	assert_int_equal(difference->better.task, ids[2]);
	assert_int_equal(difference->better.cookie, 102);
	assert_int_equal(difference->better.known_ns, LONG_NS);
	assert_int_equal(difference->better.laxity_ns, -WCET_NS);
	assert_int_equal(difference->went.laxity_ns, 2 * LONG_NS - WCET_NS);
	assert_int_equal(difference->went.key - difference->better.key, 2 * LONG_NS);
	assert_non_null(strstr(hft_strerror(EPROTO), "goes before it"));
	hft_recording_free(&recording);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	load_remove(folder);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_difference),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
