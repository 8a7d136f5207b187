/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process's own numbers for Prometheus: its pools, handles, inboxes, resources and
 * detectors, as a file that node_exporter's textfile collector reads.  A process that trades
 * needs no HTTP for that, and waits for nobody: whoever reads the file has it as it was when
 * it was last written.
 *
 * Errors: as in hft/hft.h.
 */
#ifndef HFT_EXPORT_H
#define HFT_EXPORT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HFT_METRICS_SOURCES_MAX	256

/**
 * enum hft_metrics_kind - what a source is
 * @HFT_METRICS_HANDLE: a &struct hft: its context, and each of its rings, with the histograms
 *	of those that are measured (hft_ring_meter())
 * @HFT_METRICS_INBOX: a &struct hft_ring: its inbox
 * @HFT_METRICS_POOL: a &struct hft_pool: it, and each of its workers
 * @HFT_METRICS_RESOURCE: a &struct hft_resource
 * @HFT_METRICS_DETECTOR: a &struct hft_detector
 * @HFT_METRICS_RULES: a &struct hft_ring: its rules
 * @HFT_METRICS_KINDS: more than each of these
 */
enum hft_metrics_kind {
	HFT_METRICS_HANDLE = 1,
	HFT_METRICS_INBOX,
	HFT_METRICS_POOL,
	HFT_METRICS_RESOURCE,
	HFT_METRICS_DETECTOR,
	HFT_METRICS_RULES,
	HFT_METRICS_KINDS
};

/**
 * struct hft_metrics_source - something that has numbers
 * @object: it; it must live until the call has returned
 * @name: the value of a label: none other of its kind has that.  Any text: what is no UTF-8
 *	in it is replaced
 * @kind: &enum hft_metrics_kind: what @object is
 * @reserved: zero
 */
struct hft_metrics_source {
	const void *object;
	const char *name;
	uint32_t kind;
	uint32_t reserved;
};

struct hft_metrics_opts {
	size_t sz;
	const char *process;		/* the value of a label of all: of files that one */
					/* collector reads none other has that.  NULL: the name */
					/* that the process was begun by */
};

int hft_metrics_write(const char *path, const struct hft_metrics_source *sources, uint32_t nr,
		      const struct hft_metrics_opts *opts);

#ifdef __cplusplus
}
#endif

#endif /* HFT_EXPORT_H */
