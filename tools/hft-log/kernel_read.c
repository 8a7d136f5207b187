// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <common/tool.h>
#include <gettime.h>
#include <hft/log.h>

#include "kernel_read.h"

#define NS_PER_S	1000000000ull
#define NS_PER_MS	1000000ull
#define LOOK_NS		(10 * NS_PER_MS)
#define LEAST_NAP_NS	NS_PER_MS
#define SHOW_NS		NS_PER_S
#define CHECK_NS	NS_PER_S
#define GIVE_UP_NS	(10 * NS_PER_S)
#define TURN_PAGES	64u		/* of a CPU, before the others have their turn */

static void clear_progress(const struct kernel_run *run)
{
	if (run->shown && isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}

static void show_progress(struct kernel_run *run, uint64_t now)
{
	if (!isatty(STDERR_FILENO) || now < run->shown + SHOW_NS)
		return;
	run->shown = now;
	fprintf(stderr, "\r%" PRIu64 " records, %" PRIu64 " lost\033[K", run->records, run->lost);
}

static bool is_over(const struct kernel_run *run, uint64_t now)
{
	return interrupted || now >= run->until;
}

static void nap(uint64_t ns)
{
	const struct timespec time = {
		.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S),
	};

	ppoll(NULL, 0, &time, NULL);
}

/*
 * Was what the log has answered not final?  It is told of once, waited for, and given up some
 * time after the end.
 */
static bool try_again(struct kernel_run *run, int err, uint64_t *began)
{
	uint64_t now = hft_log_monotonic();

	if (err == -ENOENT || err == -EMSGSIZE || err == -EBADMSG || err == -EINVAL)
		return false;
	if (!is_over(run, now) || !*began)
		*began = now;
	if (is_over(run, now) && now > *began + GIVE_UP_NS)
		return false;
	if (err != -EAGAIN && err != run->trouble) {
		clear_progress(run);
		fail(-err, "%s: the kernel's buffers have to wait", run->output);
		run->trouble = err;
	}
	hft_log_import_poll(run->import);
	nap(LEAST_NAP_NS);
	return true;
}

static int take_record(void *arg, const struct hft_log_site *site, uint64_t stamp,
		       const void *arguments, size_t bytes)
{
	struct kernel_cpu *cpu = arg;
	struct kernel_run *run = cpu->run;
	uint64_t began = 0;
	int err;

	do {
		err = hft_log_import_write(run->import, cpu->stream, site, stamp, arguments, bytes);
	} while (err && try_again(run, err, &began));
	if (err)
		return fail(-err, "write the kernel's events to %s", run->output);
	run->trouble = 0;
	run->records++;
	cpu->stamp = stamp;
	return 0;
}

/* All that the kernel says a CPU has lost.  0, or -errno, which was told. */
static int count_lost(const struct kernel_cpu *cpu, uint64_t *sum)
{
	static const char *const names[] = { "\noverrun: ", "\ncommit overrun: ",
					     "\ndropped events: " };
	const char *found;
	char name[64];
	size_t size, i;
	char *text;

	snprintf(name, sizeof(name), "per_cpu/cpu%u/stats", cpu->cpu);
	text = tracefs_read(&cpu->run->tracefs, name, &size);
	if (!text)
		return -EIO;
	*sum = 0;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		found = strstr(text, names[i]);
		if (found)
			*sum += strtoull(found + strlen(names[i]), NULL, 10);
	}
	free(text);
	return 0;
}

/*
 * A page without room for the number gives none.  Then all is told that was lost by now, of
 * which the next page's number has what was lost since this one was taken: no more is told than
 * the kernel has counted.
 */
static int take_lost(void *arg, int64_t records, uint64_t stamp)
{
	struct kernel_cpu *cpu = arg;
	struct kernel_run *run = cpu->run;
	uint64_t began = 0, lost, sum;
	int err = count_lost(cpu, &sum);

	if (err)
		return err;
	lost = sum > cpu->lost ? sum - cpu->lost : 0;
	if (records >= 0 && (uint64_t)records < lost)
		lost = (uint64_t)records;
	if (!lost)
		return 0;
	do {
		err = hft_log_import_lost(run->import, cpu->stream, lost,
					  cpu->stamp ? cpu->stamp : stamp, stamp);
	} while (err && try_again(run, err, &began));
	if (err)
		return fail(-err, "write what the kernel has lost to %s", run->output);
	cpu->lost += lost;
	run->lost += lost;
	return 0;
}

/*
 * A turn of a CPU, until what is read is younger than the turn: where system calls are traced,
 * each read here makes more to read.  1: there may be more, 0, or -errno, which was told.
 */
static int take_pages(struct kernel_cpu *cpu)
{
	const struct kernel_sink sink = { take_record, take_lost, cpu };
	struct kernel_run *run = cpu->run;
	unsigned int i;
	ssize_t got;
	int err;

	for (i = 0; i < TURN_PAGES; i++) {
		got = read(cpu->fd, run->page, run->page_bytes);
		/* A CPU has no buffer before it is online for the first time. */
		if (got < 0 && errno != EAGAIN && errno != EINTR && errno != ENODEV)
			return fail(errno, "read the events of CPU %u", cpu->cpu);
		if (got <= 0)
			return 0;
		err = kernel_events_page(run->known, run->page, (size_t)got, &sink);
		if (err)
			return err;
		if (cpu->stamp >= run->turn)
			return 0;
	}
	return 1;
}

/* As take_pages(), of all. */
static int take_turn(struct kernel_run *run)
{
	unsigned int i;
	int more = 0, ret;

	for (i = 0; i < run->nr_cpus; i++) {
		ret = take_pages(&run->all[i]);
		if (ret < 0)
			return ret;
		more |= ret;
	}
	return more;
}

/*
 * @look, and @next of the store: when they want to be.  The store may want to be called at once,
 * again and again, while the disk writes, and there may be more to read whenever we look.All our
 * threads have used @used of the CPUs since the last nap began: those that hash and compress work
 * while we rest.  Twice as long has to pass, @turn of which this turn has taken, so that no flood
 * of events takes more than half of one CPU; what the buffers can not hold meanwhile is lost, and
 * counted.
 */
static uint64_t nap_of(uint64_t now, uint64_t look, uint64_t next, uint64_t used, uint64_t turn)
{
	uint64_t until = next < look ? next : look;
	uint64_t least = 2 * used > turn + LEAST_NAP_NS ? 2 * used - turn : LEAST_NAP_NS;

	return until < now + least ? least : until - now;
}

/* site->file is the event's folder.  When its module is loaded again it is there, and off. */
static bool is_off(void *arg, const struct hft_log_site *site)
{
	const struct tracefs *tracefs = arg;
	char path[PATH_MAX + 640], on = '0';
	int fd;

	snprintf(path, sizeof(path), "%s/%s/enable", tracefs->dir, site->file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT || errno == ENODEV;
	if (read(fd, &on, 1) < 0)
		on = errno == ENODEV ? '0' : '1';
	close(fd);
	return on == '0';
}

/*
 * The kernel takes the events of a module that is unloaded out of the instance, and what its
 * buffers hold, without counting it.
 */
static const struct hft_log_site *find_off(struct kernel_run *run)
{
	return kernel_events_find(run->known, is_off, &run->tracefs);
}

int kernel_read_until_end(struct kernel_run *run)
{
	uint32_t tsc = (uint32_t)hft_log_import_is_tsc(run->import);
	uint64_t now = hft_log_monotonic(), check = now + CHECK_NS, next, look, began;
	uint64_t cpu = hft_gettime(CLOCK_PROCESS_CPUTIME_ID), used;
	int more = 0;

	while (more >= 0 && !is_over(run, now)) {
		began = hft_log_monotonic();
		if (now >= check) {
			if (find_off(run))
				break;
			check = now + CHECK_NS;
		}
		run->turn = hft_log_stamp(tsc);
		look = now + LOOK_NS;
		more = take_turn(run);
		next = hft_log_import_poll(run->import);
		now = hft_log_monotonic();
		show_progress(run, now);
		used = hft_gettime(CLOCK_PROCESS_CPUTIME_ID) - cpu;
		cpu += used;
		nap(nap_of(now, more > 0 ? now : look, next, used, now - began));
	}
	return more < 0 ? more : 0;
}

/* What is left when nothing is added any more, and losses that no page has told of. */
int kernel_read_rest(struct kernel_run *run)
{
	const struct hft_log_site *site;
	struct kernel_cpu *cpu;
	int ret;

	run->turn = UINT64_MAX;
	do {
		ret = take_turn(run);
	} while (ret > 0);
	for (cpu = run->all; !ret && cpu < run->all + run->nr_cpus; cpu++) {
		if (cpu->stamp)
			ret = take_lost(cpu, -1, cpu->stamp);
	}
	site = ret ? NULL : find_off(run);
	return site ? fail(ENODEV, "%s was switched off, as by unloading its module; what its "
			   "buffers held then is lost", site->name) : ret;
}

void kernel_read_end(const struct kernel_run *run)
{
	clear_progress(run);
}
