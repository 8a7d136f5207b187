// SPDX-License-Identifier: LGPL-2.1-or-later
/* The backend soft: meters of its rings. */
#include <errno.h>
#include <stdlib.h>

#include "meter.h"
#include "soft.h"

static int soft_ring_meter(struct soft_ring *soft, const struct hft_meter_set *set)
{
	struct hft_meter *meter;
	struct soft_hold hold;
	int err = hft_meter_new(&soft->ready, set, hft_now(), &meter);

	if (err)
		return err;
	soft_lock(&hold, atomic_load_explicit(&soft->queue, memory_order_relaxed));
	hft_job_look(&soft->ready);
	hft_ready_set_meter(&soft->ready, meter);
	soft_commit(&hold);
	soft_unlock(&hold);
	free(soft->meter);
	soft->meter = meter;
	return 0;
}

/* HFT_IOC_METER */
int soft_meter_set(struct soft_context *context, const struct hft_meter_set *set)
{
	struct soft_ring *soft = &context->rings[set->ring % HFT_MAX_RINGS];
	int err = -ENOENT;

	if (!hft_meter_set_valid(set))
		return -EINVAL;
	pthread_mutex_lock(&context->mutex);
	if (set->ring < HFT_MAX_RINGS && soft->used)
		err = soft == atomic_load(&context->monitor) ? -EINVAL :
		      soft_ring_meter(soft, set);
	soft_context_unlock(context);
	return err;
}

/* What has been consumed counts, too. */
static void soft_ring_look(struct soft_ring *soft)
{
	struct soft_hold hold;

	soft_lock(&hold, atomic_load_explicit(&soft->queue, memory_order_relaxed));
	hft_job_look(&soft->ready);
	soft_commit(&hold);
	soft_unlock(&hold);
}

/* HFT_IOC_HIST, of a &struct hft_hist_read */
int soft_hist_read(struct soft_context *context, struct hft_hist_read *read)
{
	struct hft_hist_info *info = &read->info;
	bool all = info->ring == HFT_STATS_CONTEXT;
	int err = all ? 0 : -ENOENT;
	uint32_t i;

	if (!hft_hist_info_valid(info))
		return -EINVAL;
	if (info->flags & HFT_HIST_GLOBAL)
		return -EPERM;
	hft_hist_info_begin(info);
	pthread_mutex_lock(&context->mutex);
	for (i = 0; i < HFT_MAX_RINGS; i++) {
		struct soft_ring *soft = &context->rings[i];

		if (!soft->used || (!all && info->ring != i))
			continue;
		soft_ring_look(soft);
		hft_meter_merge(read->hist, info, soft->meter);
		err = 0;
	}
	soft_context_unlock(context);
	hft_hist_info_end(info, read->hist);
	return err;
}
