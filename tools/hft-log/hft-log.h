/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hft-log: each command has a file and an options table of its own, and a line in main.c.
 * A command returns the program's exit status.
 */
#ifndef HFT_LOG_TOOL_H
#define HFT_LOG_TOOL_H

struct option;

/* Exit statuses that the commands have in common. */
enum {
	STATUS_OK,
	STATUS_DAMAGED,		/* something could not be read, or differs, and was told */
	STATUS_USAGE,		/* wrong usage, or nothing could be read or written at all */
	STATUS_TORN,		/* all could be read but the end of a log that was cut off */
};

/**
 * struct log_command - a command of one log
 * @help: how its help is had
 * @letters: its options, as getopt_long() has them
 * @options: likewise; 'h' is help
 * @usage: prints it
 * @take: takes another option.  Returns 0, or the exit status
 */
struct log_command {
	const char *help;
	const char *letters;
	const struct option *options;
	void (*usage)(void);
	int (*take)(int option, void *arg);
};

/* options.c: 0, or the exit status; @log: NULL: there is nothing to be done */
int read_options(const struct log_command *command, int argc, char **argv, void *arg,
		 const char **log);

int cmd_cat(int argc, char **argv);
int cmd_clock(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_follow(int argc, char **argv);
int cmd_kernel(int argc, char **argv);
int cmd_merge(int argc, char **argv);
int cmd_recover(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_repair(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_timeline(int argc, char **argv);
int cmd_unpack(int argc, char **argv);
int cmd_verify(int argc, char **argv);

#endif /* HFT_LOG_TOOL_H */
