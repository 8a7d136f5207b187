// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log: read and check logs. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <common/tool.h>

#include "hft-log.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
} commands[] = {
	{ "cat", cmd_cat, "print records, in the order of time" },
	{ "follow", cmd_follow, "print records as they are written" },
	{ "stat", cmd_stat, "count records, rates, losses and gaps" },
	{ "kernel", cmd_kernel, "write the kernel's own events to a log" },
	{ "merge", cmd_merge, "make one log of many, of threads and hosts" },
	{ "diff", cmd_diff, "find where two logs part" },
	{ "verify", cmd_verify, "find what was changed since a log was written" },
	{ "recover", cmd_recover, "write what a process that was killed has left to its log" },
	{ "repair", cmd_repair, "keep and seal what a crash has left of a log" },
	{ "unpack", cmd_unpack, "copy a compressed log for other readers of CTF" },
	{ "clock", cmd_clock, "show what the times of a log are worth" },
	{ "timeline", cmd_timeline, "draw what workers have run, and when" },
	{ "export", cmd_export, "write a trace that ui.perfetto.dev opens" },
	{ "report", cmd_report, "make a regulator's view of trading decisions" },
};

#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

static void usage(FILE *to)
{
	size_t i;

	fputs("Usage: hft-log COMMAND [OPTION]... LOG...\n"
	      "Read what programs logged by hft/log.h, and log the kernel's events.\n"
	      "\n", to);
	for (i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-10s%s\n", commands[i].name, commands[i].summary);
	fputs("\n"
	      "LOG is the folder of a log, of one of its chunks, or a stream's file in a chunk.\n"
	      "hft-log COMMAND --help tells the rest.\n"
	      "\n"
	      "Exit status: 0, 1 if something in a log could not be read and was told of, 2 for\n"
	      "wrong usage or a log that can not be read at all, 3 if no more than the end of a log\n"
	      "is missing, which its writer did not write in whole.\n", to);
}

/* What was to be printed and did not get there is no success. */
static int finish(int status)
{
	if (status == STATUS_USAGE)
		return status;
	errno = 0;
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	fail(errno ? errno : EIO, "standard output");
	return STATUS_USAGE;
}

int main(int argc, char **argv)
{
	size_t i;

	tool_help = "hft-log --help";
	if (argc < 2) {
		usage(stderr);
		return STATUS_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		usage(stdout);
		return finish(STATUS_OK);
	}
	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name))
			continue;
		argv[1] = argv[0];	/* getopt's messages begin with it */
		return finish(commands[i].run(argc - 1, argv + 1));
	}
	return wrong_usage("no command %s", argv[1]);
}
