// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl query, hftctl sinks */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/hft.h>

#include "hftctl.h"

#define DEVICE	"/dev/hft"

static const struct {
	uint64_t bit;
	const char *name;
} features[] = {
	{ HFT_FEATURE_URING, "io_uring" },
	{ HFT_FEATURE_MONITOR, "monitor" },
	{ HFT_FEATURE_CLOCK, "clock" },
	{ HFT_FEATURE_RT, "preempt_rt" },
	{ HFT_FEATURE_METER, "meter" },
	{ HFT_FEATURE_SINK, "sink" },
};

static json_t *feature_names(uint64_t bits)
{
	json_t *names = json_array();
	size_t i;

	for (i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (bits & features[i].bit)
			json_array_append_new(names, json_string(features[i].name));
	return names;
}

static int open_device(void)
{
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	return fail(errno, errno == ENOENT ? "%s: is hft.ko loaded?" : "%s", DEVICE);
}

int query_read(json_t **value)
{
	struct hft_query query = { 0 };
	int fd, err = 0;

	fd = open_device();
	if (fd < 0)
		return fd;
	if (ioctl(fd, HFT_IOC_QUERY, &query))
		err = fail(errno, "%s: query", DEVICE);
	close(fd);
	if (err)
		return err;

	*value = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
			   "features", feature_names(query.features),
			   "max_tasks", (json_int_t)query.max_tasks,
			   "max_rings", (json_int_t)query.max_rings,
			   "max_entries", (json_int_t)query.max_entries,
			   "max_batch", (json_int_t)query.max_batch,
			   "max_lead_ns", (json_int_t)query.max_lead,
			   "levels", (json_int_t)query.levels,
			   "policies", (json_int_t)query.policies,
			   "clocks", (json_int_t)query.clocks,
			   "nr_cpus", (json_int_t)query.nr_cpus);
	return *value ? 0 : fail(ENOMEM, "query");
}

static json_t *pack_sink(const struct hft_sink_info *info)
{
	return json_pack("{s:I, s:s, s:I, s:I, s:I, s:I}",
			 "sink", (json_int_t)info->sink,
			 "name", info->name,
			 "depth", (json_int_t)info->depth,
			 "rings", (json_int_t)info->rings,
			 "handed", (json_int_t)info->handed,
			 "completed", (json_int_t)info->completed);
}

int sinks_read(json_t **value)
{
	struct hft_sink_info info = { 0 };
	int fd = open_device(), err = 0;

	if (fd < 0)
		return fd;
	*value = json_array();
	while (!ioctl(fd, HFT_IOC_SINK, &info)) {
		json_array_append_new(*value, pack_sink(&info));
		info = (struct hft_sink_info){ .sink = info.sink + 1 };
	}
	if (errno != ENOENT)
		err = fail(errno, "%s: sinks", DEVICE);
	close(fd);
	if (err)
		json_decref(*value);
	return err;
}
