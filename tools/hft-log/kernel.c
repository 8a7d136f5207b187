// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log kernel: the kernel's own events, as a log. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
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
#include "kernel_read.h"
#include "tracefs.h"

#define PAGE_MOST	(1u << 20)
#define SECONDS_MOST	1e9
#define BUFFER_MOST	(1u << 22)

enum { KERNEL_EVENTS = 0x100, KERNEL_CPUS, KERNEL_FOR, KERNEL_BUFFER };

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "key", required_argument, NULL, 'k' },
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
	      "Write the kernel's events to a log, until SIGINT, SIGTERM or SIGHUP.  Stamps are of the\n"
	      "clock that programs log by: hft-log cat and merge show both in one order.  For root.\n"
	      "\n"
	      "  -o, --output DIR    folder of the log\n"
	      "  -k, --key FILE      sign its seals with this private Ed25519 key, of a PEM file;\n"
	      "                      what goes on with a log that is signed has to be signed\n"
	      "  --events LIST       SYSTEM or SYSTEM:EVENT, with * and ?, separated by commas, as\n"
	      "                      hft,sched:sched_switch (default: hft, those of hft.ko)\n"
	      "  --cpus LIST         of these CPUs, as 2-5,7 or 2-N (default: all)\n"
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

/* What the log has answered. */
static int tell(const struct kernel_run *run, int err)
{
	return err ? fail_hft(err, run->output) : 0;
}

static int trace(struct kernel_run *run)
{
	int err = tracefs_write(&run->tracefs, "tracing_on", "1"), off;

	if (err)
		return err;
	run->until = run->for_s ? hft_log_monotonic() + (uint64_t)(run->for_s * 1e9) : UINT64_MAX;
	err = kernel_read_until_end(run);
	off = tracefs_write(&run->tracefs, "tracing_on", "0");
	if (!err)
		err = off ? off : kernel_read_rest(run);
	kernel_read_end(run);
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

	if (interrupted)	/* Thousands of events take the kernel many seconds. */
		return 0;
	snprintf(path, sizeof(path), "events/%s/%s/format", system, name);
	format = tracefs_read(&run->tracefs, path, &size);
	if (!format)
		return -EIO;
	err = kernel_events_add(run->known, system, name, format, size, &site);
	free(format);
	if (!err && !site->id)
		err = tell(run, hft_log_import_site(run->import, site));
	if (err)
		return err;
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
	return tell(run, hft_log_import_stream(run->import, &stream));
}

static bool has_cpu(const struct kernel_run *run, unsigned int number)
{
	char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/per_cpu/cpu%u", run->tracefs.dir, number);
	return !access(path, F_OK);
}

/* "all" and "N" go beyond the last CPU; others have to be there.  How many, or -errno. */
static int find_cpus(const struct kernel_run *run, cpu_set_t *cpus)
{
	const char *list = run->cpus ? run->cpus : "all";
	bool is_open = strpbrk(list, "aN");
	int i;

	if (!hft_cpulist_parse(list, false, cpus))
		return fail(EINVAL, "--cpus %s", list);
	hft_for_each_cpu(i, cpus) {
		if (has_cpu(run, (unsigned int)i))
			continue;
		if (!is_open)
			return fail(0, "--cpus %s: there is no CPU %d", list, i);
		CPU_CLR(i, cpus);
	}
	return CPU_COUNT(cpus) ? CPU_COUNT(cpus) : fail(ENODEV, "no CPU to trace");
}

static int add_cpus(struct kernel_run *run)
{
	char mask[HFT_CPULIST_SIZE];
	cpu_set_t cpus;
	int i, nr = find_cpus(run, &cpus), err = 0;

	if (nr < 0)
		return nr;
	run->all = calloc((size_t)nr, sizeof(*run->all));
	if (!run->all)
		return fail(ENOMEM, "the CPUs");
	hft_for_each_cpu(i, &cpus) {
		err = add_cpu(run, (unsigned int)i);
		if (err)
			return err;
	}
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
	struct hft_log_store_opts store = { .sz = sizeof(store), .key_file = run->key };
	struct hft_log_import_opts opts = {
		.sz = sizeof(opts), .program = "kernel", .store = &store,
	};
	int err = tracefs_open(&run->tracefs), end;

	if (err)
		return err;
	err = tell(run, hft_log_import_open(&run->import, run->output, &opts));
	if (!err)
		err = set_up(run);
	if (!err)
		err = trace(run);
	end = tear_down(run);
	if (!err)
		err = end;
	end = tell(run, hft_log_import_close(run->import));
	return err ? err : end;
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
	case 'k':
		run->key = optarg;
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
	while (!status && (option = getopt_long(argc, argv, "hk:o:", options, NULL)) != -1) {
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
