// SPDX-License-Identifier: LGPL-2.1-or-later
/* What this process may lock, and how important its threads may be. */
#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

#define CAP_IPC_LOCK_BIT	14
#define CAP_SYS_NICE_BIT	23
#define WANTED_MEMLOCK		(64ULL << 20)
#define WANTED_RTPRIO		90

static bool is_capable(const struct hft_check *c, unsigned int capability)
{
	char status[4096], value[32];

	return hft_read_text(c->root, status, sizeof(status), "/proc/self/status") > 0 &&
	       line_value(status, "CapEff", value, sizeof(value)) &&
	       strtoull(value, NULL, 16) >> capability & 1;
}

/* The soft limit of a line of /proc/self/limits; false if it is high enough or not there. */
static bool is_below(const struct hft_check *c, const char *name, unsigned long long wanted,
		     unsigned long long *limit)
{
	char text[4096], value[64];

	if (hft_read_text(c->root, text, sizeof(text), "/proc/self/limits") < 0 ||
	    !line_value(text, name, value, sizeof(value)) || !strncmp(value, "unlimited", 9))
		return false;
	*limit = strtoull(value, NULL, 10);
	return *limit < wanted;
}

static void check_memlock(struct hft_check *c)
{
	unsigned long long limit;

	if (is_capable(c, CAP_IPC_LOCK_BIT) ||
	    !is_below(c, "Max locked memory", WANTED_MEMLOCK, &limit)) {
		say(c, HFT_CHECK_OK, "memory may be locked");
		return;
	}
	say(c, HFT_CHECK_WARN, "RLIMIT_MEMLOCK is %llu bytes, workers want %llu", limit, WANTED_MEMLOCK);
	say_cost(c, "mlock(2)", "memory stays pageable: a fault of us, or ms from a disk");
	say_fix(c, "sudo prlimit --pid $$ --memlock=unlimited");
	say_lasting(c, "@hft - memlock unlimited in /etc/security/limits.conf, or LimitMEMLOCK=infinity in its unit");
}

static void check_rtprio(struct hft_check *c)
{
	unsigned long long limit;

	if (is_capable(c, CAP_SYS_NICE_BIT) ||
	    !is_below(c, "Max realtime priority", WANTED_RTPRIO, &limit)) {
		say(c, HFT_CHECK_OK, "threads may have a real-time priority");
		return;
	}
	say(c, HFT_CHECK_WARN, "RLIMIT_RTPRIO is %llu, workers want %d", limit, WANTED_RTPRIO);
	say_cost(c, "sched(7)", "a worker shares its CPU with all others: it waits a time slice, some ms");
	say_fix(c, "sudo prlimit --pid $$ --rtprio=%d", WANTED_RTPRIO);
	say_lasting(c, "@hft - rtprio %d in /etc/security/limits.conf, or LimitRTPRIO=%d in its unit",
		    WANTED_RTPRIO, WANTED_RTPRIO);
}

const struct hft_check_entry hft_checks_limits[] = {
	{ "memlock", check_memlock, 0 },
	{ "rtprio", check_rtprio, 0 },
	{ NULL, NULL, 0 }
};
