/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * hftctl: what its commands share.  A command makes a JSON value: an object or
 * an array of objects; text is made from that, one line or one column a key.
 */
#ifndef HFTCTL_H
#define HFTCTL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <jansson.h>

#include <common/tool.h>

/* Each returns 0 with a value, or -errno after it has printed the reason. */
int query_read(json_t **value);
int sinks_read(json_t **value);
int stats_read_module(json_t **value);
int stats_read_process(pid_t pid, json_t **value);
int rings_read(json_t **value);
int rules_read(pid_t pid, json_t **value);
int cancel_task(pid_t pid, uint64_t task);

struct analyze_args {
	int policy;			/* enum hft_analyze_policy; -1: none said */
	bool breakdown;
	uint64_t max_steps;		/* 0: as many as the library takes */
};

int analyze_file(const char *path, const struct analyze_args *args, json_t **value);

/* Returns -EINVAL when there is no such policy. */
int analyze_policy(const char *name);

/* Prints each row of a file with what the detector thinks of it. */
int detect_file(const char *path, double scale);

/*
 * hftctl stats, hftctl top; hftctl graph; hftctl topology, hftctl place; hftctl replay: with
 * all of the arguments, options before and after the command.  Each returns the status to
 * exit with.
 */
int stats_main(int argc, char **argv);
int graph_main(int argc, char **argv);
int place_main(int argc, char **argv);
int replay_main(int argc, char **argv);

/* hftctl log.  Likewise. */
int log_main(int argc, char **argv);

/* As JSON or as text, to standard output.  Returns 0, or 1 after it has printed the reason. */
int print(json_t *value, bool json);

/* The width of a column of a table.  Then: was all printed?  As print() returns. */
int column_width(const char *key);
int print_end(void);

/*
 * Call @visit with a duplicate of each descriptor by which a process has a
 * context of /dev/hft.  Ends early when @visit does not return 0, and returns
 * that.  -ESRCH when there is no such process, -ENXIO when it has no context.
 */
int process_visit_contexts(pid_t pid, int (*visit)(int fd, int number, void *arg), void *arg);

/* Call @visit with each number below /proc/PID/fd, or, with @pid 0, each pid. */
int proc_visit_numbers(pid_t pid, int (*visit)(pid_t pid, int number, void *arg), void *arg);

#endif /* HFTCTL_H */
