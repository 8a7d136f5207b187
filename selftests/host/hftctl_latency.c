// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan */
/* hftctl top: what came from one look to the next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/hdr.c"
#include "hftctl/latency.c"

#define FIRST_NS	1000
#define SECOND_NS	3000

/* A look that has found @nr runs of a microsecond, all in time, measured since @since. */
static struct latency look(int fd, uint64_t since, uint64_t now, int nr)
{
	struct latency_row row = { .fd = fd, .kind = HFT_KIND_RUN, .since_ns = since };
	struct latency latency = { .now_ns = now };
	int i;

	assert_int_equal(hft_histogram_open(&row.histogram), 0);
	for (i = 0; i < nr; i++)
		hft_histogram_record(row.histogram, 1000);
	row.in_time = (uint64_t)nr;
	assert_int_equal(add_row(&latency, &row), 0);
	return latency;
}

/* Of five runs at the first look and seven at the second, measured since @since by then. */
static void check(int fd, uint64_t since, uint64_t runs, uint64_t counted_since)
{
	struct latency before = look(fd, 100, FIRST_NS, 5), now = look(fd, since, SECOND_NS, 7);
	struct latency came = { 0 };

	assert_int_equal(latency_since(&now, &before, &came), 0);
	assert_int_equal(came.nr, 1);
	assert_int_equal(count_of(came.rows[0].histogram), runs);
	assert_int_equal(came.rows[0].in_time, runs);
	assert_int_equal(came.rows[0].since_ns, counted_since);
	latency_free(&before);
	latency_free(&now);
	latency_free(&came);
}

static void what_came_since(void **state)
{
	(void)state;
	check(3, 100, 2, FIRST_NS);
	check(-1, 100, 2, FIRST_NS);
}

/* A ring that is measured anew has no more than that; all rings of a CPU count on. */
static void begun_anew(void **state)
{
	(void)state;
	check(3, 2000, 7, 2000);
	check(-1, 2000, 2, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_came_since),
		cmocka_unit_test(begun_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
