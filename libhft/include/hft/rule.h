/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is to be done about anomalies of a ring, at once and where they are found, and who
 * is told: struct hft_rule of linux/hft.h, Documentation/anomaly.rst.
 *
 * A notice of an anomaly, and of what a rule has done, goes to the handle's monitor ring.
 * hft_anomaly_watch() calls a function for each and makes a descriptor readable, which is
 * what a risk system has in its own loop.
 */
#ifndef HFT_RULE_H
#define HFT_RULE_H

#include <stddef.h>
#include <stdint.h>
#include <hft/hft.h>

#ifdef __cplusplus
extern "C" {
#endif

int hft_rule_set(struct hft_ring *ring, const struct hft_rule *rule);
int hft_rule_info(struct hft_ring *ring, uint32_t number, struct hft_rule_info *info);
const char *hft_action_name(enum hft_action action);

struct hft_anomaly_watch;

/**
 * typedef hft_anomaly_fn - an anomaly was found, or a rule has acted
 * @notice: of type %HFT_EVENT_ANOMALY or %HFT_EVENT_RESPONSE; valid until it returns
 * @arg: hft_anomaly_watch_opts.arg
 */
typedef void (*hft_anomaly_fn)(const struct hft_event *notice, void *arg);

/**
 * struct hft_anomaly_watch_opts - options of hft_anomaly_watch(); zero is the default of each
 * @sz: of the struct
 * @fn: called for each notice, by who reads the ring; or NULL
 * @arg: for @fn
 * @ring: the handle's monitor ring, which the caller reads; NULL: one is opened, and a
 *	thread that reads it
 * @cpu: of that ring and thread
 * @worker_flags: HFT_WORKER_* of the thread
 */
struct hft_anomaly_watch_opts {
	size_t sz;
	hft_anomaly_fn fn;
	void *arg;
	struct hft_ring *ring;
	uint32_t cpu;
	uint32_t worker_flags;
};

int hft_anomaly_watch(struct hft *h, const struct hft_anomaly_watch_opts *opts,
		      struct hft_anomaly_watch **watch);
int hft_anomaly_fd(const struct hft_anomaly_watch *watch);
void hft_anomaly_unwatch(struct hft_anomaly_watch *watch);

/**
 * struct hft_guard_opts - how a worker judges its own runs: hft_ring_guard()
 * @sz: of the struct
 * @rules: of %HFT_ACTION_NOTIFY; their field ring is not looked at
 * @nr_rules: how many, up to %HFT_RULES
 * @reserved: zero
 * @fn: called by the worker
 * @arg: for @fn
 */
struct hft_guard_opts {
	size_t sz;
	const struct hft_rule *rules;
	uint32_t nr_rules;
	uint32_t reserved;
	hft_anomaly_fn fn;
	void *arg;
};

int hft_ring_guard(struct hft_ring *ring, const struct hft_guard_opts *opts);

#ifdef __cplusplus
}
#endif

#endif /* HFT_RULE_H */
