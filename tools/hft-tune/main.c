// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-tune: change what costs latency, and put it back. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include <common/tool.h>
#include <cpulist.h>
#include <sysfs.h>

#include "hft-tune.h"

static void usage(void)
{
	printf("Usage: hft-tune [OPTION]... -- COMMAND [ARG]...\n"
	       "       hft-tune [OPTION]... --apply | --dry-run\n"
	       "       hft-tune --restore | --status\n"
	       "Keep this machine away from the CPUs of the workers while COMMAND runs, and restore\n"
	       "everything at its end, also when COMMAND or hft-tune is killed: by a process that\n"
	       "watches it, and if that is killed as well by --restore, for what was there before\n"
	       "each change is noted first, in " STATE_DIR "/state.\n"
	       "\n"
	       "  -c, --cpus LIST    the CPUs of the workers, as 2-5,7 (default: those that are\n"
	       "                     isolated); one of them must be online, and one\n"
	       "                     other\n"
	       "      --only NAME    this setting alone; may be given several times\n"
	       "      --apply        change, and leave it so until --restore or a boot\n"
	       "      --restore      put back what --apply or a run that was killed has changed\n"
	       "      --status       print what is changed\n"
	       "      --dry-run      print each write, and do none\n"
	       "      --root DIR     change the proc and sys below DIR; its state is there too\n"
	       "  -v, --verbose      print each change before COMMAND runs\n"
	       "  -h, --help         this text\n"
	       "\n"
	       "It needs root.  A file that can not be written is named with its reason, and the\n"
	       "rest is done; interrupts that the kernel manages itself can not be moved.\n"
	       "SIGTERM, SIGHUP, SIGINT and SIGQUIT go to COMMAND.  When hft-tune itself is killed\n"
	       "by SIGKILL, COMMAND runs on, on a machine that is as it was.  One hft-tune runs at a\n"
	       "time.  irqbalance may undo irq_affinity: stop it before.\n"
	       "\n"
	       "Settings, by the names that hft-check calls them:\n");
	settings_print();
	printf("\n"
	       "Exit status: with COMMAND its own, 128 + N if signal N ended it, 126 or 127 if it\n"
	       "could not be run, 125 if nothing was done or something could not be restored; else\n"
	       "0, 1 if a file could not be written or, --status, something is changed, 125 for\n"
	       "wrong usage or if nothing was done.\n");
}

enum action { RUN, APPLY, RESTORE, STATUS, DRY_RUN };

struct config {
	enum action action;
	unsigned int actions;
	const char *cpus;
	bool verbose;
};

enum { OPT_ONLY = 256, OPT_ROOT, OPT_ACTION };

static const struct option options[] = {
	{ "cpus", required_argument, NULL, 'c' },
	{ "only", required_argument, NULL, OPT_ONLY },
	{ "root", required_argument, NULL, OPT_ROOT },
	{ "apply", no_argument, NULL, OPT_ACTION + APPLY },
	{ "restore", no_argument, NULL, OPT_ACTION + RESTORE },
	{ "status", no_argument, NULL, OPT_ACTION + STATUS },
	{ "dry-run", no_argument, NULL, OPT_ACTION + DRY_RUN },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static int choose_cpus(struct plan *plan, const char *cpus)
{
	cpu_set_t online;
	int err = hft_read_cpus(plan->root, &plan->others, "/sys/devices/system/cpu/online");

	if (err)
		return fail(-err, "%s/sys/devices/system/cpu/online", plan->root);
	if (!cpus)
		hft_read_cpus(plan->root, &plan->workers, "/sys/devices/system/cpu/isolated");
	else if (!hft_cpulist_parse(cpus, false, &plan->workers))
		return fail(0, "\"%s\" is no list of CPUs such as 2-5,7", cpus);
	if (!CPU_COUNT(&plan->workers))
		return fail(0, cpus ? "no CPU for the workers: see --cpus" :
			    "no CPU is isolated: say which are the workers' by --cpus");
	CPU_AND(&online, &plan->others, &plan->workers);
	if (!CPU_COUNT(&online))
		return fail(0, "no CPU of the workers is online");
	hft_cpus_without(&plan->others, &plan->workers);
	if (!CPU_COUNT(&plan->others))
		return fail(0, "no CPU that is online would be left for all else");
	return 0;
}

static int act(struct plan *plan, const struct config *config, char **command)
{
	int err;

	if (config->action == RESTORE)
		return run_restore(plan->root);
	if (config->action == STATUS)
		return run_status(plan->root);
	if (choose_cpus(plan, config->cpus))
		return EXIT_TUNE;
	err = plan_make(plan);
	if (err == -ENOMEM)
		return EXIT_TUNE;
	if (config->action == DRY_RUN)
		return run_dry(plan);
	if (config->action == APPLY)
		return run_apply(plan, true);
	return run_command(plan, command, config->verbose);
}

static int wrong(const char *text, const char *why)
{
	wrong_usage("%s: %s", text, why);
	return EXIT_TUNE;
}

/* Returns an exit status, or -1 to go on. */
static int take_option(int c, struct plan *plan, struct config *config)
{
	switch (c) {
	case 'c':
		config->cpus = optarg;
		return -1;
	case OPT_ONLY:
		return setting_select(optarg, &plan->only) ? -1 : wrong(optarg, "no such setting");
	case OPT_ROOT:
		plan->root = optarg;
		return -1;
	case 'v':
		config->verbose = true;
		return -1;
	case 'h':
		usage();
		return 0;
	case '?':
		return EXIT_TUNE;
	default:
		config->action = (enum action)(c - OPT_ACTION);
		config->actions++;
		return -1;
	}
}

int main(int argc, char **argv)
{
	struct config config = { .action = RUN };
	struct plan plan = { .root = "" };
	int c, status;

	while ((c = getopt_long(argc, argv, "+c:vh", options, NULL)) != -1) {
		status = take_option(c, &plan, &config);
		if (status >= 0)
			return status;
	}
	if (config.actions > 1)
		return wrong("--apply, --restore, --status, --dry-run", "only one of them");
	if (config.actions && optind < argc)
		return wrong(argv[optind], "unexpected");
	if (!config.actions && optind == argc)
		return wrong("no COMMAND", "nothing to do");
	status = act(&plan, &config, argv + optind);
	plan_free(&plan);
	return status;
}
