/* SPDX-License-Identifier: GPL-2.0-only */
/* Scenarios and mutants as tests of cmocka.  The function of scenario NAME is run_NAME(). */
#ifndef HFT_MODEL_CASES_H
#define HFT_MODEL_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "model.h"

/* All schedules with so many preemptions; or so many at random, as NAME_random. */
#define ALL(of, most) \
	static const struct model_scenario of = { \
		.name = #of, .run = run_##of, .preemptions = most, .schedules = 5000000, \
	}
#define RANDOM(of, most) \
	static const struct model_scenario of##_random = { \
		.name = #of "_random", .run = run_##of, .schedules = most, \
	}

struct mutant {
	enum model_fault fault;
	const char *function;
	const struct model_scenario *scenario;
};

static inline void scenario_holds(void **state)
{
	assert_true(model_holds(*state));
}

static inline void mutant_is_found(void **state)
{
	const struct mutant *mutant = *state;

	assert_true(model_finds(mutant->scenario, mutant->fault, mutant->function));
}

#define HOLDS(of) { #of, scenario_holds, NULL, NULL, (void *)&of }

/* With a fault in a function a scenario fails. */
#define FINDS(fault, of, by) \
	{ #fault "_" #of, mutant_is_found, NULL, NULL, &(struct mutant){ MODEL_##fault, #of, &by } }

#endif /* HFT_MODEL_CASES_H */
