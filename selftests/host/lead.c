// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* The lead that kmod/core/lead.h learns: against brute force, and on a simulated machine. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <hft/hft.h>
#include <hft/sim.h>

#include "core/lead.h"
#include "engine/internal.h"
#include "engine/sim.h"
#include "random.h"
#include "sim_source.h"

#define US		1000ULL
#define MS		1000000ULL
#define S		1000000000ULL

#define MOST		4000		/* so that none is forgotten */
#define ROUNDS		400

struct wakeups {
	uint64_t ns[MOST];
	uint32_t nr;
	uint64_t span;			/* ns, of all */
};

/* Most are about @base; some are much longer, a few beyond any lead. */
static uint64_t some_wakeup(uint64_t *random, uint64_t base)
{
	uint64_t ns = base + random_below(random, (uint32_t)base / 4 + 1);

	if (!random_below(random, 20))
		ns *= 2 + random_below(random, 8);
	if (!random_below(random, 500))
		ns += 2 * HFT_MAX_LEAD;
	return ns;
}

static void make_wakeups(struct wakeups *w, struct hft_lead *l, uint64_t *random)
{
	uint64_t base = 1 + random_below(random, 1U << random_below(random, 17));
	uint64_t period = 10 * US << random_below(random, 14), now = S;
	uint32_t i;

	*l = (struct hft_lead){ .budget_ppm = 1 + random_below(random, 200000) };
	w->nr = 1 + random_below(random, MOST);
	hft_lead_dispatch(l, now);
	for (i = 0; i < w->nr; i++) {
		now += period;
		w->ns[i] = some_wakeup(random, base);
		hft_lead_dispatch(l, now);
		hft_lead_wakeup(l, w->ns[i]);
	}
	w->span = now - S;
	l->dispatches = w->nr;
	l->span_us = w->span / 1000;
}

static uint32_t late_starts(const struct wakeups *w, uint64_t lead)
{
	uint32_t i, late = 0;

	for (i = 0; i < w->nr; i++)
		late += w->ns[i] > lead;
	return late;
}

/* All that is spun, ns. */
static uint64_t spun(const struct wakeups *w, uint64_t lead)
{
	uint64_t sum = 0;
	uint32_t i;

	for (i = 0; i < w->nr; i++)
		sum += w->ns[i] < lead ? lead - w->ns[i] : 0;
	return sum;
}

static bool is_within(const struct wakeups *w, const struct hft_lead *l, uint64_t ns)
{
	return (double)ns <= (double)w->span * l->budget_ppm / HFT_LEAD_PPM;
}

/* No lead that keeps to the budget, with what the buckets blur on top, is better. */
static void check_best(const struct wakeups *w, const struct hft_lead *l, uint64_t lead)
{
	uint32_t i, late = late_starts(w, lead);
	uint64_t other;

	for (i = 0; i < w->nr; i++) {
		other = w->ns[i];
		if (other > HFT_MAX_LEAD * 31 / 32 || late_starts(w, other) >= late)
			continue;
		if (is_within(w, l, spun(w, other) + w->nr * (other / 16 + 2)))
			fail_msg("lead %llu: %u late; %llu: %u", (unsigned long long)lead, late,
				 (unsigned long long)other, late_starts(w, other));
	}
}

static void best_within_the_budget(void **state)
{
	struct wakeups *w = malloc(sizeof(*w));
	uint64_t random = 1, lead;
	struct hft_lead l;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		make_wakeups(w, &l, &random);
		lead = hft_lead_choose(&l);
		assert_true(lead <= HFT_MAX_LEAD);
		assert_true(is_within(w, &l, spun(w, lead)));
		if (round % 8 == 0)
			check_best(w, &l, lead);
	}
	free(w);
	(void)state;
}

static void table_is_the_trade(void **state)
{
	struct hft_lead_row rows[HFT_LEAD_ROWS];
	struct wakeups *w = malloc(sizeof(*w));
	uint64_t random = 2;
	struct hft_lead l;
	uint32_t i, nr;
	double cpu;
	int round;

	for (round = 0; round < 40; round++) {
		make_wakeups(w, &l, &random);
		nr = hft_lead_rows(&l, rows, HFT_LEAD_ROWS);
		for (i = 0; i < nr; i++) {
			assert_int_equal(rows[i].late_ppm, (uint64_t)late_starts(w, rows[i].lead) *
					 HFT_LEAD_PPM / w->nr);
			cpu = (double)spun(w, rows[i].lead) / (double)w->span * 1e6;
			assert_true(rows[i].cpu_ppm >= cpu * 0.99 - 2.0);
			assert_true(rows[i].cpu_ppm <= cpu * 1.01 + 2.0 +
				    (double)w->nr * (double)rows[i].lead / 32 /
				    (double)w->span * 1e6);
			if (!i)
				continue;
			assert_true(rows[i].lead > rows[i - 1].lead);
			assert_true(rows[i].late_ppm < rows[i - 1].late_ppm);
			assert_true(rows[i].cpu_ppm >= rows[i - 1].cpu_ppm);
		}
	}
	assert_int_equal(hft_lead_rows(&l, rows, 1), nr > 0);
	free(w);
	(void)state;
}

static void longest_within_the_budget(void **state)
{
	struct wakeups *w = malloc(sizeof(*w));
	uint64_t random = 3, most;
	struct hft_lead l;
	int round;

	for (round = 0; round < ROUNDS; round++) {
		make_wakeups(w, &l, &random);
		most = hft_lead_within(&l, HFT_MAX_LEAD);
		assert_true(most <= HFT_MAX_LEAD);
		assert_true(is_within(w, &l, spun(w, most)));
		assert_true(most >= hft_lead_choose(&l));
		assert_int_equal(hft_lead_within(&l, most / 2), most / 2);
		if (most < HFT_MAX_LEAD * 9 / 10)
			assert_false(is_within(w, &l, spun(w, most + most / 16 + 2) + w->nr));
	}
	l = (struct hft_lead){ .budget_ppm = 1 };
	assert_int_equal(hft_lead_within(&l, 5 * US), 5 * US);
	free(w);
	(void)state;
}

struct feed {
	struct hft_lead l;
	uint64_t random;
	uint64_t now;
	uint64_t lead;
};

static void feed(struct feed *f, uint64_t base, uint64_t period, uint64_t time)
{
	uint64_t end = f->now + time;

	for (; f->now < end; f->now += period) {
		hft_lead_dispatch(&f->l, f->now);
		hft_lead_wakeup(&f->l, base + random_below(&f->random, (uint32_t)base / 8));
		f->lead = hft_lead_look(&f->l, f->lead, f->now);
	}
}

static void follows_what_is_now(void **state)
{
	struct feed f = { .l.budget_ppm = HFT_LEAD_BUDGET_PPM, .random = 4, .now = S };
	struct hft_lead_row row;

	feed(&f, 4 * US, 4 * MS, S);
	assert_in_range(f.lead, 4 * US, 5 * US);
	/* Slower: within a third of a second; faster: when the slow ones are forgotten. */
	feed(&f, 20 * US, 4 * MS, S / 3);
	assert_in_range(f.lead, 20 * US, 24 * US);
	feed(&f, 4 * US, 100 * US, 20 * S);
	assert_in_range(f.lead, 4 * US, 6 * US);
	/* The same, so often that it can not all be spun for: about 1 % of 2 us is left. */
	feed(&f, 4 * US, 4 * US, S);
	hft_lead_at(&f.l, f.lead, &row);
	assert_true(row.cpu_ppm <= HFT_LEAD_BUDGET_PPM);
	assert_in_range(f.lead, 3 * US, 43 * US / 10);
	(void)state;
}

static void stays_where_it_is(void **state)
{
	struct feed f = { .l.budget_ppm = HFT_LEAD_BUDGET_PPM, .random = 5, .now = S };
	uint64_t changes;

	feed(&f, 4 * US, MS, 2 * S);
	changes = f.l.changes;
	assert_in_range(changes, 1, 3);
	feed(&f, 4 * US, MS, 100 * S);
	assert_int_equal(f.l.changes, changes);
	/* Not before there are enough wake-ups, and time. */
	f = (struct feed){ .l.budget_ppm = HFT_LEAD_BUDGET_PPM, .random = 6, .now = S };
	feed(&f, 4 * US, US, HFT_LEAD_LOOK_NS);
	assert_int_equal(f.lead, 0);
	f.now += S;
	feed(&f, 4 * US, US, US);
	assert_true(f.lead > 0);
	f = (struct feed){ .l.budget_ppm = HFT_LEAD_BUDGET_PPM, .random = 7, .now = S };
	feed(&f, 4 * US, S, (HFT_LEAD_LOOK - 1) * S);
	assert_int_equal(f.lead, 0);
	(void)state;
}

/* Times that a hostile worker may report, and a clock that a test may set back. */
static void takes_any_time(void **state)
{
	struct hft_lead l = { .budget_ppm = HFT_LEAD_PPM };
	uint64_t random = 8, lead = 0;
	struct hft_lead_row row;
	int i;

	for (i = 0; i < 100000; i++) {
		uint64_t now = random_u64(&random) >> random_below(&random, 64);

		hft_lead_dispatch(&l, now);
		hft_lead_wakeup(&l, random_u64(&random) >> random_below(&random, 64));
		lead = hft_lead_look(&l, lead, now);
		hft_lead_at(&l, lead, &row);
		assert_true(lead <= HFT_MAX_LEAD && row.late_ppm <= HFT_LEAD_PPM);
		assert_true(hft_lead_within(&l, HFT_MAX_LEAD) <= HFT_MAX_LEAD);
	}
	(void)state;
}

/* A simulated machine. */

struct machine {
	struct hft_sim *sim;
	struct sim_source source;
	uint64_t from;			/* what was before does not count */
	uint64_t starts;
	uint64_t late;
	uint64_t dispatched;		/* at, of the task at hand */
	uint64_t spun;			/* at most, ns */
};

#define WAKEUP		(3 * US)
#define NOISE		(8 * US)

static void observe(const struct hft_sim_record *record, void *arg)
{
	struct machine *m = arg;

	if (record->time < m->from)
		return;
	if (record->what == HFT_SIM_DISPATCH)
		m->dispatched = record->time;
	if (record->what != HFT_SIM_START || m->dispatched < m->from)
		return;
	m->starts++;
	m->late += record->value > 0;
	/* Late, it has not spun; else no longer than this: no wake-up is shorter. */
	if (!record->value)
		m->spun += record->time - m->dispatched - WAKEUP;
}

static void machine_start(struct machine *m, uint64_t lead, uint32_t budget, uint64_t period)
{
	HFT_OPTS(hft_sim_opts, opts, .seed = 9, .wakeup_ns = WAKEUP, .interrupt_ns = 500,
		 .switch_ns = 300, .jitter_ns = 200, .noise_ns = NOISE, .noise_period_ns = MS / 2,
		 .record = observe, .record_arg = m);
	HFT_OPTS(hft_ring_opts, ring, .lead_ns = lead, .lead_budget_ppm = budget);
	HFT_OPTS(hft_sim_worker_opts, worker, .level = HFT_LEVEL_HIGH);

	*m = (struct machine){
		.source = { .task = { .release = MS, .wcet = US, .level = HFT_LEVEL_HIGH },
			    .period = period, .left = UINT64_MAX },
	};
	assert_int_equal(hft_sim_open(&m->sim, &opts), 0);
	assert_int_equal(hft_sim_ring_add(m->sim, &ring), 0);
	assert_int_equal(hft_sim_worker_add(m->sim, 0, &worker), 0);
}

/* Submitted some time before their release, as the source's own are not. */
static void submit_ahead(struct hft_sim *sim, uint64_t now, void *arg)
{
	struct machine *m = arg;

	m->source.task.release = now + MS;
	assert_int_equal(hft_sim_submit(sim, &m->source.task, NULL), 0);
	hft_sim_call_at(sim, now + m->source.period, submit_ahead, m);
}

static void machine_run(struct machine *m, uint64_t learn, uint64_t time)
{
	m->from = learn;
	assert_int_equal(hft_sim_call_at(m->sim, MS, submit_ahead, m), 0);
	hft_sim_run_until(m->sim, learn + time);
	assert_true(m->starts > 100);
}

/* Parts per million of the CPU that were spun, at most. */
static uint64_t machine_spins(const struct machine *m, uint64_t time)
{
	return m->spun * HFT_LEAD_PPM / time;
}

static void sim_learns(void **state)
{
	struct hft_ready_queue *ready;
	struct machine m, again;

	machine_start(&m, 0, 0, MS / 4);
	machine_run(&m, S, 4 * S);
	assert_int_equal(m.late, m.starts);
	hft_sim_close(m.sim);

	machine_start(&m, HFT_LEAD_LEARNED, 0, MS / 4);
	machine_run(&m, S, 4 * S);
	ready = &m.sim->rings[0]->ready;
	print_message("learned %llu ns in %llu changes: %llu of %llu late, %llu ppm spun\n",
		      (unsigned long long)ready->lead,
		      (unsigned long long)ready->counters.lead_changes,
		      (unsigned long long)m.late, (unsigned long long)m.starts,
		      (unsigned long long)machine_spins(&m, 4 * S));
	assert_true(ready->lead > WAKEUP);
	assert_true(ready->learner->wakeups > 15000);
	assert_true(m.late < m.starts / 50);
	assert_true(machine_spins(&m, 4 * S) <= HFT_LEAD_BUDGET_PPM);

	machine_start(&again, HFT_LEAD_LEARNED, 0, MS / 4);
	machine_run(&again, S, 4 * S);
	assert_int_equal(again.late, m.late);
	assert_int_equal(again.spun, m.spun);
	assert_memory_equal(again.sim->rings[0]->ready.learner, ready->learner,
			    sizeof(*ready->learner));
	hft_sim_close(again.sim);
	hft_sim_close(m.sim);
	(void)state;
}

/* A tenth of the budget at ten times the rate: fewer can be in time, and it is kept. */
static void sim_keeps_its_budget(void **state)
{
	static const uint32_t budgets[] = { 100, 1000, 10000, 100000 };
	uint64_t late[4], lead[4];
	struct machine m;
	size_t i;

	for (i = 0; i < 4; i++) {
		machine_start(&m, HFT_LEAD_LEARNED, budgets[i], 25 * US);
		machine_run(&m, S, S);
		late[i] = m.late;
		lead[i] = m.sim->rings[0]->ready.lead;
		print_message("%6u ppm: lead %llu ns, %llu of %llu late, %llu ppm spun\n",
			      budgets[i], (unsigned long long)lead[i], (unsigned long long)late[i],
			      (unsigned long long)m.starts,
			      (unsigned long long)machine_spins(&m, S));
		assert_true(machine_spins(&m, S) <= budgets[i] * 5 / 4);
		if (i)
			assert_true(late[i] <= late[i - 1] && lead[i] >= lead[i - 1]);
		hft_sim_close(m.sim);
	}
	assert_true(late[0] > late[3] * 2);
	(void)state;
}

/* What a rule asks for, and no more than the budget. */
static void lead_is_raised(void **state)
{
	struct hft_ready_queue *ready;
	struct machine m;
	uint64_t learned;

	machine_start(&m, HFT_LEAD_LEARNED, HFT_LEAD_PPM, MS);
	machine_run(&m, S, S);
	ready = &m.sim->rings[0]->ready;
	learned = ready->lead;
	assert_int_equal(hft_ready_raise_lead(ready, learned - 1), learned);
	assert_int_equal(hft_ready_raise_lead(ready, learned + 500), learned + 500);
	assert_int_equal(ready->producer->lead, learned + 500);
	ready->learner->budget_ppm = HFT_LEAD_PPM * 3 / 4;
	assert_in_range(hft_ready_raise_lead(ready, HFT_MAX_LEAD), 7 * MS / 10, 8 * MS / 10);
	assert_int_equal(hft_ready_raise_lead(ready, 0), learned);
	hft_sim_close(m.sim);

	machine_start(&m, 2 * US, 0, MS);
	ready = &m.sim->rings[0]->ready;
	assert_int_equal(hft_ready_raise_lead(ready, UINT64_MAX), HFT_MAX_LEAD);
	assert_int_equal(hft_ready_raise_lead(ready, 0), 2 * US);
	hft_sim_close(m.sim);
	(void)state;
}

/* Its field is reserved there, and the worker has to wait for the release all the same. */
static void an_older_module_tells_no_lead(void **state)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft");
	HFT_OPTS(hft_ring_opts, ring_opts, .lead_ns = MS);
	struct hft_ring *ring;
	struct hft *h;

	(void)state;
	assert_int_equal(hft_open(&h, &opts), 0);
	h->query.features &= ~HFT_FEATURE_LEAD;
	assert_int_equal(hft_ring_open(h, &ring_opts, &ring), 0);
	((struct hft_ring_producer *)ring->producer)->lead = 0;
	assert_int_equal(hft_ring_lead(ring), MS);
	hft_ring_close(ring);
	hft_close(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(best_within_the_budget),
		cmocka_unit_test(table_is_the_trade),
		cmocka_unit_test(longest_within_the_budget),
		cmocka_unit_test(follows_what_is_now),
		cmocka_unit_test(stays_where_it_is),
		cmocka_unit_test(takes_any_time),
		cmocka_unit_test(sim_learns),
		cmocka_unit_test(sim_keeps_its_budget),
		cmocka_unit_test(lead_is_raised),
		cmocka_unit_test(an_older_module_tells_no_lead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
