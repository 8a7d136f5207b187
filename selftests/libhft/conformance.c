// SPDX-License-Identifier: GPL-2.0-only
/*
 * Backends conform: every case runs on each of them, and expects the same order, the
 * same events and the same errors.
 */
#include "conformance_calls.h"
#include "conformance_tasks.h"
#include "conformance_reports.h"
#include "conformance_meter.h"
#include "conformance_told.h"
#include "conformance_chain.h"
#include "conformance_threads.h"
#include "conformance_inbox_order.h"

#define CASE(name)	{ #name, case_##name, false }

/* Those that need no device are tested on the host, with the sanitizers, too. */
#ifndef BACKENDS
#define BACKENDS	"kernel"
#endif

/* With threads, or by the clocks of this machine */
#define REAL(name)	{ #name, case_##name, true }

static const struct {
	const char *name;
	void (*run)(struct test *t);
	bool real_time;
} cases[] = {
	CASE(refusals_of_tasks),
	CASE(refusals_of_rings),
	CASE(refusals_of_handles),
	CASE(numbers_of_rings),
	CASE(events_say_it_all),
	CASE(order_of_policies),
	CASE(order_with_room),
	CASE(order_of_releases),
	CASE(window),
	CASE(full_ring),
	CASE(quota),
	CASE(empty_batch),
	CASE(cancel_at_each_stage),
	CASE(stale_ids),
	CASE(cancel_the_earliest),
	CASE(closed_ring_drops),
	REAL(clocks),
	CASE(lead),
	REAL(wait),
	CASE(stop),
	CASE(closed_handle),
	CASE(states),
	CASE(states_of_plain_tasks),
	CASE(outcomes_are_forgotten),
	CASE(submit_by_time),
	REAL(submit_after),
	CASE(modify),
	CASE(refusals_of_changes),
	CASE(refusals_of_flags),
	CASE(periodic),
	CASE(sporadic),
	CASE(refusals_of_arrivals),
	REAL(overrun_skip),
	REAL(overrun_catch_up),
	REAL(overrun_coalesce),
	REAL(miss_is_told),
	CASE(drop),
	CASE(miss_halts),
	REAL(miss_signals),
	CASE(refusals_of_signals),
	CASE(halt),
	CASE(halt_of_new_rings),
	CASE(chain),
	CASE(chain_refusals),
	CASE(chain_is_cut),
	CASE(chain_of_several),
	CASE(chain_to_another_ring),
	CASE(chain_after_failure),
	CASE(chain_and_halt),
	CASE(chain_hops),
	CASE(chain_hops_in_order),
	CASE(chain_hops_refused),
	CASE(chain_hops_cancelled),
	CASE(chain_hops_fail),
	CASE(chain_hops_and_closed_rings),
	CASE(chain_hops_and_halt),
	CASE(reports),
	CASE(failed),
	CASE(reports_of_many),
	CASE(fair),
	CASE(fair_starves_nobody),
	CASE(should_yield),
	CASE(should_yield_by_policy),
	CASE(budget),
	CASE(budget_and_deadline),
	CASE(rule_refusals),
	CASE(rule_tells),
	REAL(rule_tells_in_order),
	CASE(rule_counts),
	CASE(rule_sheds),
	CASE(rule_dry_run),
	CASE(rule_boosts),
	CASE(rule_leads),
	CASE(rule_keeps_its_budget),
	CASE(rule_reduces),
	CASE(rule_halts),
	CASE(rule_and_closed_ring),
	CASE(rule_undoes_halt),
	REAL(rule_undoes_halt_among_readers),
	REAL(anomaly_watch),
	CASE(anomaly_watch_of_ring),
	CASE(guard),
	CASE(policy_changes),
	CASE(lead_is_set),
	CASE(lead_is_learned),
	CASE(gaps),
	CASE(policy_changes_while_halted),
	REAL(two_waiters),
	REAL(sleeper_is_woken),
	REAL(sleeper_hears_of_earlier),
	REAL(closed_while_waiting),
	REAL(two_rings),
	REAL(exactly_once),
	REAL(cancel_races),
	REAL(worker),
	REAL(spinning_consumer),
	REAL(poll),
	REAL(signal),
	REAL(fork),
	REAL(many_handles),
	CASE(meter_reports),
	CASE(meter_lateness),
	CASE(meter_plain),
	CASE(meter_submit),
	CASE(meter_kinds),
	CASE(meter_of_closed_ring),
	CASE(meter_anew),
	CASE(meter_errors),
	REAL(meter_while_running),
	REAL(meter_toggled),
	CASE(inbox_events_say_it_all),
	CASE(inbox_refusals),
	CASE(inbox_of_closed_handle),
	CASE(inbox_order),
	CASE(inbox_and_ring),
	CASE(inbox_policy),
	CASE(inbox_and_ring_by_policy),
	CASE(inbox_task_stays),
	CASE(inbox_and_full_ring),
	CASE(inbox_full),
	CASE(inbox_halt),
	REAL(inbox_wakes_sleeper),
	REAL(inbox_turns),
	REAL(inbox_turns_spinning),
	REAL(inbox_poll),
	REAL(inbox_crowd),
	REAL(inbox_halt_races),
	REAL(inbox_resume_wakes),
	REAL(inbox_worker),
	REAL(inbox_fork),
};

#define CASES	(sizeof(cases) / sizeof(cases[0]))

static bool run_case(const char *backend, size_t i)
{
	HFT_OPTS(hft_opts, opts, .backend = backend, .tasks = TASKS);
	struct test t = { .backend = backend };
	int err = hft_open(&t.h, &opts);

	if (err) {
		printf("# open %s: %s\n", backend, hft_strerror(err));
		return false;
	}
	t.ring = open_ring(&t, 0, 0, HFT_POLICY_FIFO);
	cases[i].run(&t);
	hft_ring_close(t.ring);
	hft_close(t.h);
	return !t.failed;
}

static bool have_backend(const char *backend)
{
	HFT_OPTS(hft_opts, opts, .backend = backend);
	struct hft *h;

	if (hft_open(&h, &opts))
		return false;
	hft_close(h);
	return true;
}

int main(void)
{
	static const char *const backends[] = { BACKENDS };
	int number = 0, failures = 0;
	size_t b, i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("TAP version 13");
	for (b = 0; b < sizeof(backends) / sizeof(backends[0]); b++) {
		if (!have_backend(backends[b])) {
			printf("ok %d # SKIP %s: there is no such backend here\n", ++number,
			       backends[b]);
			continue;
		}
		for (i = 0; i < CASES; i++) {
			bool right;

			/* A simulated machine has one thread, and clocks of its own. */
			if (cases[i].real_time && !strcmp(backends[b], "sim"))
				continue;
			right = run_case(backends[b], i);
			failures += !right;
			printf("%sok %d %s.%s\n", right ? "" : "not ", ++number, backends[b],
			       cases[i].name);
		}
	}
	printf("1..%d\n", number);
	return failures ? 1 : 0;
}
