/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_STATS_HISTOGRAM_H
#define HFT_STATS_HISTOGRAM_H

#include <core/hist.h>
#include <hft/stats.h>

struct hft_histogram {
	struct hft_hist hist;
};

#endif /* HFT_STATS_HISTOGRAM_H */
