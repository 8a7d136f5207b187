// SPDX-License-Identifier: LGPL-2.1-or-later
/* How the kernel was built and booted. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "internal.h"

static const char *const costly[] = {
	"CONFIG_KASAN", "CONFIG_KCSAN", "CONFIG_KMSAN", "CONFIG_UBSAN_ALIGNMENT",
	"CONFIG_PROVE_LOCKING", "CONFIG_LOCK_STAT", "CONFIG_DEBUG_LOCK_ALLOC",
	"CONFIG_DEBUG_ATOMIC_SLEEP", "CONFIG_DEBUG_SPINLOCK", "CONFIG_DEBUG_MUTEXES",
	"CONFIG_DEBUG_PREEMPT", "CONFIG_DEBUG_PAGEALLOC_ENABLE_DEFAULT", "CONFIG_SLUB_DEBUG_ON",
	"CONFIG_DEBUG_KMEMLEAK", "CONFIG_DEBUG_OBJECTS", "CONFIG_PREEMPT_TRACER",
	"CONFIG_IRQSOFF_TRACER", "CONFIG_GCOV_PROFILE_ALL",
};

#define NR_COSTLY	(sizeof(costly) / sizeof(costly[0]))

/* Plain or compressed. */
static gzFile open_config(const struct hft_check *c)
{
	char path[PATH_MAX];
	gzFile file = NULL;

	if (snprintf(path, sizeof(path), "%s/proc/config.gz", c->root) < (int)sizeof(path))
		file = gzopen(path, "rbe");
	if (!file && snprintf(path, sizeof(path), "%s/boot/config-%s", c->root, c->release) <
	    (int)sizeof(path))
		file = gzopen(path, "rbe");
	if (!file && snprintf(path, sizeof(path), "%s/lib/modules/%s/config", c->root,
			      c->release) < (int)sizeof(path))
		file = gzopen(path, "rbe");
	return file;
}

static bool is_costly(const char *line)
{
	size_t i, length;

	for (i = 0; i < NR_COSTLY; i++) {
		length = strlen(costly[i]);
		if (!strncmp(line, costly[i], length) && !strncmp(line + length, "=y", 2))
			return true;
	}
	return false;
}

static void check_debug(struct hft_check *c)
{
	char line[512], names[256] = "";
	gzFile file = open_config(c);
	size_t used = 0;

	if (!file) {
		if (hft_path_exists(c->root, "/proc/lockdep_stats"))
			snprintf(names, sizeof(names), " CONFIG_LOCKDEP");
	}
	while (file && gzgets(file, line, sizeof(line))) {
		if (!is_costly(line) || used >= sizeof(names))
			continue;
		used += (size_t)snprintf(names + used, sizeof(names) - used, " %.*s",
					 (int)strcspn(line, "="), line);
	}
	if (file)
		gzclose(file);
	if (!names[0]) {
		say(c, file ? HFT_CHECK_OK : HFT_CHECK_NOTE, file ?
		    "the kernel was built without costly checks" :
		    "how the kernel was built is not known: there is no /proc/config.gz and no /boot/config-%s",
		    c->release);
		return;
	}
	say(c, HFT_CHECK_FAIL, "the kernel was built with%s", names);
	say_cost(c, "lib/Kconfig.debug, lib/Kconfig.kasan",
		 "each lock or each access to memory is checked: the kernel takes several times as long");
	say_lasting(c, "boot a kernel without them");
}

static bool count_mitigation(void *arg, const char *name)
{
	void **args = arg;
	struct hft_check *c = args[0];
	char line[256];

	if (!hft_read_line(c->root, line, sizeof(line),
			   "/sys/devices/system/cpu/vulnerabilities/%s", name) &&
	    !strncmp(line, "Mitigation", 10))
		++*(unsigned int *)args[1];
	return true;
}

static void check_mitigations(struct hft_check *c)
{
	unsigned int nr = 0;
	void *args[] = { c, &nr };

	hft_for_each_entry(c->root, "/sys/devices/system/cpu/vulnerabilities", count_mitigation,
			   args);
	if (!nr) {
		say(c, HFT_CHECK_OK, "no vulnerability of the CPU is mitigated");
	} else {
		say(c, HFT_CHECK_NOTE, "%u vulnerabilities of the CPU are mitigated", nr);
		say_lasting(c, "boot with mitigations=off, where no code of others runs");
	}
	if (c->measured.have & MEASURE_SYSCALL)
		say_measured(c, c->measured.syscall_ns, "the shortest system call takes %llu ns",
			     (unsigned long long)c->measured.syscall_ns);
	else if (nr)
		say_cost(c, "Documentation/admin-guide/hw-vuln/",
			 "more instructions at each system call, interrupt and switch");
}

static void check_lockdown(struct hft_check *c)
{
	char line[64];

	if (hft_read_line(c->root, line, sizeof(line), "/sys/kernel/security/lockdown")) {
		say(c, HFT_CHECK_OK, "the kernel is not locked down");
		return;
	}
	hft_chosen_word(line);
	if (!strcmp(line, "none")) {
		say(c, HFT_CHECK_OK, "the kernel is not locked down");
		return;
	}
	say(c, HFT_CHECK_NOTE, "the kernel is locked down: %s", line);
	say_cost(c, "kernel_lockdown(7)",
		 "hft.ko must be signed, and debugfs, which has the fair server, can not be written");
	say_lasting(c, "sign hft.ko and enrol its key by mokutil, or turn Secure Boot off");
}

/* What is missing of the line that the other checks ask for, in one piece. */
static void check_cmdline(struct hft_check *c)
{
	static const char *const names[] = { "isolcpus", "nohz_full", "rcu_nocbs", "irqaffinity" };
	char text[CHECK_TEXT] = "";
	size_t i, used = 0;

	for (i = 0; i < sizeof(names) / sizeof(names[0]) && used < sizeof(text); i++) {
		if (has_boot_option(c, names[i]))
			continue;
		used += (size_t)snprintf(text + used, sizeof(text) - used, " %s=%s%s", names[i],
					 i ? "" : "managed_irq,domain,", i == 3 ? c->other_list : c->named);
	}
	if (cpu_flag(c, "tsc") && !has_boot_option(c, "tsc") && used < sizeof(text))
		used += (size_t)snprintf(text + used, sizeof(text) - used, " tsc=reliable");
	if (!used) {
		say(c, HFT_CHECK_OK, "the command line isolates CPUs");
		return;
	}
	say(c, HFT_CHECK_NOTE, "the kernel's command line lacks%s", text);
	say_lasting(c, "add it to GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub and boot");
}

const struct hft_check_entry hft_checks_kernel[] = {
	{ "debug", check_debug, 0 },
	{ "mitigations", check_mitigations, MEASURE_SYSCALL },
	{ "lockdown", check_lockdown, 0 },
	{ "cmdline", check_cmdline, 0 },
	{ NULL, NULL, 0 }
};
