// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Evidence of controls: what the library and the module have refused, held back, halted and
 * let go on, where a log is open.  The module's own actions are known to who reads the
 * handle's monitor ring, and so are in the log from when it has read them.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <hft/log_trade.h>
#include <hft/rule.h>

#include "../gettime.h"
#include "../log/log.h"
#include "../log/sched.h"
#include "core/admission.h"
#include "evidence.h"
#include "internal.h"

#define HFT_EVIDENCE_TEXT	160

/* Words for an event's fields, which point there. */
struct hft_evidence {
	struct hft_trade_control control;
	char who[HFT_EVIDENCE_TEXT];
	char rule[HFT_EVIDENCE_TEXT];
	char scope[HFT_EVIDENCE_TEXT];
	char reason[HFT_EVIDENCE_TEXT];
};

static void __attribute__((format(printf, 2, 3))) say(char *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, HFT_EVIDENCE_TEXT, format, args);
	va_end(args);
}

/* False: nobody wants to know. */
static bool begin(struct hft_evidence *e)
{
	if (!log_current())
		return false;
	memset(e, 0, sizeof(*e));
	e->control.sz = sizeof(e->control);
	say(e->who, "uid %u, %s[%d]", (unsigned int)getuid(), program_invocation_short_name,
	    (int)getpid());
	e->control.who = e->who;
	e->control.rule = e->rule;
	e->control.scope = e->scope;
	e->control.reason = e->reason;
	return true;
}

/* The log that can not take it says so itself, in its counters. */
static void end(struct hft_evidence *e, enum hft_trade_control_event event)
{
	hft_trade_log_control(event, &e->control);
}

static void compared(struct hft_evidence *e, const char *unit, uint64_t limit, uint64_t value)
{
	e->control.unit = unit;
	e->control.limit = hft_trade_units((int64_t)limit);
	e->control.value = hft_trade_units((int64_t)value);
}

static const char *halt_name(uint64_t mode)
{
	static const char *const names[] = {
		[HFT_HALT_NONE] = "none", [HFT_HALT_REDUCE] = "reduce", [HFT_HALT_ALL] = "all",
		[HFT_HALT_CANCEL] = "cancel",
	};

	return mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "unknown";
}

/* hft_halt() or hft_resume() has succeeded. */
void hft_evidence_halt(const struct hft *h, const struct hft_halt *halt)
{
	bool global = halt->flags & HFT_HALT_GLOBAL;
	struct hft_evidence e;

	if (!begin(&e))
		return;
	say(e.rule, "program");
	if (global)
		say(e.scope, "all handles of the machine");
	else
		say(e.scope, "the handle, backend %s", hft_backend(h));
	if (halt->mode == HFT_HALT_NONE)
		say(e.reason, "hft_resume()");
	else
		say(e.reason, "hft_halt(): mode %s, tasks stopped: %llu", halt_name(halt->mode),
		    (unsigned long long)halt->stopped);
	end(&e, halt->mode == HFT_HALT_NONE ? HFT_TRADE_REARM : HFT_TRADE_HALT);
}

/* The level below which a rule of the ring refuses tasks, or 0. */
static uint64_t shed_level(struct hft *h, const struct hft_task *task, uint32_t *number)
{
	uint64_t level = 0;
	uint32_t i;

	for (i = 0; i < HFT_RULES; i++) {
		struct hft_rule_info info = { .ring = task->ring, .number = i };

		if (h->backend->command(h, HFT_IOC_RULE_INFO, &info))
			break;
		if (info.action == HFT_ACTION_SHED && info.in_force && info.value > level) {
			level = info.value;
			*number = i;
		}
	}
	return level;
}

/* What admission was asked for; @limit is the default, which a module may have another of. */
static void not_admitted(struct hft_evidence *e, const struct hft_task *task)
{
	uint64_t ppm = task->period ? task->wcet * HFT_ADMISSION_PPM / task->period : 0;

	say(e->rule, "admission");
	say(e->reason, "with what is admitted to the CPU it is too much");
	compared(e, "ppm of the CPU, by itself", HFT_ADMISSION_CAP_PPM, ppm);
}

/* A task was refused by what limits tasks; errors of the caller are no evidence. */
void hft_evidence_refused(struct hft *h, const struct hft_task *task, int err)
{
	struct hft_evidence e;
	uint32_t number = 0;
	uint64_t level;

	if ((err != -EDQUOT && err != -EBUSY && err != -ENOBUFS) || !begin(&e))
		return;
	say(e.scope, "ring %u", task->ring);
	e.control.refused = HFT_TRADE_REFUSED_TASK;
	if (err == -EDQUOT) {
		say(e.rule, "tasks of a handle");
		compared(&e, "tasks", h->tasks, (uint64_t)h->tasks + 1);
	} else if (err == -EBUSY) {
		not_admitted(&e, task);
	} else {
		level = shed_level(h, task, &number);
		say(e.rule, "rule %u of ring %u: shed", number, task->ring);
		compared(&e, "level", level, task->level);
	}
	end(&e, HFT_TRADE_REJECT);
}

/* When a notice was written; 0, now, of a machine whose time is its own. */
static uint64_t utc_of(const struct hft_ring *ring, uint64_t monotonic)
{
	uint64_t now;

	if (ring->machine)
		return 0;
	now = hft_gettime(CLOCK_MONOTONIC);
	return hft_gettime(CLOCK_REALTIME) - (now - monotonic);
}

static bool is_control(uint32_t action)
{
	return action == HFT_ACTION_SHED || action == HFT_ACTION_SPARE ||
	       action == HFT_ACTION_REDUCE || action == HFT_ACTION_HALT;
}

/* A rule has acted, or was undone.  @found: the anomaly that it was for, if that is known. */
static void responded(const struct hft_ring *ring, const struct hft_event *event,
		      const struct hft_event *found)
{
	bool halts = event->clock == HFT_ACTION_REDUCE || event->clock == HFT_ACTION_HALT;
	struct hft_evidence e;

	if (!is_control(event->clock) || !begin(&e))
		return;
	say(e.rule, "rule %u of ring %u: %s", (unsigned int)(event->task >> 32),
	    (unsigned int)event->task, hft_action_name(event->clock));
	say(e.scope, halts ? "the handle" : "ring %u", (unsigned int)event->task);
	if (found)
		compared(&e, "ns", found->deadline ? found->deadline : found->release,
			 found->cookie);
	say(e.reason, "anomaly %u; set to %llu, before %llu", event->level,
	    (unsigned long long)event->cookie, (unsigned long long)event->deadline);
	e.control.event_ns = utc_of(ring, event->published);
	if (event->result == HFT_RESPONSE_UNDONE)
		end(&e, HFT_TRADE_REARM);
	else if (event->result == HFT_RESPONSE_APPLIED)
		end(&e, halts ? HFT_TRADE_HALT : HFT_TRADE_THROTTLE);
}

/* A task has missed its deadline, and that has halted the handle. */
static void missed(const struct hft_ring *ring, const struct hft_event *event)
{
	struct hft_evidence e;

	if (!begin(&e))
		return;
	say(e.rule, "deadline of task 0x%llx", (unsigned long long)event->task);
	say(e.scope, "the handle");
	say(e.reason, "mode %s, tasks stopped: %llu", halt_name((uint64_t)event->result),
	    (unsigned long long)event->cookie);
	compared(&e, "ns of CLOCK_MONOTONIC", event->deadline, event->published);
	e.control.event_ns = utc_of(ring, event->published);
	end(&e, HFT_TRADE_HALT);
}

static bool is_of(const struct hft_event *found, const struct hft_event *event)
{
	return found->type == HFT_EVENT_ANOMALY && (uint32_t)found->task == (uint32_t)event->task &&
	       found->result == event->level;
}

/* The consumer of a monitor ring looks at a notice; it may look at it again. */
void hft_evidence_notice(struct hft_ring *ring, const struct hft_event *event)
{
	struct hft_event *found = &ring->anomaly;

	if (event->sequence < ring->noticed)
		return;
	ring->noticed = event->sequence + 1;
	if (event->type == HFT_EVENT_ANOMALY && hft_log_sched_wants(HFT_SCHED_ANOMALY))
		hft_log_sched_anomaly(event);
	if (event->type == HFT_EVENT_RESPONSE && hft_log_sched_wants(HFT_SCHED_RESPONSE))
		hft_log_sched_response(event);
	if (event->type == HFT_EVENT_HALT && hft_log_sched_wants(HFT_SCHED_HALT))
		hft_log_sched_halt((uint32_t)event->result, 0, event->cookie, event->published);
	if (event->type == HFT_EVENT_ANOMALY)
		*found = *event;
	else if (event->type == HFT_EVENT_HALT)
		missed(ring, event);
	else if (event->type == HFT_EVENT_RESPONSE)
		responded(ring, event, is_of(found, event) ? found : NULL);
}
