// SPDX-License-Identifier: LGPL-2.1-or-later
/* What stops a thread at its memory: faults that others cause. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

/* A sysctl or the like that is best at zero. */
static void check_zero(struct hft_check *c, const char *path, const char *is_off,
		       enum hft_severity severity, const char *is_on)
{
	long long value;
	int err = hft_read_number(c->root, &value, "%s", path);

	if (err && err != -ENOENT) {
		say_unread(c, err, path, is_off);
		return;
	}
	if (err || !value) {
		say(c, HFT_CHECK_OK, "%s", is_off);
		return;
	}
	say(c, severity, "%s", is_on);
	say_fix(c, "echo 0 > %s", path);
}

static void check_thp(struct hft_check *c)
{
	char enabled[64], defrag[64] = "";
	int err = hft_read_line(c->root, enabled, sizeof(enabled), SYS_THP "enabled");

	if (err) {
		say_unread(c, err, "transparent huge pages", "this kernel has no transparent huge pages");
		return;
	}
	if (!hft_read_line(c->root, defrag, sizeof(defrag), SYS_THP "defrag"))
		hft_chosen_word(defrag);
	hft_chosen_word(enabled);
	if (strcmp(enabled, "always") || !strcmp(defrag, "never")) {
		say(c, HFT_CHECK_OK, "huge pages are made for who asks: enabled %s, defrag %s",
		    enabled, defrag);
		return;
	}
	say(c, HFT_CHECK_WARN, "huge pages are made for all: enabled %s, defrag %s", enabled, defrag);
	say_cost(c, "Documentation/admin-guide/mm/transhuge.rst",
		 "khugepaged moves pages under running threads, and a fault may clear or compact 2 MiB");
	say_fix(c, "echo madvise > " SYS_THP "enabled");
	say_lasting(c, "boot with transparent_hugepage=madvise");
}

static void check_ksm(struct hft_check *c)
{
	check_zero(c, SYS_KSM "run", "equal pages are not merged", HFT_CHECK_WARN,
		   "equal pages are merged by ksmd");
	if (c->finding.severity != HFT_CHECK_WARN)
		return;
	say_cost(c, "Documentation/admin-guide/mm/ksm.rst",
		 "a store to a merged page is a fault and a copy of a page; ksmd takes its CPU");
	say_lasting(c, "systemctl disable ksm ksmtuned");
}

static void check_swap(struct hft_check *c)
{
	char text[1024];
	int length = hft_read_text(c->root, text, sizeof(text), "/proc/swaps");
	const char *second = length > 0 ? strchr(text, '\n') : NULL;

	if (!second || !second[1]) {
		say(c, HFT_CHECK_OK, "there is no swap");
		return;
	}
	say(c, HFT_CHECK_WARN, "there is swap: %.*s", (int)strcspn(second + 1, " \t\n"), second + 1);
	say_cost(c, "mlock(2)",
		 "a touch of a page that is out is a read of a disk, 0.1 to 10 ms; of locked memory none");
	say_fix(c, "swapoff -a");
	say_lasting(c, "take it out of /etc/fstab, or mlockall(2) in the application");
}

static void check_numa_balancing(struct hft_check *c)
{
	check_zero(c, SYSCTL_KERNEL "numa_balancing", "pages are not moved between nodes",
		   HFT_CHECK_WARN, "pages are moved between nodes by who touches them");
	if (c->finding.severity != HFT_CHECK_WARN)
		return;
	say_cost(c, "Documentation/admin-guide/sysctl/kernel.rst",
		 "it unmaps pages to see who touches them: faults of some us, and copies");
	say_lasting(c, "echo kernel.numa_balancing=0 >> /etc/sysctl.d/60-hft.conf");
}

static void check_compaction(struct hft_check *c)
{
	check_zero(c, SYSCTL_VM "compaction_proactiveness", "memory is not compacted ahead",
		   HFT_CHECK_NOTE, "memory is compacted ahead of need");
	if (c->finding.severity != HFT_CHECK_NOTE)
		return;
	say_cost(c, "Documentation/admin-guide/sysctl/vm.rst",
		 "pages move under running threads, which fault until they have");
	say_lasting(c, "echo vm.compaction_proactiveness=0 >> /etc/sysctl.d/60-hft.conf");
}

static void check_zone_reclaim(struct hft_check *c)
{
	check_zero(c, SYSCTL_VM "zone_reclaim_mode", "a node that is full takes from others",
		   HFT_CHECK_WARN, "a node that is full frees its own memory first");
	if (c->finding.severity != HFT_CHECK_WARN)
		return;
	say_cost(c, "Documentation/admin-guide/sysctl/vm.rst",
		 "an allocation may wait for that, ms");
	say_lasting(c, "echo vm.zone_reclaim_mode=0 >> /etc/sysctl.d/60-hft.conf");
}

static void check_vmstat(struct hft_check *c)
{
	long long interval;
	int err = hft_read_number(c->root, &interval, SYSCTL_VM "stat_interval");

	if (err || interval > 10) {
		say(c, HFT_CHECK_OK, "statistics of memory are gathered rarely");
		return;
	}
	say(c, HFT_CHECK_NOTE, "each CPU gathers statistics of memory each %lld s", interval);
	say_cost(c, "Documentation/admin-guide/kernel-per-CPU-kthreads.rst",
		 "a kernel thread on a worker's CPU, some us");
	say_fix(c, "sysctl vm.stat_interval=%d", VMSTAT_S);
	say_lasting(c, "echo vm.stat_interval=%d >> /etc/sysctl.d/60-hft.conf", VMSTAT_S);
}

const struct hft_check_entry hft_checks_memory[] = {
	{ "thp", check_thp, 0 },
	{ "ksm", check_ksm, 0 },
	{ "swap", check_swap, 0 },
	{ "numa_balancing", check_numa_balancing, 0 },
	{ "compaction", check_compaction, 0 },
	{ "zone_reclaim", check_zone_reclaim, 0 },
	{ "vmstat", check_vmstat, 0 },
	{ NULL, NULL, 0 }
};
