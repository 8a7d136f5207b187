// SPDX-License-Identifier: LGPL-2.1-or-later
/* What counters of the CPUs have counted for rings with HFT_RING_METRICS. */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <hft/hft.h>

#include <common/counter.h>

#include "counters.h"

#define DEVICE	"/dev/hft"
#define RINGS	64

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

/* One for each counter, with what @where has first: where it is of. */
static void add_rows(json_t *rows, json_t *where, const struct hft_pmu *pmu,
		     const struct hft_metrics_sum *sum, uint32_t valid)
{
	char name[COUNTER_NAME];
	json_t *row;
	uint32_t i;

	for (i = 0; i < pmu->nr && i < HFT_METRICS; i++) {
		bool counted = valid & 1U << i;

		row = json_copy(where);
		json_object_update_new(row, json_pack("{s:s, s:s, s:o, s:o, s:o}", "counter",
			counter_name(pmu->type[i], pmu->config[i], name),
			"state", counted ? "counted" : "absent",
			"count", counted ? number(sum->counts[i]) : json_null(),
			"runs", number(sum->runs), "unread", number(sum->unread)));
		json_array_append_new(rows, row);
	}
	json_decref(where);
}

/* Of a class that had none there is no row; of the whole ring there is. */
static int add_classes(int fd, int context, uint32_t ring, const struct hft_pmu *pmu,
		       json_t *rows)
{
	struct hft_class_info info;
	uint32_t i;

	for (i = 0; i < HFT_CLASSES; i++) {
		info = (struct hft_class_info){ .ring = ring, .task_class = i };
		if (ioctl(fd, HFT_IOC_CLASS, &info))
			return errno == ENOENT ? 0 : -errno;	/* closed meanwhile */
		if (info.metrics.runs || info.metrics.unread)
			add_rows(rows, json_pack("{s:i, s:i, s:i}", "fd", context, "ring",
						 (int)ring, "class", (int)i),
				 pmu, &info.metrics, info.metrics_valid);
	}
	return 0;
}

static int add_ring(int fd, int context, uint32_t ring, const struct hft_pmu *pmu, json_t *rows)
{
	struct hft_stats stats = { .ring = ring };

	if (ioctl(fd, HFT_IOC_STATS, &stats))
		return errno == ENOENT ? 0 : -errno;
	if (!stats.metrics.runs && !stats.metrics.unread)
		return 0;
	add_rows(rows, json_pack("{s:i, s:i, s:n}", "fd", context, "ring", (int)ring, "class"),
		 pmu, &stats.metrics, stats.metrics_valid);
	return add_classes(fd, context, ring, pmu, rows);
}

int counters_add_context(int fd, int context, json_t *rows)
{
	struct hft_pmu pmu = { .flags = HFT_PMU_READ };
	uint32_t ring;
	int err = 0;

	/* An older module has none, and in this context none are chosen. */
	if (ioctl(fd, HFT_IOC_PMU, &pmu))
		return errno == ENOTTY || errno == EINVAL ? 0 : -errno;
	for (ring = 0; ring < RINGS && !err; ring++)
		err = add_ring(fd, context, ring, &pmu, rows);
	return err;
}

/* All choices that rings of a CPU have. */
static int add_cpu(int fd, uint32_t cpu, json_t *rows)
{
	struct hft_pmu pmu;
	uint32_t index;

	for (index = 0;; index++) {
		pmu = (struct hft_pmu){
			.flags = HFT_PMU_READ | HFT_PMU_GLOBAL, .cpu = cpu, .index = index,
		};
		if (ioctl(fd, HFT_IOC_PMU, &pmu))
			return errno == ENOENT || errno == EINVAL ? 0 : -errno;
		add_rows(rows, json_pack("{s:i}", "cpu", (int)cpu), &pmu, &pmu.metrics,
			 pmu.metrics_valid);
	}
}

int counters_add_all(json_t *rows)
{
	struct hft_query query = { 0 };
	int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
	uint32_t cpu;
	int err;

	if (fd < 0)
		return -errno;
	err = ioctl(fd, HFT_IOC_QUERY, &query) ? -errno : 0;
	for (cpu = 0; cpu < query.nr_cpus && !err; cpu++)
		err = add_cpu(fd, cpu, rows);
	close(fd);
	return err == -ENOTTY ? 0 : err;
}
