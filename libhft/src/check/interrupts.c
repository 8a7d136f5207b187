// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which interrupts, and which of the kernel's own work, may come to the workers' CPUs. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../irq.h"
#include "internal.h"

#define PER_CPU_THREADS	"Documentation/admin-guide/kernel-per-CPU-kthreads.rst"
#define SHOWN_IRQS	6

/* Without workers of the caller's there is nothing that is wrong with all CPUs. */
static enum hft_severity spoils(const struct hft_check *c)
{
	return c->chosen ? HFT_CHECK_WARN : HFT_CHECK_NOTE;
}

static bool meets_workers(const struct hft_check *c, const cpu_set_t *set)
{
	cpu_set_t both;

	CPU_AND(&both, set, &c->workers);
	return CPU_COUNT(&both);
}

struct irqs {
	struct hft_check *c;
	unsigned int nr;
	unsigned int seen;
	char names[256];
};

/* Where it goes now, which is one of the CPUs that it may go to. */
static bool count_irq(void *arg, unsigned int irq, const char *handler)
{
	struct irqs *irqs = arg;
	size_t used = strlen(irqs->names);
	cpu_set_t cpus;

	if ((hft_read_cpus(irqs->c->root, &cpus, "/proc/irq/%u/effective_affinity_list", irq) ||
	     !CPU_COUNT(&cpus)) &&
	    hft_read_cpus(irqs->c->root, &cpus, "/proc/irq/%u/smp_affinity_list", irq))
		return true;
	irqs->seen++;
	if (!meets_workers(irqs->c, &cpus))
		return true;
	if (irqs->nr++ < SHOWN_IRQS)
		snprintf(irqs->names + used, sizeof(irqs->names) - used, "%s%u %s",
			 used ? ", " : "", irq, handler);
	else if (irqs->nr == SHOWN_IRQS + 1)
		snprintf(irqs->names + used, sizeof(irqs->names) - used, ", ...");
	return true;
}

static void check_irq_affinity(struct hft_check *c)
{
	struct irqs irqs = { .c = c };

	hft_for_each_irq(c->root, count_irq, &irqs);
	if (!irqs.nr) {
		say(c, HFT_CHECK_OK, "none of %u interrupts comes to CPUs %s", irqs.seen, c->list);
		return;
	}
	say(c, spoils(c), "%u of %u interrupts come to CPUs %s: %s", irqs.nr, irqs.seen, c->list,
	    irqs.names);
	say_cost(c, PER_CPU_THREADS,
		 "1 to 20 us each in a worker, with the softirqs that they raise");
	say_fix(c, "hft-tune --only irq_affinity --cpus %s --apply", c->named);
	say_lasting(c, "boot with irqaffinity=%s, and isolcpus=managed_irq,domain,%s for queues of a device",
		    c->other_list, c->named);
}

static void check_irq_default(struct hft_check *c)
{
	char line[HFT_CPULIST_SIZE], mask[HFT_CPULIST_SIZE];
	cpu_set_t cpus;
	int err = hft_read_line(c->root, line, sizeof(line), IRQ_DEFAULT);

	if (err || !hft_cpumask_parse(line, &cpus)) {
		say_unread(c, err ? err : -EINVAL, "the affinity of new interrupts",
			   "this kernel has no affinity of new interrupts");
		return;
	}
	CPU_AND(&cpus, &cpus, &c->online);
	if (!c->chosen || !meets_workers(c, &cpus)) {
		say(c, HFT_CHECK_OK, "new interrupts go to CPUs %s",
		    c->chosen ? c->other_list : c->list);
		return;
	}
	say(c, HFT_CHECK_NOTE, "new interrupts may go to CPUs %s", c->list);
	say_cost(c, "Documentation/core-api/irq/irq-affinity.rst",
		 "a device that starts later brings its interrupts to a worker");
	hft_cpumask_print(&c->others, mask, sizeof(mask));
	say_fix(c, "echo %s > " IRQ_DEFAULT, mask);
	say_lasting(c, "boot with irqaffinity=%s", c->other_list);
}

static bool is_irqbalance(void *arg, const char *pid)
{
	struct irqs *irqs = arg;
	char comm[32];

	if (!isdigit((unsigned char)pid[0]) ||
	    hft_read_line(irqs->c->root, comm, sizeof(comm), "/proc/%s/comm", pid) ||
	    strcmp(comm, "irqbalance"))
		return true;
	irqs->nr++;
	return false;
}

static void check_irqbalance(struct hft_check *c)
{
	struct irqs irqs = { .c = c };

	hft_for_each_entry(c->root, "/proc", is_irqbalance, &irqs);
	if (!irqs.nr) {
		say(c, HFT_CHECK_OK, "irqbalance does not run");
		return;
	}
	say(c, spoils(c), "irqbalance moves interrupts from CPU to CPU");
	say_cost(c, "irqbalance(1)", "what was moved away from a worker may come back, each 10 s");
	say_fix(c, "systemctl stop irqbalance");
	say_lasting(c, "IRQBALANCE_BANNED_CPULIST=%s in /etc/default/irqbalance, or systemctl disable irqbalance",
		    c->named);
}

static void check_workqueue(struct hft_check *c)
{
	char line[HFT_CPULIST_SIZE], mask[HFT_CPULIST_SIZE];
	cpu_set_t cpus;
	int err = hft_read_line(c->root, line, sizeof(line), SYS_WORKQUEUE "cpumask");

	if (err || !hft_cpumask_parse(line, &cpus)) {
		say_unread(c, err ? err : -EINVAL, "the CPUs of unbound work",
			   "this kernel has no mask of unbound work");
		return;
	}
	CPU_AND(&cpus, &cpus, &c->online);
	if (!c->chosen || !meets_workers(c, &cpus)) {
		say(c, HFT_CHECK_OK, "the kernel's unbound work may run on CPUs %s",
		    c->chosen ? c->other_list : c->list);
		return;
	}
	say(c, HFT_CHECK_WARN, "the kernel's unbound work may run on CPUs %s", c->list);
	say_cost(c, "Documentation/core-api/workqueue.rst",
		 "a kernel thread there for as long as the work takes: writeback, crypto, file systems");
	hft_cpumask_print(&c->others, mask, sizeof(mask));
	say_fix(c, "echo %s > " SYS_WORKQUEUE "cpumask", mask);
	say_lasting(c, "boot with isolcpus=domain,%s, or write the mask at each boot", c->list);
}

const struct hft_check_entry hft_checks_interrupts[] = {
	{ "irq_affinity", check_irq_affinity, 0 },
	{ "irq_default", check_irq_default, 0 },
	{ "irqbalance", check_irqbalance, 0 },
	{ "workqueue", check_workqueue, 0 },
	{ NULL, NULL, 0 }
};
