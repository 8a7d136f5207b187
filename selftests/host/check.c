// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/*
 * hft_check_run() on the files of a machine where all is well, and on those of machines
 * where one thing is not; and what it measures here.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <hft/check.h>
#include <hft/hft.h>

#include "tree.h"

#define CPU	"/sys/devices/system/cpu/"
#define SOURCE	"/sys/devices/system/clocksource/clocksource0/"
#define KERNEL	"/proc/sys/kernel/"
#define BOOT	"isolcpus=managed_irq,domain,2-3 nohz_full=2-3 rcu_nocbs=2-3 irqaffinity=0-1 "
#define STATUS(cpus, caps)	"Name:\tx\nCapEff:\t" caps "\nCpus_allowed_list:\t" cpus "\n"
#define MASK_OTHERS	"3\n"
#define ROOT_CAPS	"000001ffffffffff"
#define NO_CAPS		"0000000000000000"

/* Four CPUs, of which 2 and 3 are the workers'. */
static const struct tree_file good[] = {
	{ "/proc/cmdline", "ro " BOOT "tsc=reliable psi=0\n" },
	{ "/proc/cpuinfo", "processor\t: 0\nflags\t\t: fpu tsc constant_tsc nonstop_tsc pdpe1gb\n" },
	{ "/proc/version", "Linux version 6.12.0 SMP PREEMPT_RT\n" },
	{ "/proc/swaps", "Filename Type Size Used Priority\n" },
	{ "/proc/self/status", STATUS("0-3", ROOT_CAPS) },
	{ "/proc/self/limits", "Limit  Soft Limit  Hard Limit  Units\n"
	  "Max locked memory         8388608              8388608              bytes\n"
	  "Max realtime priority     0                    0\n" },
	{ "/proc/self/timerslack_ns", "1\n" },
	{ "/proc/17/comm", "bash\n" },
	{ "/proc/irq/default_smp_affinity", MASK_OTHERS },
	{ "/proc/irq/24/smp_affinity_list", "0-3\n" },
	{ "/proc/irq/24/effective_affinity_list", "1\n" },
	{ "/proc/irq/24/eth0/x", "" },
	{ "/proc/irq/25/smp_affinity_list", "2\n" },
	{ "/proc/irq/25/spurious", "" },
	{ KERNEL "osrelease", "6.12.0-test\n" },
	{ KERNEL "sched_rt_runtime_us", "-1\n" },
	{ KERNEL "sched_rt_period_us", "1000000\n" },
	{ KERNEL "timer_migration", "0\n" },
	{ KERNEL "watchdog", "1\n" },
	{ KERNEL "watchdog_cpumask", "0-1\n" },
	{ KERNEL "nmi_watchdog", "0\n" },
	{ KERNEL "numa_balancing", "0\n" },
	{ KERNEL "perf_event_paranoid", "2\n" },
	{ KERNEL "io_uring_disabled", "0\n" },
	{ "/proc/sys/vm/compaction_proactiveness", "0\n" },
	{ "/proc/sys/vm/zone_reclaim_mode", "0\n" },
	{ "/proc/sys/vm/stat_interval", "120\n" },
	{ "/sys/kernel/debug/sched/fair_server/cpu2/runtime", "0\n" },
	{ "/sys/kernel/debug/sched/fair_server/cpu3/runtime", "0\n" },
	{ "/sys/kernel/debug/sched/fair_server/cpu3/period", "1000000000\n" },
	{ "/sys/kernel/tracing/current_tracer", "nop\n" },
	{ "/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never\n" },
	{ "/sys/kernel/mm/transparent_hugepage/defrag", "always defer [madvise] never\n" },
	{ "/sys/kernel/mm/ksm/run", "0\n" },
	{ "/sys/kernel/security/lockdown", "[none] integrity confidentiality\n" },
	{ "/sys/devices/virtual/workqueue/cpumask", MASK_OTHERS },
	{ "/sys/bus/event_source/devices/cpu/rdpmc", "1\n" },
	{ "/sys/module/hft/parameters/max_tasks", "65536\n" },
	{ "/sys/module/hft/srcversion", "ABCDEF\n" },
	{ "/dev/hft", "" },
	{ "/boot/config-6.12.0-test", "CONFIG_SMP=y\n# CONFIG_KASAN is not set\n" },
	{ SOURCE "current_clocksource", "tsc\n" },
	{ SOURCE "available_clocksource", "tsc hpet acpi_pm\n" },
	{ CPU "online", "0-3\n" },
	{ CPU "isolated", "2-3\n" },
	{ CPU "nohz_full", "2-3\n" },
	{ CPU "vulnerabilities/meltdown", "Not affected\n" },
	{ CPU "vulnerabilities/old_microcode", "Not affected\n" },
	{ CPU "intel_pstate/no_turbo", "1\n" },
	{ CPU "cpu2/cpufreq/scaling_governor", "performance\n" },
	{ CPU "cpu3/cpufreq/scaling_governor", "performance\n" },
	{ CPU "cpu2/topology/thread_siblings_list", "2\n" },
	{ CPU "cpu3/topology/thread_siblings_list", "3\n" },
	{ CPU "cpu3/cpuidle/state0/name", "POLL\n" },
	{ CPU "cpu3/cpuidle/state0/latency", "0\n" },
	{ CPU "cpu3/cpuidle/state1/name", "C1\n" },
	{ CPU "cpu3/cpuidle/state1/latency", "2\n" },
	{ CPU "cpu3/cpuidle/state2/name", "C6\n" },
	{ CPU "cpu3/cpuidle/state2/latency", "133\n" },
	{ CPU "cpu3/cpuidle/state2/disable", "1\n" },
};

/* One thing that is not well there: what is said of it. */
static const struct wrong {
	struct tree_file file;
	const char *name;
	enum hft_severity severity;
	const char *what;
} wrongs[] = {
	{ { SOURCE "current_clocksource", "hpet\n" }, "clocksource", HFT_CHECK_FAIL, "hpet" },
	{ { SOURCE "current_clocksource", "kvm-clock\n" }, "clocksource", HFT_CHECK_WARN, "kvm-clock" },
	{ { SOURCE "available_clocksource", "hpet acpi_pm\n" }, "tsc", HFT_CHECK_FAIL, "unstable" },
	{ { "/proc/cpuinfo", "flags : tsc constant_tsc\n" }, "tsc", HFT_CHECK_WARN, "nonstop_tsc" },
	{ { "/proc/cmdline", BOOT "\n" }, "tsc_watchdog", HFT_CHECK_NOTE, "watchdog" },
	{ { "/proc/cmdline", "highres=off\n" }, "highres", HFT_CHECK_FAIL, "no high resolution" },
	{ { CPU "online", "0-2\n" }, "online", HFT_CHECK_FAIL, "CPUs 3 are offline" },
	{ { "/proc/self/status", STATUS("0-2", ROOT_CAPS) }, "cpuset", HFT_CHECK_NOTE, "out CPUs 3" },
	{ { CPU "online", "2-3\n" }, "housekeeping", HFT_CHECK_FAIL, "none is left" },
	{ { CPU "isolated", "2\n" }, "isolcpus", HFT_CHECK_WARN, "CPUs 3 are not isolated" },
	{ { CPU "isolated", "\n" }, "isolcpus", HFT_CHECK_WARN, "no CPU is isolated" },
	{ { CPU "nohz_full", "(null)\n" }, "nohz_full", HFT_CHECK_WARN, "CPUs 2-3 have" },
	{ { CPU "nohz_full", NULL }, "nohz_full", HFT_CHECK_NOTE, "no nohz_full" },
	{ { "/proc/irq/24/effective_affinity_list", "3\n" }, "irq_affinity", HFT_CHECK_WARN,
	  "1 of 1 interrupts come to CPUs 2-3: 24 eth0" },
	{ { "/proc/irq/24/effective_affinity_list", NULL }, "irq_affinity", HFT_CHECK_WARN, "24 eth0" },
	{ { "/proc/irq/default_smp_affinity", "f\n" }, "irq_default", HFT_CHECK_NOTE, "new interrupts" },
	{ { "/proc/17/comm", "irqbalance\n" }, "irqbalance", HFT_CHECK_WARN, "irqbalance moves" },
	{ { "/sys/devices/virtual/workqueue/cpumask", "ffffffff,0000000f\n" }, "workqueue",
	  HFT_CHECK_WARN, "unbound work may run on CPUs 2-3" },
	{ { CPU "cpu3/cpuidle/state2/disable", "0\n" }, "cstates", HFT_CHECK_WARN, "CPUs 3 may go to C6" },
	{ { CPU "cpu2/cpufreq/scaling_governor", "powersave\n" }, "governor", HFT_CHECK_WARN,
	  "CPUs 2 is governed by powersave" },
	{ { CPU "intel_pstate/no_turbo", "0\n" }, "turbo", HFT_CHECK_NOTE, "boost" },
	{ { KERNEL "sched_rt_runtime_us", "950000\n" }, "rt_throttling", HFT_CHECK_WARN,
	  "950000 us of each 1000000 us" },
	{ { "/sys/kernel/debug/sched/fair_server/cpu3/runtime", "50000000\n" }, "fair_server",
	  HFT_CHECK_WARN, "50000000 ns of each 1000000000 ns" },
	{ { "/sys/kernel/debug/sched/fair_server/cpu2/runtime", NULL }, "fair_server",
	  HFT_CHECK_NOTE, "could not be read" },
	{ { "/proc/version", "Linux version 6.1 SMP\n" }, "preemption", HFT_CHECK_WARN, "voluntary" },
	{ { "/proc/version", "Linux version 6.1 SMP PREEMPT_DYNAMIC\n" }, "preemption",
	  HFT_CHECK_NOTE, "dynamic" },
	{ { "/proc/self/timerslack_ns", "50000\n" }, "timer_slack", HFT_CHECK_NOTE, "50000 ns" },
	{ { KERNEL "timer_migration", "1\n" }, "timer_migration", HFT_CHECK_NOTE, "to CPUs 2-3" },
	{ { KERNEL "watchdog_cpumask", "0-3\n" }, "watchdog", HFT_CHECK_WARN, "CPUs 2-3" },
	{ { "/proc/pressure/cpu", "some\n" }, "psi", HFT_CHECK_NOTE, "is on" },
	{ { "/sys/kernel/tracing/current_tracer", "function\n" }, "tracing", HFT_CHECK_WARN, "function" },
	{ { "/sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n" }, "thp",
	  HFT_CHECK_WARN, "enabled always, defrag madvise" },
	{ { "/sys/kernel/mm/ksm/run", "1\n" }, "ksm", HFT_CHECK_WARN, "ksmd" },
	{ { "/proc/swaps", "Filename\n/dev/sda2 partition 1 0 -2\n" }, "swap", HFT_CHECK_WARN, "/dev/sda2" },
	{ { KERNEL "numa_balancing", "1\n" }, "numa_balancing", HFT_CHECK_WARN, "between nodes" },
	{ { "/proc/sys/vm/compaction_proactiveness", "20\n" }, "compaction", HFT_CHECK_NOTE, "ahead" },
	{ { "/proc/sys/vm/zone_reclaim_mode", "1\n" }, "zone_reclaim", HFT_CHECK_WARN, "own memory" },
	{ { "/proc/sys/vm/stat_interval", "1\n" }, "vmstat", HFT_CHECK_NOTE, "each 1 s" },
	{ { "/proc/self/status", STATUS("0-3", NO_CAPS) }, "memlock", HFT_CHECK_WARN, "8388608 bytes" },
	{ { "/proc/self/status", STATUS("0-3", NO_CAPS) }, "rtprio", HFT_CHECK_WARN, "RLIMIT_RTPRIO is 0" },
	{ { "/sys/bus/event_source/devices/cpu/rdpmc", "0\n" }, "rdpmc", HFT_CHECK_NOTE, "may not" },
	{ { KERNEL "perf_event_paranoid", "3\n" }, "perf_paranoid", HFT_CHECK_NOTE, "paranoid 3" },
	{ { KERNEL "nmi_watchdog", "1\n" }, "nmi_watchdog", HFT_CHECK_WARN, "is on" },
	{ { "/boot/config-6.12.0-test", "CONFIG_KASAN=y\nCONFIG_KASAN_INLINE=y\n" }, "debug",
	  HFT_CHECK_FAIL, "built with CONFIG_KASAN" },
	{ { "/boot/config-6.12.0-test", NULL }, "debug", HFT_CHECK_NOTE, "not known" },
	{ { CPU "vulnerabilities/meltdown", "Mitigation: PTI\n" }, "mitigations", HFT_CHECK_NOTE, "1 vuln" },
	{ { "/sys/kernel/security/lockdown", "none [integrity] confidentiality\n" }, "lockdown",
	  HFT_CHECK_NOTE, "integrity" },
	{ { "/proc/cmdline", "isolcpus=2-3 tsc=reliable\n" }, "cmdline", HFT_CHECK_NOTE,
	  "lacks nohz_full=2-3 rcu_nocbs=2-3 irqaffinity=0-1" },
	{ { CPU "cpu2/topology/thread_siblings_list", "0,2\n" }, "smt", HFT_CHECK_WARN, "with CPUs 0" },
	{ { "/proc/cpuinfo", "flags : tsc hypervisor\n" }, "hypervisor", HFT_CHECK_WARN, "virtual" },
	{ { CPU "vulnerabilities/old_microcode", "Vulnerable\n" }, "microcode", HFT_CHECK_NOTE, "old" },
	{ { "/sys/module/hft/parameters/max_tasks", NULL }, "module", HFT_CHECK_WARN, "not loaded" },
	{ { "/dev/hft", NULL }, "device", HFT_CHECK_FAIL, "can not be opened" },
	{ { KERNEL "io_uring_disabled", "2\n" }, "io_uring", HFT_CHECK_WARN, "disabled" },
};

#define NR(array)	(sizeof(array) / sizeof((array)[0]))
#define WORKERS		"2-3"

struct seen {
	const struct wrong *wrong;	/* NULL: nothing may be */
	unsigned int nr;
	bool found;
};

static void see(void *arg, const struct hft_check_finding *finding)
{
	struct seen *seen = arg;

	seen->nr++;
	assert_non_null(finding->topic);
	assert_true(strlen(finding->what) > 5);
	assert_int_equal(!finding->cost, !finding->source);
	assert_int_equal(finding->cost_ns, 0);
	if (finding->severity >= HFT_CHECK_WARN) {
		if (!finding->fix && !finding->lasting)
			fail_msg("%s: nothing mends it", finding->name);
	}
	if (!seen->wrong) {
		if (finding->severity != HFT_CHECK_OK)
			fail_msg("%s: %s", finding->name, finding->what);
		return;
	}
	if (strcmp(finding->name, seen->wrong->name))
		return;
	seen->found = true;
	if (finding->severity != seen->wrong->severity ||
	    !strstr(finding->what, seen->wrong->what))
		fail_msg("%s is %s: %s", finding->name, hft_severity_name(finding->severity),
			 finding->what);
}

static int run(const char *root, struct seen *seen)
{
	HFT_OPTS(hft_check_opts, opts, .root = root, .cpus = WORKERS);

	return hft_check_run(&opts, see, seen);
}

static void test_all_is_well(void **state)
{
	struct seen seen = { 0 };
	char root[32];

	(void)state;
	tree_make(root, good, NR(good));
	assert_int_equal(run(root, &seen), HFT_CHECK_OK);
	assert_true(seen.nr > 40);
	tree_remove(root);
}

static void test_each_thing_that_is_wrong(void **state)
{
	struct seen seen;
	char root[32];
	size_t i;

	(void)state;
	for (i = 0; i < NR(wrongs); i++) {
		seen = (struct seen){ .wrong = &wrongs[i] };
		tree_make(root, good, NR(good));
		tree_put(root, wrongs[i].file.path, wrongs[i].file.text);
		assert_true(run(root, &seen) >= (int)wrongs[i].severity);
		if (!seen.found)
			fail_msg("%s is not said", wrongs[i].name);
		tree_remove(root);
	}
}

static void count(void *arg, const struct hft_check_finding *finding)
{
	++((unsigned int *)arg)[finding->severity];
}

/* Nothing but the one file that it can not do without, and files of noise. */
static void test_files_that_are_missing_or_noise(void **state)
{
	HFT_OPTS(hft_check_opts, opts, .flags = 0);
	static char noise[20000];
	unsigned int seen[4];
	char root[32];
	size_t i;

	(void)state;
	tree_make(root, NULL, 0);
	opts.root = root;
	assert_int_equal(hft_check_run(&opts, count, seen), -ENOENT);
	memset(noise, '7', sizeof(noise) - 1);
	for (i = 0; i < NR(good); i++)
		tree_put(root, good[i].path, i % 3 ? noise : "\x01,--[\n(");
	tree_put(root, CPU "online", "0-3\n");
	memset(seen, 0, sizeof(seen));
	assert_true(hft_check_run(&opts, count, seen) >= 0);
	tree_remove(root);

	tree_make(root, NULL, 0);
	tree_put(root, CPU "online", "0\n");
	memset(seen, 0, sizeof(seen));
	assert_true(hft_check_run(&opts, count, seen) >= HFT_CHECK_WARN);
	assert_true(seen[HFT_CHECK_OK] > 10);
	tree_remove(root);
}

static void test_one_check(void **state)
{
	HFT_OPTS(hft_check_opts, opts, .only = "swap", .cpus = WORKERS);
	unsigned int seen[4] = { 0 };
	char root[32];

	(void)state;
	tree_make(root, good, NR(good));
	opts.root = root;
	assert_int_equal(hft_check_run(&opts, count, seen), HFT_CHECK_OK);
	assert_int_equal(seen[HFT_CHECK_OK], 1);
	opts.only = "swa";
	assert_int_equal(hft_check_run(&opts, count, seen), -ENOENT);
	assert_non_null(strstr(hft_strerror(-ENOENT), "swa"));
	opts.only = "swap";
	opts.cpus = "2-";
	assert_int_equal(hft_check_run(&opts, count, seen), -EINVAL);
	opts.cpus = "";
	assert_int_equal(hft_check_run(&opts, count, seen), -EINVAL);
	opts.cpus = "1024";
	assert_int_equal(hft_check_run(&opts, count, seen), -EINVAL);
	opts.cpus = WORKERS;
	opts.flags = 1U << 31;
	assert_int_equal(hft_check_run(&opts, count, seen), -EINVAL);
	tree_remove(root);
}

struct costs {
	uint64_t clock_ns;
	unsigned int measured;
};

static void take_costs(void *arg, const struct hft_check_finding *finding)
{
	struct costs *costs = arg;

	if (!finding->source || strcmp(finding->source, "measured"))
		return;
	costs->measured++;
	if (!strcmp(finding->name, "clocksource"))
		costs->clock_ns = finding->cost_ns;
}

static void test_measures_here(void **state)
{
	HFT_OPTS(hft_check_opts, opts, .flags = HFT_CHECK_NO_MEASURE);
	struct costs costs = { 0 };
	cpu_set_t allowed;
	char list[16];
	int cpu = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	while (!CPU_ISSET(cpu, &allowed))
		cpu++;
	snprintf(list, sizeof(list), "%d", cpu);
	opts.cpus = list;
	assert_true(hft_check_run(&opts, take_costs, &costs) >= 0);
	assert_int_equal(costs.measured, 0);
	opts.flags = 0;
	assert_true(hft_check_run(&opts, take_costs, &costs) >= 0);
	assert_true(costs.measured >= 1);
	assert_true(costs.clock_ns >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_is_well),
		cmocka_unit_test(test_each_thing_that_is_wrong),
		cmocka_unit_test(test_files_that_are_missing_or_noise),
		cmocka_unit_test(test_one_check),
		cmocka_unit_test(test_measures_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
