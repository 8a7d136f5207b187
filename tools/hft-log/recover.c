// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log recover: what a process that was killed has left in its rings comes to its log. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <common/tool.h>
#include <hft/hft.h>
#include <hft/log.h>

#include "hft-log.h"

struct recover {
	struct hft_log_store_opts store;
	const char *rings;		/* where folders of rings are; NULL: the default */
	bool list;
	bool remove;
	bool told;			/* of something that is not in the log */
	unsigned int found;
	int status;
};

static const struct option options[] = {
	{ "key", required_argument, NULL, 'k' },
	{ "list", no_argument, NULL, 'l' },
	{ "remove", no_argument, NULL, 'R' },
	{ "rings", required_argument, NULL, 'r' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void usage(void)
{
	fputs("Usage: hft-log recover [--key FILE] LOG...\n"
	      "       hft-log recover --list|--remove [--rings FOLDER]\n"
	      "Write what a process that was killed has left in its rings to its LOG, and remove\n"
	      "the rings.  Chunks that it left without a seal are repaired first.\n"
	      "\n"
	      "  -k, --key FILE      sign the seals with this private Ed25519 key, of a PEM file: a\n"
	      "                      LOG whose seals are signed is not recovered without\n"
	      "  -l, --list          show rings whose process has ended, and whose they are\n"
	      "      --remove        remove those whose LOG is gone, which are named; what they\n"
	      "                      have is lost.  A LOG on a disk that is not mounted is gone, too\n"
	      "      --rings FOLDER  where folders of rings are (/dev/shm)\n"
	      "  -h, --help          this text\n"
	      "\n"
	      "A line of --list: left, gone, or ? where it is not known; the folder of the rings,\n"
	      "how many, bytes in them that may not be in the LOG, the process, and the LOG.\n"
	      "\n"
	      "A program that opens its LOG again recovers it first.\n"
	      "\n"
	      "Exit status: 0: done, also if there was nothing to do; 1: a LOG's process lives, or\n"
	      "its rings are not to be seen here, or one could not be read to its end and is kept in\n"
	      "the LOG; 2: wrong usage, or files could not be read or written.\n", stdout);
}

static void hear(void *arg, enum hft_log_store_event event, int err, const char *text)
{
	struct recover *recover = arg;

	(void)err;
	if (event == HFT_LOG_STORE_WELL)
		return;
	recover->told = true;
	fail(0, "%s", text);
}

struct sum {
	uint64_t rings;
	uint64_t bytes;
};

static int add_ring(void *arg, const struct hft_log_ring_info *ring)
{
	struct sum *sum = arg;

	sum->rings++;
	sum->bytes += ring->used_bytes;
	return 0;
}

static int status_of(int err)
{
	return err == -EBUSY || err == -ENXIO || err == -EPERM ? STATUS_DAMAGED : STATUS_USAGE;
}

static int recover_log(struct recover *recover, const char *log)
{
	HFT_OPTS(hft_log_info, info);
	struct sum sum = {};
	int err = hft_log_look(log, &info);

	if (!err && info.state == HFT_LOG_LEFT)
		err = hft_log_rings(log, add_ring, &sum);
	if (!err)
		err = hft_log_recover(log, &recover->store);
	if (err) {
		fail_hft(err, log);
		return status_of(err);
	}
	print_clean(stdout, log);
	if (info.state == HFT_LOG_LEFT) {
		printf(": recovered %" PRIu64 " rings of process %u (", sum.rings, info.pid);
		print_clean(stdout, info.program);
		printf("), with up to %" PRIu64 " bytes that were not in files\n", sum.bytes);
	} else {
		puts(info.state == HFT_LOG_GONE ?
		     ": its rings have gone with the machine, which was switched off" :
		     ": nothing was left");
	}
	return recover->told ? STATUS_DAMAGED : STATUS_OK;
}

static int recover_logs(struct recover *recover, char *const *logs, int nr)
{
	int i, status, worst = STATUS_OK;

	for (i = 0; i < nr; i++) {
		status = recover_log(recover, logs[i]);
		if (status > worst)
			worst = status;
	}
	return worst;
}

static const char *state_of(const struct hft_log_left_info *info)
{
	return !info->dir ? "?" : info->state == HFT_LOG_GONE ? "gone" : "left";
}

static void print_left(const struct hft_log_left_info *info)
{
	printf("%s ", state_of(info));
	print_clean(stdout, info->ring_dir);
	printf(" %u rings %" PRIu64 " bytes process %u ", info->rings, info->used_bytes, info->pid);
	print_clean(stdout, info->dir ? info->dir : "?");
	putchar('\n');
}

static int show_left(void *arg, const struct hft_log_left_info *info)
{
	struct recover *recover = arg;
	int err;

	if (recover->list) {
		print_left(info);
		return 0;
	}
	if (!info->dir || info->state != HFT_LOG_GONE)
		return 0;
	err = hft_log_left_remove(info->ring_dir);
	if (err) {
		fail_hft(err, NULL);
		recover->status = STATUS_USAGE;
		return 0;
	}
	fputs("removed ", stdout);
	print_left(info);
	return 0;
}

static int show_all(struct recover *recover)
{
	int err = hft_log_left(recover->rings, show_left, recover);

	if (!err)
		return recover->status;
	fail_hft(err, NULL);
	return STATUS_USAGE;
}

static int check(const struct recover *recover, int logs)
{
	bool looks = recover->list || recover->remove;

	if (recover->list && recover->remove)
		return wrong_usage("--list or --remove");
	if (looks && logs)
		return wrong_usage("--list and --remove are of all rings, not of a log's");
	if (looks && recover->store.key_file)
		return wrong_usage("--key is for the seals of a log");
	if (!looks && recover->rings)
		return wrong_usage("--rings goes with --list or --remove: a log knows its own");
	return looks || logs ? 0 : wrong_usage("which log?");
}

int cmd_recover(int argc, char **argv)
{
	struct recover recover = { .store = { .sz = sizeof(recover.store), .notify = hear } };
	int option, status;

	tool_help = "hft-log recover --help";
	recover.store.notify_arg = &recover;
	while ((option = getopt_long(argc, argv, "k:lh", options, NULL)) != -1) {
		switch (option) {
		case 'k':
			recover.store.key_file = optarg;
			break;
		case 'l':
			recover.list = true;
			break;
		case 'R':
			recover.remove = true;
			break;
		case 'r':
			recover.rings = optarg;
			break;
		case 'h':
			usage();
			return STATUS_OK;
		default:
			return wrong_usage("no such option");
		}
	}
	status = check(&recover, argc - optind);
	if (status)
		return status;
	if (recover.list || recover.remove)
		return show_all(&recover);
	return recover_logs(&recover, &argv[optind], argc - optind);
}
