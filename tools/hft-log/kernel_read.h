/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The kernel's buffers, read into a log.
 *
 * A stream for each CPU, whose buffer is looked at now and then: nobody waits for events, for
 * that would have the kernel wake him, by an interrupt on the CPU that is traced.  What the disk
 * does not take stays in the kernel's buffers.
 */
#ifndef HFT_LOG_KERNEL_READ_H
#define HFT_LOG_KERNEL_READ_H

#include <stddef.h>
#include <stdint.h>

#include <hft/log_import.h>

#include "kernel_event.h"
#include "tracefs.h"

struct kernel_run;

/**
 * struct kernel_cpu - a CPU that is traced
 * @run: whose
 * @cpu: it
 * @fd: of the pages of its buffer
 * @stream: in the log
 * @stamp: of its last event; 0: there was none
 * @lost: events that were told to be
 */
struct kernel_cpu {
	struct kernel_run *run;
	unsigned int cpu;
	int fd;
	uint64_t stream;
	uint64_t stamp;
	uint64_t lost;
};

/**
 * struct kernel_run - what is done, until it is interrupted or @until
 * @events: patterns of them, from the command line
 * @cpus: a list, or NULL: all
 * @output: folder of the log
 * @key: file of the key that signs it, or NULL
 * @for_s: 0: until a signal
 * @buffer_kib: of each CPU; 0: the kernel's default
 * @tracefs: the instance
 * @known: events
 * @import: the log
 * @all: CPUs
 * @nr_cpus: how many
 * @page: one of a buffer
 * @page_bytes: of it
 * @records: given to the log
 * @lost: by the kernel
 * @trouble: what the disk answers
 * @until: the time is over, CLOCK_MONOTONIC, ns
 * @turn: stamp of its beginning
 * @shown: when progress was
 */
struct kernel_run {
	const char *events;
	const char *cpus;
	const char *output;
	const char *key;
	double for_s;
	uint64_t buffer_kib;
	struct tracefs tracefs;
	struct kernel_events *known;
	struct hft_log_import *import;
	struct kernel_cpu *all;
	unsigned int nr_cpus;
	void *page;
	size_t page_bytes;
	uint64_t records;
	uint64_t lost;
	int trouble;
	uint64_t until;
	uint64_t turn;
	uint64_t shown;
};

/* 0, or -errno, which was told: until @run->until or a signal, and then what is left. */
int kernel_read_until_end(struct kernel_run *run);
int kernel_read_rest(struct kernel_run *run);

/* Progress is not shown any more. */
void kernel_read_end(const struct kernel_run *run);

#endif /* HFT_LOG_KERNEL_READ_H */
