/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's events as records of a log: what their formats say, and the pages of their
 * buffers.
 */
#ifndef HFT_LOG_KERNEL_EVENT_H
#define HFT_LOG_KERNEL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hft/log_ring.h>

struct kernel_events;

/**
 * struct kernel_sink - takes what a page has, in its order
 * @record: an event
 * @lost: events that the kernel has lost; @records is -1 where it does not say how many
 * @site: to be added to the log, before the first record of it
 * @arg: for these
 */
struct kernel_sink {
	int (*record)(void *arg, const struct hft_log_site *site, uint64_t stamp,
		      const void *arguments, size_t bytes);
	int (*lost)(void *arg, int64_t records, uint64_t stamp);
	void *arg;
};

/* What fails here is told. */
struct kernel_events *kernel_events_new(void);
void kernel_events_free(struct kernel_events *events);

/* @format: the file of that name; @site answered: to be added to the log. */
int kernel_events_add(struct kernel_events *events, const char *system, const char *name,
		      const char *format, size_t size, struct hft_log_site **site);

/* The first that @is_it is true of, or NULL. */
const struct hft_log_site *
kernel_events_find(const struct kernel_events *events,
		   bool (*is_it)(void *arg, const struct hft_log_site *site), void *arg);

/* A page of a buffer, as it was read.  0, or what @sink answered. */
int kernel_events_page(struct kernel_events *events, void *page, size_t size,
		       const struct kernel_sink *sink);

#endif /* HFT_LOG_KERNEL_EVENT_H */
