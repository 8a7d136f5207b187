/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_EXPORT_HISTOGRAMS_H
#define HFT_EXPORT_HISTOGRAMS_H

#include <hft/export.h>

#include "text.h"

int hft_metrics_put_histograms(struct hft_text *text, const char *process,
			       const struct hft_metrics_source *sources, uint32_t nr);

#endif /* HFT_EXPORT_HISTOGRAMS_H */
