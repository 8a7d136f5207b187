/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_CURVE_H
#define HFT_CURVE_H

#include <stdbool.h>
#include <stdint.h>

#include <common/tool.h>

#define MAX_POINTS	64

/* Who judges a set. */
enum judge {
	JUDGE_EDF,			/* processor demand */
	JUDGE_FIXED,			/* response times, in the order of deadlines */
	JUDGE_ADMIT_EDF,		/* what the kernel admits under EDF */
	JUDGE_ADMIT_RM,			/* and under RM */
	JUDGE_SIM_EDF,			/* a hyperperiod on a simulated CPU */
	JUDGE_SIM_RM,
	JUDGES
};

struct config {
	uint32_t sets;			/* of each utilisation */
	uint32_t tasks;			/* of each set */
	uint64_t seed;
	bool constrained;		/* deadlines before the period */
	bool simulate;
	double from, to, step;		/* utilisation */
	bool json;
	const char *plot;		/* file, or NULL */
};

struct point {
	double utilisation;
	uint32_t schedulable[JUDGES];
};

extern const char *const judge_names[JUDGES];

static inline bool is_asked(const struct config *config, enum judge judge)
{
	return judge < JUDGE_SIM_EDF || config->simulate;
}

/* Each returns 0, or -errno after it has printed the reason. */
int judge_point(const struct config *config, uint64_t *random, struct point *point);
int plot_points(const struct config *config, const struct point *points, uint32_t nr);

#endif /* HFT_CURVE_H */
