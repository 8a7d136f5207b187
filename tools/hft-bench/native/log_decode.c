// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Records to text: hft-log cat and babeltrace2 of the same log, in turns, each a process with
 * its output to /dev/null, as whoever waits for it sees them: by the clock, with as many
 * threads as each takes by itself.  A note says what one thread does, by its time on the CPU.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <hft/hft.h>
#define HFT_LOG_SUBSYSTEM "bench"
#include <hft/log.h>

#include "quantile.h"

#define RECORDS		1000000
#define ROUNDS		5
#define PEER_ROUNDS	3

static void must(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "log_decode: %s: %s\n", what, hft_strerror(err));
	exit(1);
}

static void write_log(const char *dir)
{
	HFT_OPTS(hft_log_store_opts, store, .flags = HFT_LOG_STORE_NO_PACK);
	HFT_OPTS(hft_log_opts, opts, .store = &store, .block_ns = 60000000000ull);
	struct hft_log *log;
	uint32_t i;

	must(hft_log_open(&log, dir, &opts), "a log");
	for (i = 0; i < RECORDS; i++)
		must(hft_log_audit(HFT_LOG_INFO, "number=%lu quantity=%u price=%.2f",
				   100000000000ul + i, i % 1000, 100 + (i % 10000) * 0.01),
		     "a record");
	must(hft_log_close(log), "the log's end");
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Seconds on the CPU; it did not work: -1.  @clock, if any: answered with those by the clock. */
static double run(const char *program, char *const *arguments, double *clock)
{
	double begin = now();
	struct rusage usage;
	int status, null;
	pid_t child = fork();

	if (!child) {
		null = open("/dev/null", O_WRONLY);
		dup2(null, STDOUT_FILENO);
		execvp(program, arguments);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) != child || status)
		return -1;
	if (clock)
		*clock = now() - begin;
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* The tool that was built beside this. */
static const char *tool(void)
{
	static char path[4096 + 32];
	ssize_t length = readlink("/proc/self/exe", path, 4096);
	char *end;

	if (length < 0)
		return "hft-log";
	path[length] = '\0';
	end = strstr(path, "/bench/");
	if (!end)
		return "hft-log";
	strcpy(end, "/tools/hft-log");
	return path;
}

static void measure(char *chunk)
{
	char *const one[] = {
		"hft-log", "cat", "--threads", "1", "--subsystem", "bench", chunk, NULL
	};
	char *const all[] = { "hft-log", "cat", "--subsystem", "bench", chunk, NULL };
	char *const peers[] = { "babeltrace2", chunk, NULL };
	double seconds[ROUNDS], clock[ROUNDS], peer[PEER_ROUNDS], time;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		seconds[i] = run(tool(), one, NULL);
		if (seconds[i] <= 0 || run(tool(), all, &clock[i]) <= 0) {
			printf("skip decode_records_per_s: hft-log cat failed: make tools\n");
			return;
		}
		if (i < PEER_ROUNDS)
			peer[i] = run("babeltrace2", peers, &time) > 0 ? time : -1;
	}
	printf("figure decode_records_per_s %.0f\n", RECORDS / median(clock, ROUNDS));
	printf("note decode_records_per_s: u64, u32 and double, fastest round %.0f\n",
	       RECORDS / quantile(clock, ROUNDS, 0));
	printf("note decode_records_per_s: one thread, of its time on the CPU, %.0f\n",
	       RECORDS / median(seconds, ROUNDS));
	if (quantile(peer, PEER_ROUNDS, 0) > 0)
		printf("peer decode_records_per_s %.0f\n", RECORDS / median(peer, PEER_ROUNDS));
	else
		printf("note decode_records_per_s: no babeltrace2: run 'make deps'\n");
}

int main(void)
{
	char top[] = "/tmp/hft-decode-XXXXXX", dir[64], chunk[96], command[128];

	if (!mkdtemp(top)) {
		perror(top);
		return 1;
	}
	snprintf(dir, sizeof(dir), "%s/log", top);
	snprintf(chunk, sizeof(chunk), "%s/chunk-00000001", dir);
	write_log(dir);
	measure(chunk);
	snprintf(command, sizeof(command), "rm -rf '%s'", top);
	return system(command) ? 1 : 0;
}
