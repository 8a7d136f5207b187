/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Histograms of rings: of a context, or of all by CPU. */
#ifndef HFTCTL_LATENCY_H
#define HFTCTL_LATENCY_H

#include <stdint.h>
#include <stdio.h>
#include <jansson.h>
#include <hft/stats.h>

/**
 * struct latency_row - a histogram
 * @fd: of the context, by the number that its process knows it; -1: of all
 * @where: number of the ring; of the CPU where it is of all
 * @task_class: or %HFT_CLASS_ALL
 * @kind: &enum hft_kind
 * @in_time: runs that have kept their deadline
 * @since_ns: CLOCK_MONOTONIC of the first value that there could be
 * @histogram: them
 */
struct latency_row {
	int fd;
	uint32_t where;
	uint32_t task_class;
	uint32_t kind;
	uint64_t in_time;
	uint64_t since_ns;
	struct hft_histogram *histogram;
};

/**
 * struct latency - what was found at a look
 * @rows: those with a value
 * @nr: how many
 * @now_ns: when that was, CLOCK_MONOTONIC
 */
struct latency {
	struct latency_row *rows;
	size_t nr;
	uint64_t now_ns;
};

/* Each adds to @latency, and returns 0, or -errno and the reason is hft_strerror()'s. */
int latency_add_context(int fd, int number, struct latency *latency);
int latency_add_all(struct latency *latency);

void latency_free(struct latency *latency);

/* What @now has that came after @before.  Returns 0 or -ENOMEM. */
int latency_since(const struct latency *now, const struct latency *before,
		  struct latency *since);

/* An array of objects, of the context @fd alone if that is not -1. */
json_t *latency_json(const struct latency *latency, int fd);

/* Returns 0 or -errno. */
int latency_hdr(FILE *f, const struct latency *latency);

#endif /* HFTCTL_LATENCY_H */
