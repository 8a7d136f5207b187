// SPDX-License-Identifier: LGPL-2.1-or-later
/* The run over all checks, and how each says what it found. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../api.h"
#include "../options.h"
#include "internal.h"

#define CPUINFO_SIZE	16384	/* of the first CPU */

static const struct hft_check_topic topics[] = {
	{ "clock", hft_checks_clock },
	{ "isolation", hft_checks_isolation },
	{ "interrupts", hft_checks_interrupts },
	{ "idle", hft_checks_idle },
	{ "scheduler", hft_checks_scheduler },
	{ "memory", hft_checks_memory },
	{ "limits", hft_checks_limits },
	{ "pmu", hft_checks_pmu },
	{ "kernel", hft_checks_kernel },
	{ "machine", hft_checks_machine },
	{ "device", hft_checks_device },
};

#define NR_TOPICS	(sizeof(topics) / sizeof(topics[0]))

void say(struct hft_check *c, enum hft_severity severity, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->what, sizeof(c->what), format, args);
	va_end(args);
	c->finding.severity = severity;
	c->finding.what = c->what;
}

void say_cost(struct hft_check *c, const char *source, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->cost, sizeof(c->cost), format, args);
	va_end(args);
	c->finding.cost = c->cost;
	c->finding.source = source;
}

void say_measured(struct hft_check *c, uint64_t ns, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->cost, sizeof(c->cost), format, args);
	va_end(args);
	c->finding.cost = c->cost;
	c->finding.cost_ns = ns;
	c->finding.source = "measured";
}

void say_fix(struct hft_check *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->fix, sizeof(c->fix), format, args);
	va_end(args);
	c->finding.fix = c->fix;
}

void say_lasting(struct hft_check *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->lasting, sizeof(c->lasting), format, args);
	va_end(args);
	c->finding.lasting = c->lasting;
}

void say_unread(struct hft_check *c, int err, const char *what, const char *absent)
{
	if (err == -ENOENT || err == -ENODEV || err == -ENOTDIR)
		say(c, HFT_CHECK_OK, "%s", absent);
	else
		say(c, HFT_CHECK_NOTE, "%s could not be read: %s", what, strerror(-err));
}

/* Where @name begins a word of the command line that ends with one of @ends. */
static const char *find_option(const char *cmdline, const char *name, const char *ends)
{
	size_t length = strlen(name);
	const char *at = cmdline, *last = NULL;

	while ((at = strstr(at, name))) {
		if ((at == cmdline || isspace((unsigned char)at[-1])) && strchr(ends, at[length]))
			last = at + length;
		at += length;
	}
	return last;
}

const char *boot_option(struct hft_check *c, const char *name, char *value, size_t size)
{
	const char *at = find_option(c->cmdline, name, "=");

	if (!at || !*at)
		return NULL;
	snprintf(value, size, "%.*s", (int)strcspn(at + 1, " \n"), at + 1);
	return value;
}

bool has_boot_option(struct hft_check *c, const char *name)
{
	return find_option(c->cmdline, name, " \n=");
}

bool cpu_flag(const struct hft_check *c, const char *name)
{
	char word[64];

	snprintf(word, sizeof(word), " %s ", name);
	return strstr(c->flags, word);
}

bool runs_kernel(const struct hft_check *c, unsigned int major, unsigned int minor)
{
	unsigned int has_major = 0, has_minor = 0;

	if (sscanf(c->release, "%u.%u", &has_major, &has_minor) != 2)
		return false;
	return has_major > major || (has_major == major && has_minor >= minor);
}

bool line_value(const char *text, const char *name, char *value, size_t size)
{
	size_t length = strlen(name);
	const char *at = text;

	while (at && strncmp(at, name, length)) {
		at = strchr(at, '\n');
		at = at ? at + 1 : NULL;
	}
	if (!at)
		return false;
	at += length;
	at += strspn(at, " \t:=");
	snprintf(value, size, "%.*s", (int)strcspn(at, "\n"), at);
	return true;
}

static int read_machine(struct hft_check *c)
{
	char text[CPUINFO_SIZE];
	size_t length;

	if (hft_read_text(c->root, c->cmdline, sizeof(c->cmdline), "/proc/cmdline") < 0)
		c->cmdline[0] = '\0';
	if (hft_read_line(c->root, c->release, sizeof(c->release), "/proc/sys/kernel/osrelease"))
		c->release[0] = '\0';
	c->flags[0] = ' ';
	if (hft_read_text(c->root, text, sizeof(text), "/proc/cpuinfo") > 0 &&
	    line_value(text, "flags", c->flags + 1, sizeof(c->flags) - 2)) {
		length = strlen(c->flags);
		c->flags[length] = ' ';
		c->flags[length + 1] = '\0';
	}
	if (hft_read_cpus(c->root, &c->online, "/sys/devices/system/cpu/online"))
		return hft_fail(ENOENT, "%s/sys/devices/system/cpu/online", c->root);
	return 0;
}

static int choose_workers(struct hft_check *c, const char *cpus)
{
	c->chosen = true;
	if (cpus) {
		if (!hft_cpulist_parse(cpus, false, &c->workers) || !CPU_COUNT(&c->workers))
			return hft_fail(EINVAL, "\"%s\" is no list of CPUs such as 2-5,7", cpus);
	} else if (hft_read_cpus(c->root, &c->workers, "/sys/devices/system/cpu/isolated") ||
		   !CPU_COUNT(&c->workers)) {
		c->workers = c->online;
		c->chosen = false;
	}
	c->others = c->online;
	hft_cpus_without(&c->others, &c->workers);
	hft_cpulist_print(&c->workers, c->list, sizeof(c->list));
	c->named = c->chosen ? c->list : "LIST";
	hft_cpulist_print(&c->others, c->other_list, sizeof(c->other_list));
	if (!c->other_list[0])
		snprintf(c->other_list, sizeof(c->other_list), "OTHERS");
	return 0;
}

static void run_check(struct hft_check *c, const struct hft_check_topic *topic,
		      const struct hft_check_entry *entry, hft_check_fn found, void *arg)
{
	c->finding = (struct hft_check_finding){ .name = entry->name, .topic = topic->name };
	if (c->measure)
		hft_measure(c, entry->needs);
	entry->check(c);
	if (c->finding.what)
		found(arg, &c->finding);
}

/* Returns the worst severity, or -1 if no check is called @only. */
static int run_checks(struct hft_check *c, const char *only, hft_check_fn found, void *arg)
{
	const struct hft_check_entry *entry;
	int worst = only ? -1 : 0;
	size_t i;

	for (i = 0; i < NR_TOPICS; i++) {
		for (entry = topics[i].entries; entry->name; entry++) {
			if (only && strcmp(only, entry->name))
				continue;
			run_check(c, &topics[i], entry, found, arg);
			if (worst < (int)c->finding.severity)
				worst = (int)c->finding.severity;
		}
	}
	return worst;
}

/**
 * hft_check_run() - look for what costs latency
 * @user_opts: options, or NULL: this machine, all checks, with measurements
 * @found: called for each finding, in an order that stays, by this thread
 * @arg: of @found
 *
 * Opens files and reads them, a few for each CPU.  Measurements take about a second; they
 * are made by threads of its own, at no priority, on CPUs of the workers, and give up where
 * those are busy.  Any thread; concurrent calls disturb each other's measurements.
 *
 * Return: the worst severity, an enum hft_severity; or -EINVAL for an unknown flag or a
 * list of CPUs that is none, -ENOENT for a root without /sys/devices/system/cpu/online or
 * a check that is none, -E2BIG for options of a newer library, -ENOMEM.
 */
HFT_API int hft_check_run(const struct hft_check_opts *user_opts, hft_check_fn found, void *arg)
{
	struct hft_check_opts opts;
	struct hft_check *c;
	int ret;

	ret = hft_read_opts(&opts, sizeof(opts), user_opts);
	if (ret)
		return ret;
	if (opts.flags & ~HFT_CHECK_NO_MEASURE)
		return hft_fail(EINVAL, "unknown flags 0x%x", opts.flags);
	c = calloc(1, sizeof(*c));
	if (!c)
		return hft_fail(ENOMEM, "a check of this machine");
	c->root = opts.root ? opts.root : "";
	c->live = !c->root[0];
	c->measure = c->live && !(opts.flags & HFT_CHECK_NO_MEASURE);
	ret = read_machine(c);
	if (!ret)
		ret = choose_workers(c, opts.cpus);
	if (!ret) {
		ret = run_checks(c, opts.only, found, arg);
		if (ret < 0)
			ret = hft_fail(ENOENT, "no check is called \"%s\"", opts.only);
	}
	free(c);
	return ret;
}

/**
 * hft_severity_name() - the name of a severity
 * @severity: an enum hft_severity
 *
 * Return: "ok", "note", "warn", "fail", or "?" for what is none.  Any thread; wait-free.
 */
HFT_API const char *hft_severity_name(uint32_t severity)
{
	static const char *const names[] = { "ok", "note", "warn", "fail" };

	return severity < sizeof(names) / sizeof(names[0]) ? names[severity] : "?";
}
