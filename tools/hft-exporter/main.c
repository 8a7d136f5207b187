// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-exporter: the module's counters for Prometheus. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <systemd/sd-daemon.h>

#include <common/tool.h>
#include <hft/hft.h>

#include "hft-exporter.h"

#define LISTEN		"127.0.0.1:9777"
#define INTERVAL_S	15
#define NS_PER_S	1000000000ULL
#define NS_PER_MS	1000000ULL
#define NS_PER_US	1000ULL
#define NEVER		UINT64_MAX

struct args {
	const char *listen;		/* NULL: no HTTP */
	const char *textfile;		/* NULL: none */
	uint64_t interval_ns;
	bool print;
	bool list;			/* print what there can be instead */
	bool openmetrics;
};

/**
 * struct run - what goes on until a signal ends it
 * @http: NULL: nothing by HTTP
 * @signals: a signalfd
 * @next: CLOCK_MONOTONIC: the file is written then
 * @watchdog_ns: the service manager is told so often that we live; 0: it does not ask
 * @alive: when it is next told
 * @was_up: what it was told of the module; -1: nothing yet
 * @failed: the file could not be written the last time
 * @written: it was, some time, and is ours to remove
 */
struct run {
	struct exporter exporter;
	struct args args;
	struct http *http;
	int signals;
	uint64_t next;
	uint64_t watchdog_ns;
	uint64_t alive;
	int was_up;
	bool failed;
	bool written;
};

static void usage(FILE *out)
{
	fputs("Usage: hft-exporter [OPTION]...\n"
	      "Tell Prometheus what the hft kernel module does, by HTTP or in a file.\n"
	      "\n"
	      "  -l, --listen ADDRESS:PORT\n"
	      "                      where http://ADDRESS:PORT/metrics is (" LISTEN "); of\n"
	      "                      IPv6 [ADDRESS]:PORT, or unix:PATH\n"
	      "  -t, --textfile FILE write FILE instead, for the textfile collector of\n"
	      "                      node_exporter (its name must end in .prom there); with\n"
	      "                      --listen do both\n"
	      "  -i, --interval S    so often, seconds (15)\n"
	      "  -p, --print         print the metrics once and end\n"
	      "  -L, --list          print the name, type and meaning of all metrics that there can\n"
	      "                      be, and end\n"
	      "  -f, --format FORMAT with --print and --list: text (0.0.4, the default) or openmetrics (1.0)\n"
	      "  -c, --per-cpu       histograms of each CPU instead of all together: 60 series\n"
	      "                      for each of five kinds and each CPU that has any\n"
	      "  -r, --root DIR      where the root of the machine's files is: DIR/sys is read\n"
	      "                      instead of /sys, DIR/dev/hft instead of /dev/hft\n"
	      "  -h, --help          this text\n"
	      "\n"
	      "Histograms are those of rings that are measured (HFT_IOC_METER); to read them takes\n"
	      "the right to open /dev/hft, and CAP_PERFMON.  hft_device_up says whether it has.\n"
	      "\n"
	      "By HTTP a client gets the format that its Accept header asks for.  The module may\n"
	      "come and go meanwhile: hft_up says whether it is there.  Ends at SIGTERM and\n"
	      "SIGINT; tells systemd that it is ready, lives (WatchdogSec=) and stops.\n"
	      "\n"
	      "Exit status: 0, 1 when it could not begin or print, 2 for wrong usage.\n",
	      out);
}

static int print(struct exporter *exporter, const struct args *args)
{
	struct hft_text text = { .openmetrics = args->openmetrics };
	int status = 0;

	if (args->list)
		collect_list(&text);
	else
		collect(exporter, &text);
	if (text.failed) {
		status = 1;
		fail(ENOMEM, "the metrics");
	} else if (fwrite(text.at, 1, text.nr, stdout) != text.nr || fflush(stdout)) {
		status = 1;
		fail(errno, "standard output");
	}
	hft_text_free(&text);
	return status;
}

/* The reason is printed once, and not again for each time it fails. */
static int save(struct run *run)
{
	struct hft_text text = { .openmetrics = false };
	int err;

	collect(&run->exporter, &text);
	err = hft_text_save(&text, run->args.textfile);
	hft_text_free(&text);
	if (err && !run->failed)
		fail(-err, "%s", run->args.textfile);
	run->failed = err;
	run->written |= !err;
	return err;
}

static void tell_module(struct run *run)
{
	if (run->was_up == run->exporter.up)
		return;
	run->was_up = run->exporter.up;
	sd_notify(0, run->was_up ? "STATUS=hft.ko is loaded." : "STATUS=hft.ko is not loaded.");
}

static int timeout_ms(const struct run *run, uint64_t now)
{
	uint64_t next = run->next < run->alive ? run->next : run->alive;
	int ours = -1, theirs = run->http ? http_timeout_ms(run->http) : -1;

	if (next != NEVER)
		ours = next <= now ? 0 : (int)((next - now + NS_PER_MS - 1) / NS_PER_MS);
	return theirs < 0 || (ours >= 0 && ours < theirs) ? ours : theirs;
}

/* What is due; a file that is late, for the machine slept, is not written twice. */
static void do_due(struct run *run, uint64_t now)
{
	if (run->next <= now) {
		save(run);
		run->next += run->args.interval_ns;
		if (run->next <= now)
			run->next = now + run->args.interval_ns;
	}
	if (run->alive <= now) {
		sd_notify(0, "WATCHDOG=1");
		run->alive = now + run->watchdog_ns;
	}
}

/* Returns 0 at a signal, or a negative errno. */
static int serve(struct run *run)
{
	struct pollfd fds[2] = {
		{ .fd = run->signals, .events = POLLIN },
		{ .fd = run->http ? http_fd(run->http) : -1, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, timeout_ms(run, hft_now())) < 0 && errno != EINTR)
			return fail(errno, "poll");
		if (fds[0].revents)
			return 0;
		do_due(run, hft_now());
		if (run->http)
			http_run(run->http);
		tell_module(run);
	}
}

static int block_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int begin_http(struct run *run)
{
	char name[LISTEN_NAME_SIZE];
	int err, fd = listen_at(run->args.listen);

	if (fd < 0)
		return fd;
	listen_name(fd, name);
	err = http_open(&run->http, &run->exporter, fd);
	if (err)
		close(fd);
	else
		fprintf(stderr, "hft-exporter: listening at %s\n", name);
	return err;
}

static int begin(struct run *run)
{
	uint64_t watchdog_us;
	int err;

	if (run->args.listen) {
		err = begin_http(run);
		if (err)
			return err;
	}
	run->next = NEVER;
	if (run->args.textfile) {
		err = save(run);
		if (err)
			return err;
		run->next = hft_now() + run->args.interval_ns;
	}
	run->alive = NEVER;
	if (sd_watchdog_enabled(0, &watchdog_us) > 0) {
		run->watchdog_ns = watchdog_us * NS_PER_US / 2;
		run->alive = hft_now();
	}
	return 0;
}

static void end(struct run *run)
{
	if (run->http)
		listen_end(run->args.listen);
	http_close(run->http);
	if (run->written)
		unlink(run->args.textfile);
}

static int run_until_signal(struct run *run)
{
	int err;

	run->signals = block_signals();
	if (run->signals < 0)
		return fail(-run->signals, "signals") ? 1 : 0;
	err = begin(run);
	if (!err) {
		module_look(&run->exporter);
		tell_module(run);
		sd_notify(0, "READY=1");
		err = serve(run);
		sd_notify(0, "STOPPING=1");
	}
	end(run);
	close(run->signals);
	return err ? 1 : 0;
}

/* Returns 0, or the status to exit with. */
static int parse_option(int c, const char *text, struct run *run)
{
	uint64_t number;

	switch (c) {
	case 'l':
		run->args.listen = text;
		return 0;
	case 't':
		run->args.textfile = text;
		return 0;
	case 'i':
		if (!parse_number(text, 10, 1, 86400, &number))
			return wrong_usage("--interval takes seconds, 1 to 86400");
		run->args.interval_ns = number * NS_PER_S;
		return 0;
	case 'p':
		run->args.print = true;
		return 0;
	case 'L':
		run->args.list = true;
		return 0;
	case 'f':
		run->args.openmetrics = !strcmp(text, "openmetrics");
		return run->args.openmetrics || !strcmp(text, "text") ? 0 :
		       wrong_usage("--format is text or openmetrics");
	case 'c':
		run->exporter.per_cpu = true;
		return 0;
	case 'r':
		run->exporter.root = text;
		return 0;
	default:
		usage(stderr);
		return 2;
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' },
		{ "textfile", required_argument, NULL, 't' },
		{ "interval", required_argument, NULL, 'i' },
		{ "print", no_argument, NULL, 'p' },
		{ "list", no_argument, NULL, 'L' },
		{ "format", required_argument, NULL, 'f' },
		{ "per-cpu", no_argument, NULL, 'c' },
		{ "root", required_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 }
	};
	struct run run = { .exporter.root = "", .was_up = -1,
			   .args.interval_ns = INTERVAL_S * NS_PER_S };
	int c, ret;

	while ((c = getopt_long(argc, argv, "l:t:i:pLf:cr:h", options, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return 0;
		}
		ret = parse_option(c, optarg, &run);
		if (ret)
			return ret;
	}
	if (optind < argc)
		return wrong_usage("too many arguments");
	if ((run.args.print || run.args.list) && (run.args.listen || run.args.textfile))
		return wrong_usage("--print and --list neither serve nor write a file");
	if (run.args.openmetrics && !run.args.print && !run.args.list)
		return wrong_usage("--format is for --print and --list");
	if (run.args.print || run.args.list)
		return print(&run.exporter, &run.args);
	if (!run.args.listen && !run.args.textfile)
		run.args.listen = LISTEN;
	return run_until_signal(&run);
}
