// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Threads that halt and resume one handle at a time. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>
#include <hft/hft.h>

#include "engine/inbox.h"

#define WAIT_US		1000
#define WAITS		30000		/* for what comes */
#define LOOKS		30		/* for what must not */

struct call {
	struct hft *h;
	enum hft_halt_mode mode;
	int result;
	atomic_bool done;
};

struct fixture {
	struct hft *h;
	struct hft_ring *ring;
	struct call calls[2];
	pthread_t threads[2];
	int nr;
};

static void *do_call(void *arg)
{
	struct call *call = arg;

	call->result = hft_halt(call->h, call->mode, 0, NULL);
	atomic_store(&call->done, true);
	return NULL;
}

static bool has(const struct fixture *f, uint32_t flag)
{
	return hft_ring_flags(f->ring) & flag;
}

static void expect_soon(const struct fixture *f, uint32_t flag)
{
	int i;

	for (i = 0; i < WAITS && !has(f, flag); i++)
		usleep(WAIT_US);
	assert_true(has(f, flag));
}

static struct call *start(struct fixture *f, enum hft_halt_mode mode)
{
	struct call *call = &f->calls[f->nr];

	call->h = f->h;
	call->mode = mode;
	assert_int_equal(pthread_create(&f->threads[f->nr], NULL, do_call, call), 0);
	f->nr++;
	return call;
}

/* A worker chooses, and was interrupted: the first halt waits for it. */
static struct call *halt_first(struct fixture *f, enum hft_halt_mode mode, uint32_t flag)
{
	struct call *call;

	atomic_store(&f->ring->inbox->busy, 1);
	call = start(f, mode);
	expect_soon(f, flag);
	assert_false(atomic_load(&call->done));
	return call;
}

static void join_all(struct fixture *f)
{
	atomic_store(&f->ring->inbox->busy, 0);
	while (f->nr)
		pthread_join(f->threads[--f->nr], NULL);
	assert_int_equal(f->calls[0].result | f->calls[1].result, 0);
}

/* What is submitted after a resume is not cancelled by the halt before it. */
static void test_resume(void **state)
{
	struct fixture *f = *state;
	struct call *resume;
	int i;

	halt_first(f, HFT_HALT_CANCEL, HFT_RING_HALTED);
	resume = start(f, HFT_HALT_NONE);
	for (i = 0; i < LOOKS; i++) {
		usleep(WAIT_US);
		assert_true(has(f, HFT_RING_HALTED));
		assert_false(atomic_load(&resume->done));
	}
	join_all(f);
	assert_false(has(f, HFT_RING_HALTED));
}

/* The kill switch holds while another thread that asks for less waits. */
static void test_harder(void **state)
{
	struct fixture *f = *state;
	struct call *reduce = halt_first(f, HFT_HALT_REDUCE, HFT_RING_REDUCE);

	start(f, HFT_HALT_ALL);
	expect_soon(f, HFT_RING_HALTED);
	assert_false(atomic_load(&reduce->done));
	join_all(f);
	assert_true(has(f, HFT_RING_HALTED));
}

static int setup(void **state)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft");
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(hft_open(&f->h, &opts), 0);
	assert_int_equal(hft_ring_open(f->h, NULL, &f->ring), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	join_all(f);
	hft_ring_close(f->ring);
	hft_close(f->h);
	free(f);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_resume, setup, teardown),
		cmocka_unit_test_setup_teardown(test_harder, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
