/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Histograms in the log format of HdrHistogram (https://hdrhistogram.org), version 1.3, for
 * its own tools.  Its buckets for two significant digits are those of kmod/core/hist.h.
 */
#ifndef COMMON_HDR_H
#define COMMON_HDR_H

#include <stdio.h>
#include <core/hist.h>

void hdr_begin(FILE *f, double start_s);
int hdr_line(FILE *f, const char *tag, const struct hft_hist *hist, double start_s,
	     double length_s);

#endif /* COMMON_HDR_H */
