/* SPDX-License-Identifier: GPL-2.0-only */
/* Tasks that keep workers from all else. */
#ifndef HFT_HOST_GATE_H
#define HFT_HOST_GATE_H

#include <stdatomic.h>
#include <unistd.h>
#include <hft/pool.h>

/**
 * struct gate - where workers stand
 * @in: how many do
 * @open: they may go on
 */
struct gate {
	atomic_uint in;
	atomic_bool open;
};

static inline int64_t pass_gate(void *args)
{
	struct gate *gate = *(struct gate **)args;

	atomic_fetch_add(&gate->in, 1);
	while (!atomic_load(&gate->open))
		usleep(100);
	return 0;
}

static inline void close_gate(struct gate *gate, struct hft_group *group, unsigned int workers)
{
	unsigned int i;

	for (i = 0; i < workers; i++)
		assert_int_equal(hft_group_spawn(group, pass_gate, &gate, sizeof(gate)), 0);
	while (atomic_load(&gate->in) < workers)
		usleep(100);
}

#endif /* HFT_HOST_GATE_H */
