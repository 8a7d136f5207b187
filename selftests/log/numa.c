// SPDX-License-Identifier: GPL-2.0-only
/* The rings of a thread are on the NUMA node that it began to log on: by /proc/self/numa_maps. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <hft/hft.h>
#include <hft/log.h>
#include <hft/memory.h>

#include "kselftest_harness.h"
#include "hft_test.h"

#define NODES		2
#define RING_BYTES	(1u << 20)
#define PAGE_BYTES	4096u
#define PATIENCE_NS	(60 * NSEC_PER_SEC)

FIXTURE(numa) {
	char dir[32];
	char rings[48];
	char logged[48];
	struct hft_log *log;
};

FIXTURE_SETUP(numa)
{
	HFT_OPTS(hft_log_opts, opts, .ring_dir = self->rings);

	if (access("/sys/devices/system/node/node1", F_OK))
		SKIP(return, "the machine has one node");
	strcpy(self->dir, "/tmp/numa-XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	ASSERT_EQ(0, mount("none", self->dir, "tmpfs", 0, "size=64m"));
	snprintf(self->rings, sizeof(self->rings), "%s/rings", self->dir);
	snprintf(self->logged, sizeof(self->logged), "%s/log", self->dir);
	ASSERT_EQ(0, mkdir(self->rings, 0700));
	ASSERT_EQ(0, hft_log_open(&self->log, self->logged, &opts));
}

FIXTURE_TEARDOWN(numa)
{
	hft_log_close(self->log);
	umount2(self->dir, MNT_DETACH);
	rmdir(self->dir);
}

/* Pages of all rings that are mapped, by their node */
static void count_pages(unsigned long pages[NODES])
{
	FILE *maps = fopen("/proc/self/numa_maps", "re");
	char line[1024], key[8], *at;
	int i;

	memset(pages, 0, NODES * sizeof(*pages));
	while (maps && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "/ring-"))
			continue;
		for (i = 0; i < NODES; i++) {
			snprintf(key, sizeof(key), " N%d=", i);
			at = strstr(line, key);
			pages[i] += at ? strtoul(at + strlen(key), NULL, 10) : 0;
		}
	}
	if (maps)
		fclose(maps);
}

struct logger {
	struct hft_log *log;
	int node;
	int err;
	unsigned long pages[NODES];	/* of its rings */
};

static int move_to(int node)
{
	cpu_set_t cpus;
	uint32_t cpu;

	CPU_ZERO(&cpus);
	for (cpu = 0; hft_cpu_node(cpu) >= 0; cpu++) {
		if (hft_cpu_node(cpu) == node)
			CPU_SET(cpu, &cpus);
	}
	return sched_setaffinity(0, sizeof(cpus), &cpus);
}

static void *begin_to_log(void *arg)
{
	HFT_OPTS(hft_log_thread_opts, opts, .ring_bytes = RING_BYTES, .audit_bytes = RING_BYTES);
	struct logger *logger = arg;

	logger->err = move_to(logger->node) ?: hft_log_thread(logger->log, &opts);
	count_pages(logger->pages);
	return NULL;
}

/* Those of a thread that has ended are let go by the drainer. */
static bool wait_for_none(void)
{
	uint64_t end = hft_test_now() + PATIENCE_NS;
	unsigned long pages[NODES];

	do {
		count_pages(pages);
		if (!pages[0] && !pages[1])
			return true;
		usleep(1000);
	} while (hft_test_now() < end);
	return false;
}

TEST_F(numa, rings_are_where_their_thread_is)
{
	struct logger logger;
	pthread_t thread;
	int i;

	for (i = 0; i < 2 * NODES; i++) {
		ASSERT_TRUE(wait_for_none());
		logger = (struct logger){ .log = self->log, .node = i % NODES };
		ASSERT_EQ(0, pthread_create(&thread, NULL, begin_to_log, &logger));
		ASSERT_EQ(0, pthread_join(thread, NULL));
		ASSERT_EQ(0, logger.err);
		EXPECT_LE(2 * RING_BYTES / PAGE_BYTES, logger.pages[logger.node]);
		EXPECT_EQ(0, logger.pages[!logger.node]);
	}
}

TEST_HARNESS_MAIN
