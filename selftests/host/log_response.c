// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* The schedule in the log: what rules have done is there as their notices have told it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <hft/hft.h>
#include <hft/rule.h>

#include "log_here.h"

#define LEARNED		400		/* tasks of which none is unusual */
#define TASKS		500
#define SPIKE_EVERY	25
#define USUAL_NS	5000
#define SPIKE_NS	400000
#define LEAVE_NS	1000000
#define RULE		3		/* its number */
#define MOST		256
#define ROUNDS		20

struct ruled {
	struct hft *h;
	struct hft_ring *ring;
	struct hft_ring *monitor;
	struct hft_event told[MOST];
	uint32_t nr;
};

static void open_ruled(struct ruled *ruled, const char *backend)
{
	HFT_OPTS(hft_opts, opts, .backend = backend, .tasks = 64);
	HFT_OPTS(hft_ring_opts, ring, .entries = 8, .flags = HFT_RING_REPORT);
	HFT_OPTS(hft_ring_opts, monitor, .entries = MOST, .flags = HFT_RING_MONITOR);
	const struct hft_rule rule = {
		.number = RULE, .action = HFT_ACTION_SHED, .level = HFT_LEVEL_NORMAL,
		.kinds = 1 << HFT_KIND_RUN, .anomalies = 1 << HFT_ANOMALY_SPIKE, .count = 1,
		.among = 100, .leave = LEAVE_NS,
	};

	memset(ruled, 0, sizeof(*ruled));
	assert_int_equal(hft_open(&ruled->h, &opts), 0);
	assert_int_equal(hft_ring_open(ruled->h, &ring, &ruled->ring), 0);
	assert_int_equal(hft_ring_open(ruled->h, &monitor, &ruled->monitor), 0);
	assert_int_equal(hft_rule_set(ruled->ring, &rule), 0);
}

static void close_ruled(struct ruled *ruled)
{
	hft_ring_close(ruled->monitor);
	hft_ring_close(ruled->ring);
	hft_close(ruled->h);
}

/* Of a level that is not shed. */
static void run_task(struct ruled *ruled, uint64_t ns)
{
	const struct hft_task task = {
		.release = hft_now(), .ring = hft_ring_number(ruled->ring),
		.level = HFT_LEVEL_NORMAL,
	};
	const struct hft_event *event;

	assert_int_equal(hft_submit(ruled->h, &task, NULL), 0);
	assert_true(hft_wait(ruled->ring, HFT_WAIT_FOREVER) > 0);
	event = hft_ring_peek(ruled->ring);
	hft_ring_begin(ruled->ring, event, hft_now());
	hft_spin_until(hft_now() + ns);
	hft_ring_advance(ruled->ring);
}

static void read_notices(struct ruled *ruled)
{
	const struct hft_event *event;

	while ((event = hft_ring_peek(ruled->monitor))) {
		if (event->type == HFT_EVENT_RESPONSE) {
			assert_true(ruled->nr < MOST);
			ruled->told[ruled->nr++] = *event;
		}
		hft_ring_advance(ruled->monitor);
	}
}

static void run_all(struct ruled *ruled)
{
	uint32_t i;

	for (i = 0; i < TASKS; i++) {
		run_task(ruled, i < LEARNED || i % SPIKE_EVERY ? USUAL_NS : SPIKE_NS);
		read_notices(ruled);
	}
	/* It is undone when it is looked at. */
	hft_spin_until(hft_now() + 2 * LEAVE_NS);
	run_task(ruled, USUAL_NS);
	read_notices(ruled);
}

static uint64_t u_of(const struct hft_log_view *view, const char *name)
{
	const union hft_log_view_value *value = hft_log_view_find(view, name, NULL);

	assert_non_null(value);
	return value->u;
}

static void expect_response(const struct hft_log_view *view, const struct hft_event *told)
{
	assert_int_equal(u_of(view, "ring"), (uint32_t)told->task);
	assert_int_equal(u_of(view, "rule"), RULE);
	assert_int_equal(u_of(view, "action"), HFT_ACTION_SHED);
	assert_int_equal(u_of(view, "response"), told->result);
	assert_int_equal(u_of(view, "anomaly"), HFT_ANOMALY_SPIKE);
	assert_int_equal(u_of(view, "value"), told->cookie);
	assert_int_equal(u_of(view, "before"), told->deadline);
	assert_int_equal(u_of(view, "since"), told->release);
	assert_int_equal(u_of(view, "at"), told->published);
}

static void expect_responses(const struct ruled *ruled)
{
	const struct hft_log_view *view;
	struct hft_log_reader *reader = reopen("sched");
	uint32_t nr = 0;

	while (hft_log_reader_next(reader, &view) == 1) {
		if (strcmp(view->site->name, "response"))
			continue;
		assert_true(nr < ruled->nr);
		expect_response(view, &ruled->told[nr++]);
	}
	assert_int_equal(nr, ruled->nr);
	hft_log_reader_close(reader);
	tree_remove(dir);
}

/*
 * A rule has acted, sheds what is below, and is undone.  On a host so busy that usual tasks take
 * as long as the others, none of these is unusual: there are more then.
 */
static void run_backend(const char *backend)
{
	struct ruled ruled;
	uint32_t i;

	assert_int_equal(hft_log_set_level(the_log, "sched", HFT_LOG_DEBUG), 0);
	open_ruled(&ruled, backend);
	for (i = 0; i < ROUNDS && ruled.nr < 2; i++)
		run_all(&ruled);
	close_ruled(&ruled);
	assert_true(ruled.nr >= 2);
	assert_int_equal(ruled.told[0].result, HFT_RESPONSE_APPLIED);
	assert_int_equal(ruled.told[0].cookie, HFT_LEVEL_NORMAL);
	assert_int_equal(ruled.told[ruled.nr - 1].result, HFT_RESPONSE_UNDONE);
	expect_responses(&ruled);
}

static void of_a_machine(void **state)
{
	(void)state;
	run_backend("sim");
}

static void of_soft(void **state)
{
	(void)state;
	run_backend("soft");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(of_a_machine, begin),
		cmocka_unit_test_setup(of_soft, begin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
