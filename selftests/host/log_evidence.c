// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan gcov */
/* Clock evidence: what is recorded when, and what is told of. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>
#include <cmocka.h>

#include "log/evidence.h"

#define NS_PER_S	1000000000ull
#define START		(1700000000 * NS_PER_S)

/* A machine whose stamps, of 2 GHz, begin with its time. */
struct machine {
	struct hft_log_clocks clocks;
	uint64_t now;
	int64_t step;
	unsigned int reads;
};

static void read_machine(void *arg, bool by_tsc, struct hft_log_clocks *clocks)
{
	struct machine *machine = arg;

	assert_true(by_tsc);
	machine->reads++;
	machine->clocks.stamp = 2 * machine->now;
	machine->clocks.monotonic = machine->now;
	machine->clocks.realtime = START + machine->now + (uint64_t)machine->step;
	machine->clocks.tai = machine->clocks.realtime + 37 * NS_PER_S;
	*clocks = machine->clocks;
}

static const struct hft_log_store_clock line = {
	.name = "tsc", .freq = 2 * NS_PER_S, .offset_s = 1700000000,
};

static struct hft_log_evidence *open_machine(struct machine *machine)
{
	const struct hft_log_evidence_opts opts = { .read = read_machine, .arg = machine };
	struct hft_log_evidence *evidence;

	memset(machine, 0, sizeof(*machine));
	strcpy(machine->clocks.source, "tsc");
	machine->clocks.max_error_ns = 40000;
	machine->clocks.width_ns = 200;
	machine->clocks.tai_offset_s = 37;
	machine->clocks.state = TIME_OK;
	machine->now = NS_PER_S;
	assert_int_equal(hft_log_evidence_open(&evidence, &opts), 0);
	return evidence;
}

/* A record as a reader has it, by the description of its site */
struct values {
	const struct hft_log_store_site *site;
	struct hft_log_record head;
	const char *texts[32];
	uint64_t numbers[32];
};

static size_t take(const uint8_t *bytes, struct values *values)
{
	size_t at = sizeof(values->head);
	uint32_t i;

	memcpy(&values->head, bytes, sizeof(values->head));
	values->site = &hft_log_evidence_sites[values->head.id - HFT_LOG_ID_CLOCK];
	assert_int_equal(values->site->id, values->head.id);
	for (i = 0; i < values->site->nr_fields; i++) {
		if (values->site->fields[i].type == HFT_LOG_STRING) {
			values->texts[i] = (const char *)bytes + at;
			at += strlen(values->texts[i]) + 1;
			continue;
		}
		at = (at + 7) & ~(size_t)7;
		memcpy(&values->numbers[i], bytes + at, 8);
		at += 8;
	}
	at = (at + 7) & ~(size_t)7;
	assert_int_equal(at, 8 * values->head.words);
	return at;
}

static uint32_t field(const struct values *values, const char *name)
{
	uint32_t i;

	for (i = 0; i < values->site->nr_fields; i++) {
		if (!strcmp(values->site->fields[i].name, name))
			return i;
	}
	fail_msg("no field %s", name);
	return 0;
}

static int64_t number(const struct values *values, const char *name)
{
	return (int64_t)values->numbers[field(values, name)];
}

static const char *text(const struct values *values, const char *name)
{
	return values->texts[field(values, name)];
}

/* A poll that gives just these: "open", "interval", ... or "!step", "!excursion", ... */
static void gives(struct hft_log_evidence *evidence, const struct machine *machine,
		  uint32_t chunk, const char *wanted, struct values *last)
{
	char got[256] = "";
	const void *records;
	struct values values;
	size_t bytes, at;

	bytes = hft_log_evidence_poll(evidence, machine->now, &line, chunk, &records);
	for (at = 0; at < bytes;) {
		at += take((const uint8_t *)records + at, &values);
		if (*got)
			strcat(got, ",");
		if (values.head.id == HFT_LOG_ID_CLOCK) {
			strcat(got, text(&values, "reason"));
		} else {
			strcat(got, "!");
			strcat(got, text(&values, "what"));
		}
		if (last)
			*last = values;
	}
	assert_string_equal(got, wanted);
	if (last)
		for (at = 0; at < 32; at++)
			last->texts[at] = NULL;	/* they go with the record */
	hft_log_evidence_taken(evidence, bytes);
}

static void test_interval(void **state)
{
	struct hft_log_evidence *evidence;
	struct machine machine;
	struct values values;
	unsigned int i;

	(void)state;
	evidence = open_machine(&machine);
	gives(evidence, &machine, 0, "open", &values);
	assert_int_equal(values.head.stamp, 2 * NS_PER_S);
	assert_int_equal(number(&values, "sync"), 1);
	assert_int_equal(number(&values, "line_error_ns"), 0);
	assert_int_equal(number(&values, "divergence_ns"), 40100);
	assert_int_equal(number(&values, "bound_ns"), 100000);
	assert_int_equal(number(&values, "tai") - number(&values, "realtime"), 37 * NS_PER_S);
	assert_int_equal(number(&values, "stamp_hz"), 2 * NS_PER_S);
	gives(evidence, &machine, 1, "", NULL);
	for (i = 0; i < 9; i++) {
		machine.now += NS_PER_S;
		gives(evidence, &machine, 1, "", NULL);
	}
	machine.now += NS_PER_S;
	gives(evidence, &machine, 1, "interval", &values);
	assert_int_equal(values.head.sequence, 1);
	machine.now += 1000;
	gives(evidence, &machine, 2, "chunk", NULL);
	i = machine.reads;
	machine.now += 1000;
	gives(evidence, &machine, 2, "", NULL);
	assert_int_equal(machine.reads, i);
	hft_log_evidence_close(evidence);
}

static void look(struct hft_log_evidence *evidence, struct machine *machine, const char *wanted,
		 struct values *values)
{
	machine->now += NS_PER_S;
	gives(evidence, machine, 1, wanted, values);
}

static void test_excursion(void **state)
{
	struct hft_log_evidence *evidence;
	struct machine machine;
	struct values values;

	(void)state;
	evidence = open_machine(&machine);
	gives(evidence, &machine, 1, "open", NULL);
	machine.clocks.max_error_ns = 99900;
	look(evidence, &machine, "", NULL);
	machine.clocks.max_error_ns = 99901;
	look(evidence, &machine, "!excursion,change", &values);
	assert_int_equal(number(&values, "divergence_ns"), 100001);
	look(evidence, &machine, "", NULL);
	machine.clocks.max_error_ns = 10;
	machine.clocks.offset_ns = -200000;
	look(evidence, &machine, "", NULL);
	machine.clocks.offset_ns = 0;
	look(evidence, &machine, "!excursion over,change", NULL);

	/* A PTP clock that knows better than the kernel */
	strcpy(machine.clocks.ptp, "ptp0");
	machine.clocks.ptp_offset_ns = -99000;
	machine.clocks.ptp_width_ns = 1000;
	look(evidence, &machine, "", NULL);
	machine.clocks.ptp_offset_ns = -100000;
	look(evidence, &machine, "!excursion,change", &values);
	assert_int_equal(number(&values, "divergence_ns"), 100600);
	hft_log_evidence_close(evidence);
}

static void test_step(void **state)
{
	struct hft_log_evidence *evidence;
	struct machine machine;
	struct values values;

	(void)state;
	evidence = open_machine(&machine);
	gives(evidence, &machine, 1, "open", NULL);
	machine.step = 50000;			/* slewed, as far as can be seen */
	look(evidence, &machine, "", NULL);
	machine.step += -3 * (int64_t)NS_PER_S;
	look(evidence, &machine, "!step,!excursion,change", &values);
	assert_int_equal(number(&values, "line_error_ns"), 3 * NS_PER_S - 50000);
	machine.step = 0;			/* the log may draw its line anew, too */
	look(evidence, &machine, "!step,!excursion over,change", NULL);
	strcpy(machine.clocks.source, "hpet");
	look(evidence, &machine, "!clocksource changed,change", NULL);
	hft_log_evidence_close(evidence);
}

static void test_sync(void **state)
{
	struct hft_log_evidence *evidence;
	struct machine machine;
	struct values values;

	(void)state;
	evidence = open_machine(&machine);
	machine.clocks.state = TIME_ERROR;
	machine.clocks.status = STA_UNSYNC;
	machine.clocks.max_error_ns = 16 * NS_PER_S;
	gives(evidence, &machine, 1, "!unsynchronised,!excursion,open", &values);
	assert_int_equal(number(&values, "sync"), 0);
	assert_int_equal(number(&values, "status"), STA_UNSYNC);
	assert_int_equal(number(&values, "state"), TIME_ERROR);
	machine.clocks.status = 0;
	look(evidence, &machine, "", NULL);
	machine.clocks.state = TIME_INS;
	look(evidence, &machine, "!synchronised,change", NULL);
	machine.clocks.max_error_ns = 1000;
	look(evidence, &machine, "!excursion over,change", NULL);
	machine.clocks.state = -EPERM;		/* nothing is known */
	look(evidence, &machine, "!unsynchronised,!excursion,change", &values);
	assert_int_equal(number(&values, "state"), -EPERM);
	hft_log_evidence_close(evidence);
}

/* A store that takes nothing for long: what there was no room for is counted. */
static void test_full(void **state)
{
	struct hft_log_evidence *evidence;
	unsigned int i, kept = 0;
	struct machine machine;
	struct values values;
	const void *records;
	size_t bytes = 0, at, was = 0;

	(void)state;
	evidence = open_machine(&machine);
	for (i = 0; i < 500; i++) {
		bytes = hft_log_evidence_poll(evidence, machine.now, &line, 1, &records);
		assert_true(bytes >= was);
		was = bytes;
		machine.now += 10 * NS_PER_S;
	}
	for (at = 0; at < bytes; kept++) {
		at += take((const uint8_t *)records + at, &values);
		assert_int_equal(values.head.sequence, kept);
		assert_int_equal(number(&values, "missed"), 0);
	}
	assert_int_equal(at, bytes);
	assert_true(kept > 10 && kept < 500);

	/* A part is taken: the rest is still there, from where it was. */
	hft_log_evidence_taken(evidence, take(records, &values));
	bytes = hft_log_evidence_poll(evidence, machine.now - 1, &line, 1, &records);
	take(records, &values);
	assert_int_equal(values.head.sequence, 1);
	hft_log_evidence_taken(evidence, bytes);
	machine.now += 10 * NS_PER_S;
	gives(evidence, &machine, 1, "interval", &values);
	assert_int_equal(number(&values, "missed"), 500 - kept);
	hft_log_evidence_close(evidence);
}

static uint64_t ns_of(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* This machine's clocks, of which little is known for certain. */
static void test_here(void **state)
{
	struct hft_log_clock_reader reader;
	struct hft_log_clocks clocks;
	struct hft_log_evidence *evidence;
	struct hft_log_store_clock here = { .name = "monotonic", .freq = NS_PER_S };
	uint64_t before, after, real;
	const void *records;
	struct values values;
	size_t bytes, at;

	(void)state;
	hft_log_clock_reader_open(&reader, NULL);
	before = ns_of(CLOCK_MONOTONIC);
	real = ns_of(CLOCK_REALTIME);
	hft_log_clocks_read(&reader, false, &clocks);
	after = ns_of(CLOCK_MONOTONIC);
	hft_log_clock_reader_close(&reader);
	assert_true(clocks.monotonic >= before && clocks.monotonic <= after);
	assert_true(clocks.stamp >= before && clocks.stamp <= after);
	assert_true(clocks.width_ns <= after - before);
	assert_true(clocks.realtime >= real - NS_PER_S);
	assert_int_equal((int64_t)(clocks.tai - clocks.realtime) / (int64_t)NS_PER_S,
			 clocks.state < 0 ? 0 : clocks.tai_offset_s);
	assert_true(*clocks.source);

	assert_int_equal(hft_log_evidence_open(&evidence, NULL), 0);
	real = ns_of(CLOCK_REALTIME) - ns_of(CLOCK_MONOTONIC);
	here.offset_s = (int64_t)(real / NS_PER_S);
	here.offset = real % NS_PER_S;
	bytes = hft_log_evidence_poll(evidence, ns_of(CLOCK_MONOTONIC), &here, 0, &records);
	for (at = 0; at < bytes;)
		at += take((const uint8_t *)records + at, &values);
	assert_true(bytes && values.head.id == HFT_LOG_ID_CLOCK);
	assert_string_equal(text(&values, "reason"), "open");
	assert_true(labs(number(&values, "line_error_ns")) < 60 * (int64_t)NS_PER_S);
	hft_log_evidence_close(evidence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_interval),
		cmocka_unit_test(test_excursion),
		cmocka_unit_test(test_step),
		cmocka_unit_test(test_sync),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
