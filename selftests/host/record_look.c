// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* When a CPU was offline is recorded by what the pages of its rings say, one after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/replay.h"
#include "record_folder.h"

enum { SEEN, OTHER, RINGS };

/* Two rings of a CPU: one whose looks see it offline, and another. */
struct machine {
	struct hft *h;
	struct hft_ring *rings[RINGS];
};

static int machine_open(void **state)
{
	static struct machine machine;
	HFT_OPTS(hft_opts, opts, .backend = "soft", .tasks = 16);
	int i;

	load_remove(path_of("looks"));
	setenv("HFT_RECORD", path_of("looks"), 1);
	assert_int_equal(hft_open(&machine.h, &opts), 0);
	unsetenv("HFT_RECORD");
	for (i = 0; i < RINGS; i++)
		assert_int_equal(hft_ring_open(machine.h, NULL, &machine.rings[i]), 0);
	*state = &machine;
	return 0;
}

static void machine_ring_close(struct machine *m, int ring)
{
	hft_ring_close(m->rings[ring]);
	m->rings[ring] = NULL;
}

/* Nobody goes offline here: it is written as the module does it. */
static void say(struct machine *m, int ring, bool offline)
{
	struct hft_ring_producer *page = (void *)(uintptr_t)m->rings[ring]->producer;
	uint32_t flags = page->flags & ~HFT_RING_OFFLINE;

	__atomic_store_n(&page->flags, flags | (offline ? HFT_RING_OFFLINE : 0), __ATOMIC_RELEASE);
}

/* Returns when it was over. */
static uint64_t look(struct machine *m, int ring)
{
	hft_wait(m->rings[ring], hft_now());
	return hft_now();
}

/* It is seen to be offline, by one. */
static uint64_t go_offline(struct machine *m)
{
	say(m, SEEN, true);
	say(m, OTHER, true);
	return look(m, SEEN);
}

/* Closes the machine.  It was offline, and came back between @begin and @end. */
static void expect(struct machine *m, uint64_t begin, uint64_t end)
{
	struct hft_recording recording;
	uint32_t nr = 0, closed = 0;
	size_t i;

	for (i = 0; i < RINGS; i++)
		machine_ring_close(m, (int)i);
	hft_close(m->h);
	assert_int_equal(hft_recording_read(path_of("looks"), 1, &recording), 0);
	for (i = 0; i < recording.nr; i++) {
		const struct hft_record *record = &recording.records[i];

		if (record->kind == HFT_RECORD_RING_CLOSE)
			closed |= 1U << record->words[1];
		if (record->kind != HFT_RECORD_CPU)
			continue;
		assert_false(closed & 1U << record->words[2]);
		assert_int_equal(record->words[3], !nr);
		assert_true(record->words[0] <= record->words[1]);
		if (!nr++)
			continue;
		assert_in_range(record->words[0], begin, end);
		assert_true(record->words[1] >= end);
	}
	assert_int_equal(nr, 2);
	hft_recording_free(&recording);
	load_remove(path_of("looks"));
}

/* It is back, and only a ring is used that has never seen it gone. */
static void test_other_is_used(void **state)
{
	struct machine *m = *state;
	uint64_t begin = hft_now(), end = go_offline(m);

	say(m, SEEN, false);
	say(m, OTHER, false);
	look(m, OTHER);
	look(m, OTHER);
	look(m, SEEN);
	expect(m, begin, end);
}

/* Where it has not been seen to be gone a look tells nothing: it may be back. */
static void test_other_tells_nothing(void **state)
{
	struct machine *m = *state;
	uint64_t begin = hft_now(), end = go_offline(m);

	say(m, OTHER, false);
	hft_spin_until(hft_now() + 1000);
	look(m, OTHER);
	say(m, SEEN, false);
	look(m, SEEN);
	expect(m, begin, end);
}

/* The page of one ring is written before that of the other: it does not come back in between. */
static void test_pages_follow(void **state)
{
	struct machine *m = *state;
	uint64_t begin, end;

	say(m, SEEN, true);
	look(m, SEEN);
	look(m, OTHER);
	say(m, OTHER, true);
	begin = hft_now();
	end = look(m, OTHER);
	say(m, SEEN, false);
	look(m, SEEN);
	say(m, OTHER, false);
	look(m, OTHER);
	expect(m, begin, end);
}

/* The ring that has seen it is closed when it is back, and before that. */
static void test_closed(void **state)
{
	struct machine *m = *state;
	uint64_t begin = hft_now(), end = go_offline(m);

	say(m, SEEN, false);
	say(m, OTHER, false);
	machine_ring_close(m, SEEN);
	expect(m, begin, end);
}

static void test_closed_before(void **state)
{
	struct machine *m = *state;
	uint64_t begin = go_offline(m), end;

	machine_ring_close(m, SEEN);
	end = hft_now();
	say(m, OTHER, false);
	hft_spin_until(hft_now() + 1000);
	look(m, OTHER);
	expect(m, begin, end);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_other_is_used, machine_open),
		cmocka_unit_test_setup(test_other_tells_nothing, machine_open),
		cmocka_unit_test_setup(test_pages_follow, machine_open),
		cmocka_unit_test_setup(test_closed, machine_open),
		cmocka_unit_test_setup(test_closed_before, machine_open),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
