// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl rules: what the rules of a process's rings have done about anomalies. */
#include <errno.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <time.h>
#include <hft/detect.h>
#include <hft/rule.h>
#include <linux/hft.h>

#include "hftctl.h"

#define RINGS	64

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* How long ago; null: never. */
static json_t *ago(uint64_t when, uint64_t now)
{
	return when ? json_integer(now > when ? (json_int_t)(now - when) : 0) : json_null();
}

static const char *state_of(const struct hft_rule_info *info)
{
	if (info->in_force)
		return info->flags & HFT_RULE_DRY_RUN ? "would-act" : "in-force";
	return info->flags & HFT_RULE_DRY_RUN ? "armed-dry-run" : "armed";
}

static int add_rule(int context, const struct hft_rule_info *info, json_t *rows)
{
	uint64_t now = now_ns();
	json_t *row = json_pack("{s:i, s:i, s:i, s:s?, s:s, s:b, s:s?, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o}",
		"fd", context, "ring", (int)info->ring, "rule", (int)info->number,
		"action", hft_action_name(info->action), "state", state_of(info),
		"latched", !!(info->flags & HFT_RULE_LATCH),
		"anomaly", hft_anomaly_name(info->anomaly),
		"anomalies", (json_int_t)info->anomalies, "applied", (json_int_t)info->applied,
		"undone", (json_int_t)info->undone, "limited", (json_int_t)info->limited,
		"withheld", (json_int_t)info->withheld,
		"value", info->last ? json_integer((json_int_t)info->value) : json_null(),
		"since_ago_ns", ago(info->since, now), "last_ago_ns", ago(info->last, now));

	if (!row || json_array_append_new(rows, row))
		return -ENOMEM;
	return 0;
}

static int add_ring(int fd, int context, uint32_t ring, json_t *rows)
{
	struct hft_rule_info info;
	uint32_t n;
	int err = 0;

	for (n = 0; n < HFT_RULES && !err; n++) {
		info = (struct hft_rule_info){ .ring = ring, .number = n };
		if (ioctl(fd, HFT_IOC_RULE_INFO, &info))
			return errno == ENOENT ? 0 : -errno;
		if (info.action != HFT_ACTION_NONE)
			err = add_rule(context, &info, rows);
	}
	return err;
}

static int add_context(int fd, int number, void *arg)
{
	uint32_t ring;
	int err = 0;

	for (ring = 0; ring < RINGS && !err; ring++)
		err = add_ring(fd, number, ring, arg);
	return err;
}

int rules_read(pid_t pid, json_t **value)
{
	int err;

	*value = json_array();
	err = process_visit_contexts(pid, add_context, *value);
	if (err < 0)
		json_decref(*value);
	return err;
}
