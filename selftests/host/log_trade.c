// SPDX-License-Identifier: GPL-2.0-only
/* flavours: plain asan tsan gcov */
/* Trading decisions and the evidence of controls: what is logged is what is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>

#include <hft/hft.h>
#include <hft/log_trade.h>
#include <hft/rule.h>

#include "log_here.h"

#define MS		1000000ull
#define PATIENCE_NS	(60000 * MS)
#define USUAL_NS	1000
#define SPIKE_NS	20000
#define CLASS		3

static const struct hft_log_view *next(struct hft_log_reader *reader, const char *name)
{
	const struct hft_log_view *view;

	assert_int_equal(hft_log_reader_next(reader, &view), 1);
	assert_string_equal(view->site->name, name);
	assert_string_not_equal(view->stream->policy, "drop");
	assert_string_not_equal(view->stream->policy, "overwrite");
	return view;
}

static void ended(struct hft_log_reader *reader)
{
	const struct hft_log_view *view;

	assert_int_equal(hft_log_reader_next(reader, &view), 0);
	hft_log_reader_close(reader);
	tree_remove(dir);
}

static void text_is(const struct hft_log_view *view, const char *name, const char *wanted)
{
	uint8_t type;
	const union hft_log_view_value *value = hft_log_view_find(view, name, &type);

	assert_non_null(value);
	assert_int_equal(type, strcmp(name, "symbol") ? HFT_LOG_STRING : HFT_LOG_SYMBOL);
	assert_string_equal(value->s, wanted);
}

static void u_is(const struct hft_log_view *view, const char *name, uint64_t wanted)
{
	uint8_t type;
	const union hft_log_view_value *value = hft_log_view_find(view, name, &type);

	assert_non_null(value);
	assert_int_equal(type, HFT_LOG_U64);
	assert_int_equal(value->u, wanted);
}

static int64_t i_of(const struct hft_log_view *view, const char *name)
{
	uint8_t type;
	const union hft_log_view_value *value = hft_log_view_find(view, name, &type);

	assert_non_null(value);
	assert_int_equal(type, HFT_LOG_I64);
	return value->i;
}

static const char *const order_names[HFT_TRADE_ORDER_EVENTS] = {
	"order_new", "order_modified", "order_cancelled", "order_routed", "route_modified",
	"route_cancelled",
};

static const struct hft_trade_order whole_order = {
	.sz = sizeof(whole_order), .order = "O1", .prior = "O0", .symbol = "AAPL",
	.account = "prop", .algo = "mm", .route = "R2", .prior_route = "R1", .venue = "nsdq",
	.session = "S1", .handling = "NH|d",
	.more = "seqNum=1", .side = HFT_TRADE_SELL_SHORT, .type = HFT_TRADE_LIMIT,
	.tif = HFT_TRADE_GTT, .capacity = HFT_TRADE_RISKLESS_PRINCIPAL,
	.initiator = HFT_TRADE_FIRM, .flags = HFT_TRADE_BUSTED | HFT_TRADE_ISO, .tif_value = 11,
	.price = { -12, true }, .stop = { 13, true }, .quantity = { 14, true },
	.displayed = { 15, true }, .least = { 16, true }, .leaves = { 0, true },
	.cancelled = { 18, true }, .order_ns = 19, .prior_ns = 20, .request_ns = 21,
	.event_ns = UINT64_MAX,
};

static void orders_are_read(void **state)
{
	struct hft_trade_order empty = { .sz = sizeof(empty) };
	struct hft_log_reader *reader;
	unsigned int i;

	(void)state;
	for (i = 0; i < HFT_TRADE_ORDER_EVENTS; i++) {
		assert_int_equal(hft_trade_log_order(i, &whole_order), 0);
		assert_int_equal(hft_trade_log_order(i, &empty), 0);
	}
	assert_int_equal(hft_trade_log_order(HFT_TRADE_ORDER_EVENTS, &empty), -EINVAL);
	reader = reopen("trade");
	for (i = 0; i < HFT_TRADE_ORDER_EVENTS; i++) {
		const struct hft_log_view *view = next(reader, order_names[i]);

		assert_int_equal(view->site->level, HFT_LOG_NOTICE);
		text_is(view, "order", "O1");
		text_is(view, "prior", "O0");
		text_is(view, "symbol", "AAPL");
		text_is(view, "account", "prop");
		text_is(view, "algo", "mm");
		text_is(view, "route", "R2");
		text_is(view, "prior_route", "R1");
		text_is(view, "venue", "nsdq");
		text_is(view, "session", "S1");
		text_is(view, "handling", "NH|d");
		text_is(view, "more", "seqNum=1");
		u_is(view, "side", HFT_TRADE_SELL_SHORT);
		u_is(view, "type", HFT_TRADE_LIMIT);
		u_is(view, "tif", HFT_TRADE_GTT);
		u_is(view, "tif_value", 11);
		u_is(view, "capacity", HFT_TRADE_RISKLESS_PRINCIPAL);
		u_is(view, "initiator", HFT_TRADE_FIRM);
		u_is(view, "flags", HFT_TRADE_BUSTED | HFT_TRADE_ISO);
		assert_int_equal(i_of(view, "price_e8"), -12);
		assert_int_equal(i_of(view, "stop_e8"), 13);
		assert_int_equal(i_of(view, "quantity_e6"), 14);
		assert_int_equal(i_of(view, "displayed_e6"), 15);
		assert_int_equal(i_of(view, "least_e6"), 16);
		assert_int_equal(i_of(view, "leaves_e6"), 0);
		assert_int_equal(i_of(view, "cancelled_e6"), 18);
		u_is(view, "order_ns", 19);
		u_is(view, "prior_ns", 20);
		u_is(view, "request_ns", 21);
		u_is(view, "event_ns", UINT64_MAX);
		view = next(reader, order_names[i]);
		text_is(view, "order", "");
		text_is(view, "symbol", "");
		u_is(view, "side", 0);
		assert_true(i_of(view, "price_e8") == HFT_TRADE_NOT_GIVEN);
		assert_true(i_of(view, "leaves_e6") == HFT_TRADE_NOT_GIVEN);
	}
	ended(reader);
}

/* A program may have been built with a smaller struct, or with a larger one. */
static void sizes_differ(void **state)
{
	struct {
		struct hft_trade_order order;
		uint64_t more;
	} larger = { .order = whole_order };
	struct hft_trade_order smaller = whole_order;
	const struct hft_log_view *view;
	struct hft_log_reader *reader;

	(void)state;
	smaller.sz = offsetof(struct hft_trade_order, request_ns);
	larger.order.sz = sizeof(larger);
	assert_int_equal(hft_trade_log_order(HFT_TRADE_ORDER_NEW, &smaller), 0);
	assert_int_equal(hft_trade_log_order(HFT_TRADE_ORDER_NEW, &larger.order), 0);
	larger.more = 1;
	assert_int_equal(hft_trade_log_order(HFT_TRADE_ORDER_NEW, &larger.order), -E2BIG);
	smaller.sz = 0;
	assert_int_equal(hft_trade_log_order(HFT_TRADE_ORDER_NEW, &smaller), -EINVAL);
	assert_int_equal(hft_trade_log_order(HFT_TRADE_ORDER_NEW, NULL), -EINVAL);
	assert_int_equal(hft_trade_log_fill(NULL), -EINVAL);
	assert_int_equal(hft_trade_log_trade(NULL), -EINVAL);
	assert_int_equal(hft_trade_log_control(HFT_TRADE_HALT, NULL), -EINVAL);
	reader = reopen("trade");
	view = next(reader, "order_new");
	u_is(view, "prior_ns", 20);
	u_is(view, "request_ns", 0);
	u_is(view, "event_ns", 0);
	view = next(reader, "order_new");
	u_is(view, "request_ns", 21);
	ended(reader);
}

static void executions_are_read(void **state)
{
	struct hft_trade_fill fill = {
		.sz = sizeof(fill), .fill = "F1", .order = "O1", .route = "R1", .symbol = "AAPL",
		.account = "prop", .algo = "mm", .venue = "nsdq", .venue_trade = "V9",
		.more = "x=y", .side = HFT_TRADE_BUY, .capacity = HFT_TRADE_AGENCY,
		.liquidity = HFT_TRADE_AGGRESSIVE, .flags = HFT_TRADE_MANUAL, .price = { 1, true },
		.quantity = { 2, true }, .leaves = { 3, true }, .event_ns = 4,
	};
	struct hft_trade_trade trade = {
		.sz = sizeof(trade), .trade = "T1", .symbol = "MSFT", .buy_order = "O1",
		.buy_account = "a", .sell_order = "O2", .sell_account = "b",
		.market_center = "DN", .tape = "X1", .exception = "P", .more = "m=n",
		.sell_side = HFT_TRADE_SELL,
		.capacity = HFT_TRADE_PRINCIPAL, .flags = HFT_TRADE_BUSTED, .price = { 5, true },
		.quantity = { 6, true }, .trade_ns = 7, .cancel_ns = 8, .event_ns = 9,
	};
	const struct hft_log_view *view;
	struct hft_log_reader *reader;

	(void)state;
	assert_int_equal(hft_trade_log_fill(&fill), 0);
	assert_int_equal(hft_trade_log_trade(&trade), 0);
	reader = reopen("trade");
	view = next(reader, "fill");
	text_is(view, "fill", "F1");
	text_is(view, "order", "O1");
	text_is(view, "route", "R1");
	text_is(view, "symbol", "AAPL");
	text_is(view, "account", "prop");
	text_is(view, "algo", "mm");
	text_is(view, "venue", "nsdq");
	text_is(view, "venue_trade", "V9");
	text_is(view, "more", "x=y");
	u_is(view, "side", HFT_TRADE_BUY);
	u_is(view, "capacity", HFT_TRADE_AGENCY);
	u_is(view, "liquidity", HFT_TRADE_AGGRESSIVE);
	u_is(view, "flags", HFT_TRADE_MANUAL);
	assert_int_equal(i_of(view, "price_e8"), 1);
	assert_int_equal(i_of(view, "quantity_e6"), 2);
	assert_int_equal(i_of(view, "leaves_e6"), 3);
	u_is(view, "event_ns", 4);
	view = next(reader, "trade");
	text_is(view, "trade", "T1");
	text_is(view, "symbol", "MSFT");
	text_is(view, "buy_order", "O1");
	text_is(view, "buy_account", "a");
	text_is(view, "sell_order", "O2");
	text_is(view, "sell_account", "b");
	text_is(view, "market_center", "DN");
	text_is(view, "tape", "X1");
	text_is(view, "exception", "P");
	text_is(view, "more", "m=n");
	u_is(view, "sell_side", HFT_TRADE_SELL);
	u_is(view, "capacity", HFT_TRADE_PRINCIPAL);
	u_is(view, "flags", HFT_TRADE_BUSTED);
	assert_int_equal(i_of(view, "price_e8"), 5);
	assert_int_equal(i_of(view, "quantity_e6"), 6);
	u_is(view, "trade_ns", 7);
	u_is(view, "cancel_ns", 8);
	u_is(view, "event_ns", 9);
	ended(reader);
}

static void controls_are_read(void **state)
{
	static const char *const names[HFT_TRADE_CONTROL_EVENTS] = {
		"reject", "risk", "throttle", "halt", "rearm",
	};
	struct hft_trade_control control = {
		.sz = sizeof(control), .rule = "size", .unit = "shares", .who = "gateway",
		.scope = "desk", .reason = "too many", .order = "O1", .route = "R1",
		.symbol = "AAPL",
		.account = "prop", .refused = HFT_TRADE_REFUSED_ROUTE, .flags = HFT_TRADE_BY_VENUE,
		.limit = hft_trade_units(-1), .value = hft_trade_units(INT64_MAX), .event_ns = 5,
	};
	struct hft_log_reader *reader;
	unsigned int i;

	(void)state;
	for (i = 0; i < HFT_TRADE_CONTROL_EVENTS; i++)
		assert_int_equal(hft_trade_log_control(i, &control), 0);
	assert_int_equal(hft_trade_log_control(i, &control), -EINVAL);
	reader = reopen("control");
	for (i = 0; i < HFT_TRADE_CONTROL_EVENTS; i++) {
		const struct hft_log_view *view = next(reader, names[i]);

		text_is(view, "rule", "size");
		text_is(view, "unit", "shares");
		text_is(view, "who", "gateway");
		text_is(view, "scope", "desk");
		text_is(view, "reason", "too many");
		text_is(view, "order", "O1");
		text_is(view, "route", "R1");
		text_is(view, "symbol", "AAPL");
		text_is(view, "account", "prop");
		u_is(view, "refused", HFT_TRADE_REFUSED_ROUTE);
		u_is(view, "flags", HFT_TRADE_BY_VENUE);
		assert_int_equal(i_of(view, "limit"), -1);
		assert_true(i_of(view, "value") == INT64_MAX);
		u_is(view, "event_ns", 5);
	}
	ended(reader);
}

static void without_a_log(void **state)
{
	struct hft_trade_control control = { .sz = sizeof(control), .rule = "x" };
	struct hft_trade_order order = { .sz = sizeof(order), .order = "O1" };

	(void)state;
	assert_int_equal(hft_log_close(the_log), 0);
	tree_remove(dir);
	assert_int_equal(hft_trade_log_order(HFT_TRADE_ORDER_NEW, &order), -ENOTCONN);
	assert_int_equal(hft_trade_log_control(HFT_TRADE_HALT, &control), -ENOTCONN);
}

/* Of a real log, by the tool, if that is built. */
static void they_are_reported(void **state)
{
	struct hft_trade_control control = {
		.sz = sizeof(control), .rule = "manual", .who = "j.doe", .scope = "all",
	};
	const char *build = getenv("BUILD");
	char tool[PATH_MAX], command[2 * PATH_MAX + 32], line[4096];
	FILE *pipe;

	(void)state;
	assert_int_equal(hft_trade_log_control(HFT_TRADE_HALT, &control), 0);
	assert_int_equal(hft_log_close(the_log), 0);
	snprintf(tool, sizeof(tool), "%s/tools/hft-log", build ? build : "../build");
	if (access(tool, X_OK)) {
		tree_remove(dir);
		skip();
	}
	snprintf(command, sizeof(command), "%s report control --verify %s", tool, dir);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(line, sizeof(line), pipe));
	assert_non_null(strstr(line, "\"event\":\"halt\",\"rule\":\"manual\",\"limit\":null"));
	assert_null(fgets(line, sizeof(line), pipe));
	assert_int_equal(pclose(pipe), 0);
	tree_remove(dir);
}

static struct hft *open_soft(uint32_t tasks)
{
	HFT_OPTS(hft_opts, opts, .backend = "soft", .tasks = tasks);
	struct hft *h;

	assert_int_equal(hft_open(&h, &opts), 0);
	return h;
}

static struct hft_ring *open_ring(struct hft *h, uint32_t flags)
{
	HFT_OPTS(hft_ring_opts, opts, .flags = flags);
	struct hft_ring *ring;

	assert_int_equal(hft_ring_open(h, &opts, &ring), 0);
	return ring;
}

static struct hft_task make_task(const struct hft_ring *ring, uint64_t release)
{
	return (struct hft_task){
		.release = release, .ring = hft_ring_number(ring), .level = HFT_LEVEL_NORMAL,
	};
}

static const struct hft_event *wait_for(struct hft_ring *ring)
{
	int ret;

	do
		ret = hft_wait(ring, hft_now() + PATIENCE_NS);
	while (ret == -EINTR);
	assert_true(ret > 0);
	return hft_ring_peek(ring);
}

/* What every one of the library's has: who, and by which rule. */
static void signed_by_us(const struct hft_log_view *view, const char *rule)
{
	char who[160];

	snprintf(who, sizeof(who), "uid %u, %s[%d]", getuid(), program_invocation_short_name,
		 getpid());
	text_is(view, "who", who);
	text_is(view, "rule", rule);
	u_is(view, "flags", 0);
}

static void compared(const struct hft_log_view *view, const char *unit, int64_t limit,
		     int64_t value)
{
	text_is(view, "unit", unit);
	assert_true(i_of(view, "limit") == limit);
	assert_true(i_of(view, "value") == value);
}

static void halts_are_evidence(void **state)
{
	struct hft *h = open_soft(4);
	const struct hft_log_view *view;
	struct hft_log_reader *reader;

	(void)state;
	assert_int_equal(hft_halt(h, HFT_HALT_CANCEL, 0, NULL), 0);
	assert_int_equal(hft_resume(h, 0), 0);
	/* What was not done is not evidence. */
	assert_int_equal(hft_halt(h, 77, 0, NULL), -EINVAL);
	hft_close(h);
	reader = reopen("control");
	view = next(reader, "halt");
	signed_by_us(view, "program");
	text_is(view, "scope", "the handle, backend soft");
	text_is(view, "reason", "hft_halt(): mode cancel, tasks stopped: 0");
	view = next(reader, "rearm");
	signed_by_us(view, "program");
	text_is(view, "reason", "hft_resume()");
	ended(reader);
}

static void refusals_are_evidence(void **state)
{
	struct hft *h = open_soft(2);
	struct hft_ring *ring = open_ring(h, 0);
	struct hft_task task = make_task(ring, hft_now() + 1000000 * MS), tasks[3];
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	int64_t results[3];

	(void)state;
	tasks[0] = tasks[1] = tasks[2] = task;
	assert_int_equal(hft_submit_batch(h, tasks, 3, results), 2);
	assert_int_equal(results[2], -EDQUOT);
	assert_int_equal(hft_submit(h, &task, NULL), -EDQUOT);
	task.ring = 99;
	assert_int_equal(hft_submit(h, &task, NULL), -ENOENT);
	assert_int_equal(hft_halt(h, HFT_HALT_CANCEL, 0, NULL), 0);
	assert_int_equal(hft_resume(h, 0), 0);
	task = make_task(ring, 0);
	task.wcet = 96 * MS;
	task.deadline = 100 * MS;
	assert_int_equal(hft_submit_periodic(h, &task, hft_now() + MS, 100 * MS, NULL), -EBUSY);
	hft_ring_close(ring);
	hft_close(h);
	reader = reopen("control");
	view = next(reader, "reject");
	signed_by_us(view, "tasks of a handle");
	u_is(view, "refused", HFT_TRADE_REFUSED_TASK);
	compared(view, "tasks", 2, 3);
	next(reader, "reject");
	next(reader, "halt");
	next(reader, "rearm");
	view = next(reader, "reject");
	signed_by_us(view, "admission");
	compared(view, "ppm of the CPU, by itself", 950000, 960000);
	ended(reader);
}

static void a_miss_that_halts_is_evidence(void **state)
{
	struct hft *h = open_soft(8);
	struct hft_ring *ring = open_ring(h, 0), *monitor = open_ring(h, HFT_RING_MONITOR);
	struct hft_task task = make_task(ring, 0);
	const struct hft_event *event;
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	struct hft_event halt;
	char rule[64];
	uint64_t id;

	(void)state;
	task.flags = HFT_TASK_WATCH | HFT_TASK_HALT;
	task.deadline = MS;
	assert_int_equal(hft_submit_at(h, &task, hft_now(), &id), 0);
	do {
		event = wait_for(monitor);
		halt = *event;
		assert_non_null(hft_ring_peek(monitor));	/* it is told once */
		hft_ring_advance(monitor);
	} while (halt.type != HFT_EVENT_HALT);
	hft_ring_close(monitor);
	hft_ring_close(ring);
	hft_close(h);
	reader = reopen("control");
	view = next(reader, "halt");
	snprintf(rule, sizeof(rule), "deadline of task 0x%llx", (unsigned long long)id);
	signed_by_us(view, rule);
	compared(view, "ns of CLOCK_MONOTONIC", (int64_t)halt.deadline, (int64_t)halt.published);
	ended(reader);
}

/* A task waits so long for its worker, as that says. */
static void wait_for_worker(struct hft *h, struct hft_ring *ring, uint64_t ns)
{
	struct hft_task task = make_task(ring, 1);
	const struct hft_event *event;

	task.task_class = CLASS;
	assert_int_equal(hft_submit(h, &task, NULL), 0);
	event = wait_for(ring);
	assert_non_null(event);
	hft_spin_until(event->published + ns);
	hft_ring_begin(ring, event, event->published + ns);
	hft_ring_advance(ring);
	/* The report is read with the next wait. */
	assert_int_equal(hft_wait(ring, 0), -ETIMEDOUT);
}

static struct hft_event response(struct hft_ring *monitor, struct hft_event *anomaly)
{
	struct hft_event event;

	do {
		event = *wait_for(monitor);
		hft_ring_advance(monitor);
		if (event.type == HFT_EVENT_ANOMALY)
			*anomaly = event;
	} while (event.type != HFT_EVENT_RESPONSE);
	return event;
}

static void rules_are_evidence(void **state)
{
	struct hft *h = open_soft(64);
	struct hft_ring *monitor = open_ring(h, HFT_RING_MONITOR);
	struct hft_ring *ring = open_ring(h, HFT_RING_REPORT);
	struct hft_rule rule = {
		.action = HFT_ACTION_SHED, .anomalies = 1U << HFT_ANOMALY_SPIKE,
		.kinds = 1U << HFT_KIND_WAKE, .classes = 1U << CLASS, .count = 1, .number = 5,
		.leave = 100000 * MS, .level = HFT_LEVEL_NORMAL + 1,
	};
	struct hft_task task = make_task(ring, 1);
	struct hft_event anomaly = { 0 };
	const struct hft_log_view *view;
	struct hft_log_reader *reader;
	char text[64];
	int i;

	(void)state;
	assert_int_equal(hft_rule_set(ring, &rule), 0);
	for (i = 0; i < 300; i++)
		wait_for_worker(h, ring, USUAL_NS);
	wait_for_worker(h, ring, SPIKE_NS);
	assert_int_equal(response(monitor, &anomaly).result, HFT_RESPONSE_APPLIED);
	assert_int_equal(hft_submit(h, &task, NULL), -ENOBUFS);
	rule.action = HFT_ACTION_NONE;
	assert_int_equal(hft_rule_set(ring, &rule), 0);
	hft_ring_close(ring);
	hft_ring_close(monitor);
	hft_close(h);
	reader = reopen("control");
	view = next(reader, "throttle");
	snprintf(text, sizeof(text), "rule 5 of ring %u: shed", (unsigned int)anomaly.task);
	signed_by_us(view, text);
	compared(view, "ns", (int64_t)anomaly.deadline, SPIKE_NS);
	view = next(reader, "reject");
	signed_by_us(view, text);
	compared(view, "level", HFT_LEVEL_NORMAL + 1, HFT_LEVEL_NORMAL);
	ended(reader);
}

#define TEST(name)	cmocka_unit_test_setup(name, begin)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(orders_are_read),
		TEST(sizes_differ),
		TEST(executions_are_read),
		TEST(controls_are_read),
		TEST(they_are_reported),
		TEST(without_a_log),
		TEST(halts_are_evidence),
		TEST(refusals_are_evidence),
		TEST(a_miss_that_halts_is_evidence),
		TEST(rules_are_evidence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
