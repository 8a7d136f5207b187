// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A record's place in a log: what its events are, and whose log it is.
 *
 * Handles that are recorded at the same time share the log of their process; the first
 * opens it and the last closes it, unless the process has one of its own.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <hft/log.h>

#include "../gettime.h"
#include "../log/log.h"
#include "internal.h"
#include "record.h"

/* A thread waits that long for the disk before its handle is recorded no more. */
#define RECORD_BLOCK_NS		(10 * LOG_NS_PER_S)
#define RECORD_RING_BYTES	(4 << 20)

#define SITE(subsystem_, name_, fields_, types_)	{			\
	.name = (name_),							\
	.fields = "handle,order," fields_,					\
	.types = "uu" types_,							\
	.subsystem = (subsystem_),						\
	.file = __FILE__,							\
	.line = __LINE__,							\
	.level = HFT_LOG_NOTICE,						\
	.lane = HFT_LOG_AUDIT,							\
}

#define EVENT_FIELDS	"published,ring,task,cookie,release,deadline,irq_entry,sequence,"	\
			"result,type,clock,level,"
#define EVENT_TYPES	"nutuuunuiuuu"

#define CHOICE_FIELDS	"begin,end,ring,place,cookie,release,deadline,level,event,"
#define CHOICE_TYPES	"nnuuuuuuu"

/* The letters are enum hft_log_type; a text is the last field. */
struct hft_log_site hft_record_sites[HFT_RECORD_KINDS] HFT_LOG_IN_SECTION = {
	[HFT_RECORD_OPEN] = SITE("record", "open",
		"time,realtime_offset,tai_offset,tasks,version,backend,", "nuuuus"),
	[HFT_RECORD_RING] = SITE("record", "ring",
		"time,ring,cpu,entries,window,level_mask,policy,flags,lead_ns,quantum_ns,"
		"fallback,", "nuuuuuuuuuu"),
	[HFT_RECORD_RING_CLOSE] = SITE("record", "ring_close", "time,ring,", "nu"),
	[HFT_RECORD_SUBMIT] = SITE("record", "submit",
		"begin,end,task,cookie,release,deadline,ring,flags,clock,level,class,reserved,"
		"period_ns,wcet_ns,after,more,", "nntuuuuuuucuuutu"),
	[HFT_RECORD_CANCEL] = SITE("record", "cancel", "begin,end,task,", "nnt"),
	[HFT_RECORD_MODIFY] = SITE("record", "modify",
		"begin,end,task,fields,level,release,deadline,period_ns,", "nntuuuuu"),
	[HFT_RECORD_HALT] = SITE("record", "halt", "begin,end,mode,flags,", "nnuu"),
	[HFT_RECORD_DISPATCH] = SITE("decision", "dispatch", EVENT_FIELDS, EVENT_TYPES),
	[HFT_RECORD_NOTICE] = SITE("record", "notice", EVENT_FIELDS, EVENT_TYPES),
	[HFT_RECORD_ADVANCE] = SITE("record", "advance",
		"begin,end,ring,task_start,task_end,result,woke_ns,", "nnunniu"),
	[HFT_RECORD_CLOSE] = SITE("record", "close", "time,", "n"),
	[HFT_RECORD_ARRIVE] = SITE("record", "arrive", "begin,end,task,release,", "nntu"),
	[HFT_RECORD_POLICY] = SITE("record", "policy", "begin,end,ring,policy,", "nnuu"),
	[HFT_RECORD_LOOK] = SITE("record", "look", "time,ring,", "nu"),
	[HFT_RECORD_LEAD] = SITE("record", "lead", "begin,end,ring,fields,lead_ns,budget_ppm,",
		"nnuuuu"),
	[HFT_RECORD_RULE] = SITE("record", "rule",
		"begin,end,ring,number,action,flags,anomalies,kinds,classes,count,among,level,"
		"targets,budget_ppm,amount,most,leave_ns,interval_ns,hold_ns,seasons,",
		"nnuuuuuuuuuuuuuuuuuu"),
	[HFT_RECORD_CLOCK] = SITE("record", "clock", "begin,end,realtime_offset,tai_offset,",
		"nnuu"),
	[HFT_RECORD_HOLD] = SITE("record", "hold", "begin,end,ring,mode,", "nnuu"),
	[HFT_RECORD_CPU] = SITE("record", "cpu", "begin,end,ring,offline,", "nnuu"),
	[HFT_RECORD_SUBMIT_NOW] = SITE("record", "submit_now",
		"begin,end,ring,place,cookie,release,deadline,flags,level,class,period_ns,"
		"wcet_ns,", "nnuuuuuuucuu"),
	[HFT_RECORD_DROP] = SITE("record", "drop", "time,ring,place,", "nuu"),
	[HFT_RECORD_IMMEDIATE] = SITE("decision", "immediate", CHOICE_FIELDS, CHOICE_TYPES),
	[HFT_RECORD_AHEAD] = SITE("decision", "ahead", CHOICE_FIELDS, CHOICE_TYPES),
	[HFT_RECORD_DONE] = SITE("record", "done", "time,ring,place,", "nuu"),
};

HFT_LOG_EVENT(log_feed, "record", "feed", HFT_LOG_NOTICE, HFT_LOG_AUDIT, (u64, feed),
	      (string, path))
HFT_LOG_EVENT(log_packet, "record", "packet", HFT_LOG_NOTICE, HFT_LOG_AUDIT, (u64, feed),
	      (u64, position), (u64, sequence), (u64, messages), (u64, arrival))

/* How many words a record of a kind has, without its text and what all have. */
uint32_t hft_record_words(uint32_t kind)
{
	const char *types = hft_record_sites[kind].types;
	size_t nr = strlen(types) - HFT_RECORD_PREFIX;

	return (uint32_t)nr - !!strchr(types, HFT_LOG_STRING);
}

static pthread_mutex_t record_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hft_log *record_log;	/* NULL: it is the process's own */
static unsigned int record_users;
static unsigned int record_forks;
static atomic_uint record_generation;	/* 0: nothing is recorded */
static uint64_t record_last;		/* handle */

static int open_log(const char *dir)
{
	HFT_OPTS(hft_log_opts, opts, .audit_bytes = RECORD_RING_BYTES,
		 .block_ns = RECORD_BLOCK_NS);

	return hft_log_open(&record_log, dir, &opts);
}

/* A folder may have the logs of many processes, one after the other. */
static uint64_t name_handle(void)
{
	uint64_t now = hft_gettime(CLOCK_REALTIME);

	record_last = now > record_last ? now : record_last + 1;
	return record_last;
}

/*
 * Under the lock.  The process may have a log of its own, and another process, as a child
 * with the same environment, may write to the one that was named.
 */
static int join_log(const char *dir, char *other, size_t size)
{
	const struct hft_log *own = log_current();
	int err;

	if (own) {
		if (strcmp(own->dir, dir))
			snprintf(other, size, "%s", own->dir);
		return 0;
	}
	err = open_log(dir);
	if (err != -EBUSY)
		return err;
	if (snprintf(other, size, "%s.%u", dir, (unsigned int)getpid()) >= (int)size)
		return hft_fail(ENAMETOOLONG, "%s", dir);
	return open_log(other);
}

static unsigned int next_generation(void)
{
	static unsigned int last;

	return ++last;
}

/*
 * @other: the log that it is in, if that is not @dir, or "".  Returns 0, or a negative errno
 * as hft_fail() has it.
 */
int hft_record_log_open(struct hft_record_log *log, const char *dir, char *other, size_t size)
{
	int err = 0;

	*other = '\0';
	pthread_mutex_lock(&record_lock);
	if (hft_is_inherited(record_forks)) {
		record_log = NULL;
		record_users = 0;
		record_forks = hft_forks;
	}
	if (!record_users || !log_current())
		err = join_log(dir, other, size);
	if (!err && !record_users++)
		atomic_store(&record_generation, next_generation());
	if (!err)
		*log = (struct hft_record_log){ .handle = name_handle() };
	pthread_mutex_unlock(&record_lock);
	return err;
}

/* Not for what is inherited.  Returns 0, or why the log is not all in files. */
int hft_record_log_close(void)
{
	struct hft_log *last = NULL;
	int err;

	pthread_mutex_lock(&record_lock);
	if (!--record_users) {
		atomic_store(&record_generation, 0);
		last = record_log;
		record_log = NULL;
	}
	err = last && last == log_current() ? hft_log_close(last) : 0;
	pthread_mutex_unlock(&record_lock);
	return err;
}

/* Another each time that there is a log to record in; 0: there is none. */
unsigned int hft_record_log_generation(void)
{
	return atomic_load_explicit(&record_generation, memory_order_relaxed);
}

/* Tell of a file of market data.  Returns its number in the process. */
uint64_t hft_record_feed(const char *path)
{
	static _Atomic uint64_t feeds;
	uint64_t number = atomic_fetch_add(&feeds, 1) + 1;

	log_feed(number, path);
	return number;
}

void hft_record_packet(const struct hft_record_packet *packet)
{
	log_packet(packet->feed, packet->position, packet->sequence, packet->messages,
		   packet->arrival);
}

/* One thread at a time.  Returns 0, or as hft_log_audit(). */
int hft_record_log_add(struct hft_record_log *log, uint32_t kind, const uint64_t *words,
		       const char *text)
{
	struct hft_log_site *site = &hft_record_sites[kind];
	uint64_t record[HFT_RECORD_PREFIX + HFT_RECORD_WORDS + 4] = { log->handle, log->order };
	size_t bytes = (HFT_RECORD_PREFIX + hft_record_words(kind)) * sizeof(*record), room;
	int err;

	memcpy(record + HFT_RECORD_PREFIX, words, bytes - HFT_RECORD_PREFIX * sizeof(*record));
	if (text) {
		room = sizeof(record) - bytes;
		snprintf((char *)record + bytes, room, "%s", text);
		bytes += strnlen(text, room - 1) + 1;
	}
	err = hft_log_write(site, HFT_LOG_AUDIT, 0, record, bytes);
	if (!err)
		log->order++;
	return err;
}
