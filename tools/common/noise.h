/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Durations as machines have them, from a seed: about a level, some ever so often far above
 * it.  Where it is spiked a value is four levels more: five times what is usual.
 */
#ifndef COMMON_NOISE_H
#define COMMON_NOISE_H

#include <math.h>
#include <stdint.h>

#include "../../libhft/src/random.h"

#define NOISE_SPIKE	5

/**
 * enum noise_shape - how values lie about the level
 * @NOISE_NORMAL: by a tenth of it
 * @NOISE_SKEWED: log-normal, a fifth of it
 * @NOISE_TAILED: as of timer interrupts: near, but one in a hundred is later, by 0.3 of it
 *	in the mean
 * @NOISE_RARE: as of a busy memory bus: very near, but one in a thousand is up to twice it
 * @NOISE_SHAPES: how many there are
 */
enum noise_shape {
	NOISE_NORMAL,
	NOISE_SKEWED,
	NOISE_TAILED,
	NOISE_RARE,
	NOISE_SHAPES
};

struct noise {
	uint64_t random;
	enum noise_shape shape;
	double level;
};

/* From 0 to 1, neither of them. */
static inline double noise_uniform(struct noise *noise)
{
	return ((double)(random_u64(&noise->random) >> 11) + 0.5) * 0x1p-53;
}

static inline double noise_normal(struct noise *noise)
{
	double radius = sqrt(-2 * log(noise_uniform(noise)));

	return radius * cos(2 * M_PI * noise_uniform(noise));
}

/* As a multiple of the level. */
static inline double noise_factor(struct noise *noise)
{
	double value;

	switch (noise->shape) {
	case NOISE_SKEWED:
		return exp(0.2 * noise_normal(noise));
	case NOISE_TAILED:
		value = 1 + 0.06 * noise_normal(noise);
		if (noise_uniform(noise) < 0.01)
			value -= 0.3 * log(noise_uniform(noise));
		return value;
	case NOISE_RARE:
		value = 1 + 0.015 * noise_normal(noise);
		if (noise_uniform(noise) < 0.001)
			value += noise_uniform(noise);
		return value;
	default:
		return 1 + 0.1 * noise_normal(noise);
	}
}

static inline uint64_t noise_value(struct noise *noise, int is_spiked)
{
	double factor = noise_factor(noise) + (is_spiked ? NOISE_SPIKE - 1 : 0);

	return factor > 0 ? (uint64_t)(factor * noise->level) : 0;
}

#endif /* COMMON_NOISE_H */
