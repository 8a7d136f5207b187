// SPDX-License-Identifier: GPL-2.0-only
/* What a schedule has chosen wherever more than one thing could happen, and the next schedule. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define DECISIONS	100000

/* A place where more than one thing could happen next. */
struct decision {
	uint32_t costs;			/* a bit for each that is a preemption */
	uint8_t nr;
	uint8_t chosen;
	uint8_t spent;			/* preemptions before */
};

static struct decision decisions[DECISIONS];
static unsigned long nr_decided, nr_known;	/* in this run; of those that are given */
static bool is_again;

/* A run begins.  @again: where its decisions are given they are those of the run before. */
void model_choices_begin(bool again)
{
	nr_decided = 0;
	is_again = again;
}

/* None is given. */
void model_choices_forget(void)
{
	nr_known = 0;
}

static unsigned int cost_of(const struct decision *decision, unsigned int i)
{
	return decision->costs >> i & 1;
}

/* Which of @nr, of which those in @costs are preemptions; the first is none. */
unsigned int model_choose(unsigned int nr, uint32_t costs, unsigned int guess)
{
	struct decision *decision = &decisions[nr_decided];
	unsigned int spent;

	if (nr == 1)
		return 0;
	if (nr_decided == DECISIONS)
		model_fail("more than %d decisions", DECISIONS);
	if (nr_decided++ < nr_known) {
		if (is_again && (decision->nr != nr || decision->costs != costs))
			model_fail("the scenario is another the second time");
		return decision->chosen < nr ? decision->chosen : 0;
	}
	spent = decision == decisions ? 0 :
		decision[-1].spent + !!(decision[-1].costs & 1U << decision[-1].chosen);
	*decision = (struct decision){ costs, (uint8_t)nr, (uint8_t)guess, (uint8_t)spent };
	return guess;
}

/* The next schedule with at most @bound preemptions. */
bool model_choices_next(unsigned int bound)
{
	struct decision *last;
	unsigned int chosen;

	for (nr_known = nr_decided; nr_known; nr_known--) {
		last = &decisions[nr_known - 1];
		for (chosen = last->chosen + 1U; chosen < last->nr; chosen++) {
			if (last->spent + cost_of(last, chosen) <= bound) {
				last->chosen = (uint8_t)chosen;
				return true;
			}
		}
	}
	return false;
}

/* As HFT_MODEL_REPLAY is to have it, to repeat the scenario @name. */
void model_choices_print(const char *name)
{
	unsigned long i, same;

	fprintf(stderr, "# HFT_MODEL_REPLAY=\"%s", name);
	for (i = 0; i < nr_decided; i += same) {
		for (same = 1; i + same < nr_decided &&
		     decisions[i + same].chosen == decisions[i].chosen; same++)
			;
		fprintf(stderr, " %ux%lu", decisions[i].chosen, same);
	}
	fprintf(stderr, "\"\n");
}

/* False: there are none for @name. */
bool model_choices_read(const char *name)
{
	const char *text = getenv("HFT_MODEL_REPLAY");
	size_t length = strlen(name);
	unsigned int chosen;
	unsigned long same;
	int read;

	if (!text || strncmp(text, name, length) || text[length] != ' ')
		return false;
	nr_known = 0;
	for (text += length; sscanf(text, " %ux%lu%n", &chosen, &same, &read) == 2; text += read) {
		while (same-- && nr_known < DECISIONS)
			decisions[nr_known++].chosen = (uint8_t)chosen;
	}
	return true;
}
