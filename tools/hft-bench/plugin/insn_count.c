// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * QEMU TCG plugin: exact instruction counts of a VM with one CPU.
 *
 *   from=PC,to=PC   how many instructions run from @from to @to, both included,
 *                   wherever the path goes: one line "span COUNT" each time.
 *                   More than one to=PC: to the first of them that is met
 *   lo=PC,hi=PC     how often each instruction of [lo, hi) runs: one line
 *                   "pc ADDRESS COUNT" each
 *   out=FILE        where the lines go
 *
 * The path of a span is counted block by block, so it must not be left by an
 * exception: meant for paths with interrupts off.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <qemu-plugin.h>

#define BUCKETS		4096
#define MAX_SPANS	1000000
#define MAX_ENDS	8

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

struct place {
	uint64_t pc;
	uint64_t count;
	struct place *next;
};

static struct {
	uint64_t from, to[MAX_ENDS], lo, hi;
	size_t nr_to;
	const char *out;
} options;

static struct place *places[BUCKETS];

static uint64_t executed;	/* instructions of all blocks entered */
static uint64_t span_start;
static bool in_span;
static uint32_t *spans;
static size_t nr_spans;

static struct place *find_place(uint64_t pc)
{
	struct place **head = &places[(pc * 0x9e3779b97f4a7c15) >> 52];
	struct place *place;

	for (place = *head; place; place = place->next)
		if (place->pc == pc)
			return place;
	place = calloc(1, sizeof(*place));
	if (!place) {
		fprintf(stderr, "insn_count: out of memory\n");
		exit(1);
	}
	place->pc = pc;
	place->next = *head;
	*head = place;
	return place;
}

static void count_block(unsigned int cpu, void *insns)
{
	(void)cpu;
	executed += (uintptr_t)insns;
}

static void count_place(unsigned int cpu, void *place)
{
	(void)cpu;
	((struct place *)place)->count++;
}

/* @left: instructions of the block from this one on; all are counted already */
static void begin_span(unsigned int cpu, void *left)
{
	(void)cpu;
	span_start = executed - (uintptr_t)left;
	in_span = true;
}

static void end_span(unsigned int cpu, void *left)
{
	(void)cpu;
	if (!in_span || nr_spans == MAX_SPANS)
		return;
	spans[nr_spans++] = (uint32_t)(executed - (uintptr_t)left + 1 - span_start);
	in_span = false;
}

static bool is_end(uint64_t pc)
{
	size_t i;

	for (i = 0; i < options.nr_to; i++)
		if (pc == options.to[i])
			return true;
	return false;
}

static void watch(struct qemu_plugin_insn *insn, size_t left)
{
	uint64_t pc = qemu_plugin_insn_vaddr(insn);
	void *data = (void *)(uintptr_t)left;

	if (pc >= options.lo && pc < options.hi)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, count_place, QEMU_PLUGIN_CB_NO_REGS,
						       find_place(pc));
	if (options.from && pc == options.from)
		qemu_plugin_register_vcpu_insn_exec_cb(insn, begin_span, QEMU_PLUGIN_CB_NO_REGS,
						       data);
	if (is_end(pc))
		qemu_plugin_register_vcpu_insn_exec_cb(insn, end_span, QEMU_PLUGIN_CB_NO_REGS,
						       data);
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t nr = qemu_plugin_tb_n_insns(tb);
	size_t i;

	(void)id;
	if (options.from)
		qemu_plugin_register_vcpu_tb_exec_cb(tb, count_block, QEMU_PLUGIN_CB_NO_REGS,
						     (void *)(uintptr_t)nr);
	for (i = 0; i < nr; i++)
		watch(qemu_plugin_tb_get_insn(tb, i), nr - i);
}

static void report(qemu_plugin_id_t id, void *unused)
{
	FILE *out = fopen(options.out, "w");
	struct place *place;
	size_t i;

	(void)id;
	(void)unused;
	if (!out) {
		fprintf(stderr, "insn_count: %s: %s\n", options.out, strerror(errno));
		return;
	}
	for (i = 0; i < nr_spans; i++)
		fprintf(out, "span %" PRIu32 "\n", spans[i]);
	for (i = 0; i < BUCKETS; i++)
		for (place = places[i]; place; place = place->next)
			fprintf(out, "pc %#" PRIx64 " %" PRIu64 "\n", place->pc, place->count);
	if (fclose(out))
		fprintf(stderr, "insn_count: %s: %s\n", options.out, strerror(errno));
}

static bool parse(const char *arg)
{
	static const struct {
		const char *name;
		uint64_t *value;
	} numbers[] = {
		{ "from=", &options.from }, { "lo=", &options.lo }, { "hi=", &options.hi },
	};
	size_t i;

	if (!strncmp(arg, "out=", 4)) {
		options.out = strdup(arg + 4);
		return options.out;
	}
	if (!strncmp(arg, "to=", 3) && options.nr_to < MAX_ENDS) {
		options.to[options.nr_to++] = strtoull(arg + 3, NULL, 0);
		return true;
	}
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strncmp(arg, numbers[i].name, strlen(numbers[i].name)))
			continue;
		*numbers[i].value = strtoull(arg + strlen(numbers[i].name), NULL, 0);
		return true;
	}
	return false;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
					   char **argv)
{
	int i;

	for (i = 0; i < argc; i++) {
		if (parse(argv[i]))
			continue;
		fprintf(stderr, "insn_count: what is %s?\n", argv[i]);
		return -1;
	}
	spans = calloc(MAX_SPANS, sizeof(*spans));
	if (!options.out || !spans || (info->system_emulation && info->system.max_vcpus != 1)) {
		fprintf(stderr, "insn_count: needs out=FILE, memory and a VM with one CPU\n");
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	qemu_plugin_register_atexit_cb(id, report, NULL);
	return 0;
}
