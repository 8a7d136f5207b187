// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hft-log kernel: the kernel's own events, as a log.
 *
 * A stream for each CPU, whose buffer is looked at now and then: nobody waits for events, for
 * that would have the kernel wake him, by an interrupt on the CPU that is traced.  What the disk
 * does not take stays in the kernel's buffers.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <common/tool.h>
#include <cpulist.h>
#include <hft/log.h>
#include <hft/log_import.h>

#include "hft-log.h"
#include "kernel_event.h"
#include "tracefs.h"

#define NS_PER_S	1000000000ull
#define NS_PER_MS	1000000ull
#define LOOK_NS		(10 * NS_PER_MS)
#define LEAST_NAP_NS	NS_PER_MS
#define SHOW_NS		NS_PER_S
#define GIVE_UP_NS	(10 * NS_PER_S)
#define TURN_PAGES	64u		/* of a CPU, before the others have their turn */
#define PAGE_MOST	(1u << 20)
#define SECONDS_MOST	1e9
#define BUFFER_MOST	(1u << 22)

/**
 * struct kernel_cpu - a CPU that is traced
 * @run: whose
 * @cpu: it
 * @fd: of the pages of its buffer
 * @stream: in the log
 * @stamp: of its last event; 0: there was none
 * @lost: events that were told to be
 */
struct kernel_cpu {
	struct kernel_run *run;
	unsigned int cpu;
	int fd;
	uint64_t stream;
	uint64_t stamp;
	uint64_t lost;
};

/**
 * struct kernel_run - what is done, until it is interrupted or @until
 * @events: patterns of them, from the command line
 * @cpus: a list, or NULL: all
 * @output: folder of the log
 * @for_s: 0: until a signal
 * @buffer_kib: of each CPU; 0: the kernel's default
 * @tracefs: the instance
 * @known: events
 * @import: the log
 * @all: CPUs
 * @nr_cpus: how many
 * @page: one of a buffer
 * @page_bytes: of it
 * @records: given to the log
 * @lost: by the kernel
 * @trouble: what the disk answers
 * @until: the time is over, CLOCK_MONOTONIC, ns
 * @shown: when progress was
 */
struct kernel_run {
	const char *events;
	const char *cpus;
	const char *output;
	double for_s;
	uint64_t buffer_kib;
	struct tracefs tracefs;
	struct kernel_events *known;
	struct hft_log_import *import;
	struct kernel_cpu *all;
	unsigned int nr_cpus;
	void *page;
	size_t page_bytes;
	uint64_t records;
	uint64_t lost;
	int trouble;
	uint64_t until;
	uint64_t shown;
};

enum { KERNEL_EVENTS = 0x100, KERNEL_CPUS, KERNEL_FOR, KERNEL_BUFFER };

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "events", required_argument, NULL, KERNEL_EVENTS },
	{ "cpus", required_argument, NULL, KERNEL_CPUS },
	{ "for", required_argument, NULL, KERNEL_FOR },
	{ "buffer", required_argument, NULL, KERNEL_BUFFER },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void usage(void)
{
	fputs("Usage: hft-log kernel [OPTION]... --output DIR\n"
	      "Write the kernel's events to a log, until SIGINT or SIGTERM.  Stamps are of the clock\n"
	      "that programs log by: hft-log cat and merge show both in one order.  For root.\n"
	      "\n"
	      "  -o, --output DIR    folder of the log\n"
	      "  --events LIST       SYSTEM or SYSTEM:EVENT, with * and ?, separated by commas, as\n"
	      "                      hft,sched:sched_switch (default: hft, those of hft.ko)\n"
	      "  --cpus LIST         of these CPUs, as 2-5,7 (default: all)\n"
	      "  --for SECONDS       end by itself\n"
	      "  --buffer KIB        memory of the kernel for each CPU (default: the kernel's, some\n"
	      "                      1400 KiB); what it can not hold is lost, and told: hft:lost\n"
	      "\n"
	      "A record has the fields that the event has in the kernel, and common_pid: who ran.\n"
	      "Its subsystem is kernel, its thread the CPU, as cpu3, its level debug.\n"
	      "\n"
	      "Exit status: 0, 2 for wrong usage or when events can not be had or not be written.\n",
	      stdout);
}

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
	const struct timespec time = { .tv_nsec = (long)ns };

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

/* All that the kernel says a CPU has lost. */
static uint64_t count_lost(const struct kernel_cpu *cpu)
{
	static const char *const names[] = { "\noverrun: ", "\ncommit overrun: ",
					     "\ndropped events: " };
	uint64_t sum = 0;
	const char *found;
	char name[64];
	size_t size, i;
	char *text;

	snprintf(name, sizeof(name), "per_cpu/cpu%u/stats", cpu->cpu);
	text = tracefs_read(&cpu->run->tracefs, name, &size);
	for (i = 0; text && i < sizeof(names) / sizeof(names[0]); i++) {
		found = strstr(text, names[i]);
		if (found)
			sum += strtoull(found + strlen(names[i]), NULL, 10);
	}
	free(text);
	return sum;
}

static int take_lost(void *arg, int64_t records, uint64_t stamp)
{
	struct kernel_cpu *cpu = arg;
	struct kernel_run *run = cpu->run;
	uint64_t began = 0, lost = (uint64_t)records, sum;
	int err;

	if (records < 0) {
		sum = count_lost(cpu);
		lost = sum > cpu->lost ? sum - cpu->lost : 1;
	}
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

/* A turn of a CPU.  1: there may be more, 0, or -errno, which was told. */
static int take_pages(struct kernel_cpu *cpu)
{
	const struct kernel_sink sink = { take_record, take_lost, cpu };
	struct kernel_run *run = cpu->run;
	unsigned int i;
	ssize_t got;
	int err;

	for (i = 0; i < TURN_PAGES; i++) {
		got = read(cpu->fd, run->page, run->page_bytes);
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return fail(errno, "read the events of CPU %u", cpu->cpu);
		if (got <= 0)
			return 0;
		err = kernel_events_page(run->known, run->page, (size_t)got, &sink);
		if (err)
			return err;
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

/* The store may want to be called at once, again and again, while the disk writes. */
static uint64_t nap_of(uint64_t now, uint64_t next)
{
	if (next < now + LEAST_NAP_NS)
		return LEAST_NAP_NS;
	return next - now < LOOK_NS ? next - now : LOOK_NS;
}

static int take_until_end(struct kernel_run *run)
{
	uint64_t now = hft_log_monotonic(), next;
	int more = 0;

	while (more >= 0 && !is_over(run, now)) {
		more = take_turn(run);
		next = hft_log_import_poll(run->import);
		now = hft_log_monotonic();
		show_progress(run, now);
		if (!more)
			nap(nap_of(now, next));
	}
	return more < 0 ? more : 0;
}

/* What is left when nothing is added any more, and losses that no page has told of. */
static int take_rest(struct kernel_run *run)
{
	struct kernel_cpu *cpu;
	uint64_t lost;
	int ret;

	do {
		ret = take_turn(run);
	} while (ret > 0);
	for (cpu = run->all; !ret && cpu < run->all + run->nr_cpus; cpu++) {
		lost = count_lost(cpu);
		if (lost > cpu->lost && cpu->stamp)
			ret = take_lost(cpu, (int64_t)(lost - cpu->lost), cpu->stamp);
	}
	return ret;
}

static int trace(struct kernel_run *run)
{
	int err = tracefs_write(&run->tracefs, "tracing_on", "1"), off;

	if (err)
		return err;
	run->until = run->for_s ? hft_log_monotonic() + (uint64_t)(run->for_s * 1e9) : UINT64_MAX;
	err = take_until_end(run);
	off = tracefs_write(&run->tracefs, "tracing_on", "0");
	if (!err)
		err = off ? off : take_rest(run);
	clear_progress(run);
	return err;
}

static bool has_word(const char *list, const char *word)
{
	size_t length = strlen(word);
	const char *at;

	for (at = strstr(list, word); at; at = strstr(at + 1, word)) {
		if ((at == list || strchr(" [", at[-1])) && strchr(" ]\n", at[length]))
			return true;
	}
	return false;
}

/* The log's own clock, or nothing could be set against another. */
static int set_clock(struct kernel_run *run)
{
	const char *wanted = hft_log_import_is_tsc(run->import) ? "x86-tsc" : "mono";
	size_t size;
	char *clocks = tracefs_read(&run->tracefs, "trace_clock", &size);
	bool has = clocks && has_word(clocks, wanted);

	free(clocks);
	if (!clocks)
		return -EIO;
	if (!has)
		return fail(ENODEV, "the kernel can not trace by the clock of logs, %s", wanted);
	return tracefs_write(&run->tracefs, "trace_clock", wanted);
}

static int add_event(void *arg, const char *system, const char *name)
{
	struct kernel_run *run = arg;
	struct hft_log_site *site;
	char path[640];
	size_t size;
	char *format;
	int err;

	snprintf(path, sizeof(path), "events/%s/%s/format", system, name);
	format = tracefs_read(&run->tracefs, path, &size);
	if (!format)
		return -EIO;
	err = kernel_events_add(run->known, system, name, format, size, &site);
	free(format);
	if (err)
		return err;
	if (!site->id && hft_log_import_site(run->import, site))
		return fail_hft(-EIO, run->output);
	snprintf(path, sizeof(path), "events/%s/%s/enable", system, name);
	return tracefs_write(&run->tracefs, path, "1");
}

static int add_events(struct kernel_run *run)
{
	char *list = strdup(run->events), *rest = list, *pattern;
	int nr = list ? 0 : fail(ENOMEM, "the kernel's events");

	while (nr >= 0 && (pattern = strsep(&rest, ","))) {
		nr = tracefs_each_event(&run->tracefs, pattern, add_event, run);
		if (nr)
			continue;
		nr = fail(0, "the kernel has no event %s%s", pattern,
			  !strncmp(pattern, "hft", 3) ? ": is hft.ko loaded?" : "");
	}
	free(list);
	return nr < 0 ? nr : 0;
}

static int add_cpu(struct kernel_run *run, unsigned int number)
{
	struct kernel_cpu *cpu = &run->all[run->nr_cpus];
	struct hft_log_import_stream stream = {
		.sz = sizeof(stream), .id = number + 1, .cpu = (int32_t)number,
	};
	char path[64], name[16];

	*cpu = (struct kernel_cpu){ .run = run, .cpu = number, .stream = stream.id };
	snprintf(path, sizeof(path), "per_cpu/cpu%u/trace_pipe_raw", number);
	cpu->fd = tracefs_open_file(&run->tracefs, path, O_RDONLY | O_NONBLOCK);
	if (cpu->fd < 0)
		return cpu->fd;
	run->nr_cpus++;
	snprintf(name, sizeof(name), "cpu%u", number);
	stream.thread = name;
	return hft_log_import_stream(run->import, &stream) ? fail_hft(-EIO, run->output) : 0;
}

static bool has_cpu(const struct kernel_run *run, unsigned int number)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/per_cpu/cpu%u", run->tracefs.dir, number);
	return !access(path, F_OK);
}

static int add_cpus(struct kernel_run *run)
{
	char mask[HFT_CPULIST_SIZE];
	cpu_set_t cpus;
	int i, err = 0;

	CPU_ZERO(&cpus);
	for (i = 0; !run->cpus && i < CPU_SETSIZE; i++) {
		if (has_cpu(run, (unsigned int)i))
			CPU_SET(i, &cpus);
	}
	if (run->cpus && !hft_cpulist_parse(run->cpus, false, &cpus))
		return fail(EINVAL, "--cpus %s", run->cpus);
	run->all = calloc((size_t)CPU_COUNT(&cpus) + 1, sizeof(*run->all));
	if (!run->all)
		return fail(ENOMEM, "the CPUs");
	hft_for_each_cpu(i, &cpus) {
		err = add_cpu(run, (unsigned int)i);
		if (err)
			return err;
	}
	if (!run->nr_cpus)
		return fail(ENODEV, "no CPU to trace");
	if (!run->cpus)
		return 0;
	hft_cpumask_print(&cpus, mask, sizeof(mask));
	return tracefs_write(&run->tracefs, "tracing_cpumask", mask);
}

/* The kernel says where the data of a page begin, and how many there are. */
static int make_page(struct kernel_run *run)
{
	unsigned long offset = 0, bytes = 0;
	const char *data;
	size_t size;
	char *format = tracefs_read(&run->tracefs, "events/header_page", &size);

	data = format ? strstr(format, " data;") : NULL;
	if (!data || sscanf(data, " data; offset:%lu; size:%lu;", &offset, &bytes) != 2 ||
	    bytes > PAGE_MOST) {
		free(format);
		return fail(EBADMSG, "%s/events/header_page", run->tracefs.dir);
	}
	free(format);
	run->page_bytes = offset + bytes;
	run->page = malloc(run->page_bytes);
	return run->page ? 0 : fail(ENOMEM, "a page");
}

static int set_up(struct kernel_run *run)
{
	char size[32];
	int err = tracefs_write(&run->tracefs, "tracing_on", "0");

	if (!err)
		err = set_clock(run);
	snprintf(size, sizeof(size), "%" PRIu64, run->buffer_kib);
	if (!err && run->buffer_kib)
		err = tracefs_write(&run->tracefs, "buffer_size_kb", size);
	if (!err)
		err = make_page(run);
	if (!err)
		err = add_cpus(run);
	if (!err)
		err = add_events(run);
	return err;
}

/* The instance goes when nobody has a file of it open. */
static int tear_down(struct kernel_run *run)
{
	unsigned int i;

	for (i = 0; i < run->nr_cpus; i++)
		close(run->all[i].fd);
	free(run->all);
	free(run->page);
	return tracefs_close(&run->tracefs);
}

static int run_in_instance(struct kernel_run *run)
{
	struct hft_log_import_opts opts = { .sz = sizeof(opts), .program = "kernel" };
	int err = tracefs_open(&run->tracefs), end;

	if (err)
		return err;
	err = hft_log_import_open(&run->import, run->output, &opts) ?
		fail_hft(-EIO, run->output) : set_up(run);
	if (!err)
		err = trace(run);
	end = tear_down(run);
	if (!err)
		err = end;
	if (hft_log_import_close(run->import))
		err = fail_hft(-EIO, run->output);
	return err;
}

static int run_all(struct kernel_run *run)
{
	int err;

	catch_signals();
	run->known = kernel_events_new();
	if (!run->known)
		return STATUS_USAGE;
	err = run_in_instance(run);
	kernel_events_free(run->known);
	if (err)
		return STATUS_USAGE;
	printf("%" PRIu64 " records, %" PRIu64 " lost\n", run->records, run->lost);
	return STATUS_OK;
}

static int parse_one(struct kernel_run *run, int option)
{
	switch (option) {
	case 'o':
		run->output = optarg;
		return 0;
	case KERNEL_EVENTS:
		run->events = optarg;
		return 0;
	case KERNEL_CPUS:
		run->cpus = optarg;
		return 0;
	case KERNEL_FOR:
		if (parse_real(optarg, 0.001, SECONDS_MOST, &run->for_s))
			return 0;
		return wrong_usage("--for %s is no number of seconds", optarg);
	case KERNEL_BUFFER:
		if (parse_number(optarg, 10, 4, BUFFER_MOST, &run->buffer_kib))
			return 0;
		return wrong_usage("--buffer %s is no number of KiB from 4 to %u", optarg,
				   BUFFER_MOST);
	default:
		return wrong_usage("see above");
	}
}

int cmd_kernel(int argc, char **argv)
{
	struct kernel_run run = { .events = "hft" };
	int option, status = 0;

	tool_help = "hft-log kernel --help";
	while (!status && (option = getopt_long(argc, argv, "ho:", options, NULL)) != -1) {
		if (option == 'h') {
			usage();
			return STATUS_OK;
		}
		status = parse_one(&run, option);
	}
	if (!status && optind < argc)
		status = wrong_usage("%s is no option", argv[optind]);
	if (!status && !run.output)
		status = wrong_usage("to which --output?");
	return status ? status : run_all(&run);
}
