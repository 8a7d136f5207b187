// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What the disk of a log does not do, for those who look at the log, and those who read it: a
 * file beside the rings, as the log's own disk may take nothing, which is there from the first
 * trouble on; and a record hft:store when something begins, and when it is over.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../options.h"
#include "log.h"
#include "own.h"

#define WRITE_NS	(LOG_NS_PER_S / 10)	/* what waits changes all the time */

static const struct hft_log_store_field fields[] = {
	{ "what", HFT_LOG_STRING },		/* begins, is over */
	{ "error", HFT_LOG_U64 },		/* errno; 0: over */
	{ "text", HFT_LOG_STRING },
	{ "since", HFT_LOG_U64 },		/* CLOCK_REALTIME, ns */
	{ "until", HFT_LOG_U64 },
	{ "errors", HFT_LOG_U64 },
	{ "waiting_bytes", HFT_LOG_U64 },
};

const struct hft_log_store_site log_trouble_site = {
	.id = HFT_LOG_ID_STORE, .level = HFT_LOG_WARN, .line = __LINE__, .name = "store",
	.subsystem = "hft", .file = "trouble.c",
	.nr_fields = sizeof(fields) / sizeof(fields[0]), .fields = fields,
};

static bool add_record(struct hft_log *log, const struct hft_log_trouble *trouble,
		       const char *what)
{
	bool tsc = !strcmp(log->origin.clock.name, "tsc");
	struct log_own_record record;

	log_own_begin(&record);
	log_own_put_text(&record, what);
	log_own_put(&record, (uint64_t)trouble->err);
	log_own_put_text(&record, trouble->text);
	log_own_put(&record, trouble->since);
	log_own_put(&record, trouble->until);
	log_own_put(&record, trouble->errors);
	log_own_put(&record, trouble->waiting_bytes);
	return log_own_add(hft_log_evidence_own(log->evidence), &record, HFT_LOG_ID_STORE,
			   hft_log_stamp(tsc));
}

/* Between two looks one may have begun that is over. */
static void tell(struct hft_log *log, const struct hft_log_trouble *now)
{
	struct hft_log_trouble *told = &log->trouble;
	bool is_new = now->times != told->times;

	if (is_new && !add_record(log, now, "begins"))
		return;
	told->times = now->times;
	if (!now->err && (is_new || told->err) && !add_record(log, now, "is over"))
		return;
	told->err = now->err;
}

static int path_of(char path[PATH_MAX], const char *ring_dir)
{
	if (snprintf(path, PATH_MAX, "%s/" LOG_TROUBLE, ring_dir) >= PATH_MAX)
		return hft_fail(ENAMETOOLONG, "the folder for rings");
	return 0;
}

/* Returns false: it is to be tried again, as when there is no folder yet. */
static bool write_file(const struct hft_log *log, const struct hft_log_trouble *trouble)
{
	char path[PATH_MAX];
	ssize_t size;
	int fd;

	if (path_of(path, log->ring_dir))
		return false;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return false;
	size = pwrite(fd, trouble, sizeof(*trouble), 0);
	close(fd);
	return size == sizeof(*trouble);
}

void log_trouble_look(struct hft_log *log, uint64_t now)
{
	struct hft_log_trouble trouble;
	bool changed;

	hft_log_store_trouble(log->store, &trouble);
	if (!trouble.times)
		return;
	changed = trouble.times != log->trouble.times || trouble.err != log->trouble.err;
	if (changed)
		tell(log, &trouble);
	if (changed || (trouble.err && now >= log->trouble_next))
		log->trouble_unsaid = true;
	if (!log->trouble_unsaid)
		return;
	log->trouble_next = now + WRITE_NS;
	log->trouble_unsaid = !write_file(log, &trouble);
}

void log_trouble_remove(int ring_fd)
{
	unlinkat(ring_fd, LOG_TROUBLE, 0);
}

int log_trouble_read(const char *ring_dir, struct hft_log_trouble *trouble)
{
	struct hft_log_trouble it;
	char path[PATH_MAX];
	ssize_t size;
	int fd, err;

	memset(trouble, 0, sizeof(*trouble));
	err = path_of(path, ring_dir);
	if (err)
		return err;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? 0 : hft_fail(errno, "open %s", path);
	size = pread(fd, &it, sizeof(it), 0);
	close(fd);
	if (size != sizeof(it))
		return 0;
	*trouble = it;
	trouble->text[sizeof(trouble->text) - 1] = '\0';
	return 0;
}
