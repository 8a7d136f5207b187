// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hft-log report: what the record of an event needs from other events.
 *
 * Ids may be used again, on another day: so an order is the last of its id, and a route is one
 * of many of its id, counted from 1.  In the first pass a reject marks the one that is the last
 * by then; the second pass counts again and asks.
 */
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define KEY	800u
#define KEPT	'r'			/* first letter of the key of what stays */

/* @hash: of @key: what is compared first, since keys begin alike */
struct node {
	uint64_t value;
	uint64_t hash;
	char key[];
};

struct report_index {
	void *nodes;			/* of tsearch() */
};

static int compare(const void *one, const void *other)
{
	const struct node *a = one, *b = other;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return strcmp(a->key, b->key);
}

/* FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo, 1991) */
static void set_key(struct node *node, const char *key)
{
	strcpy(node->key, key);
	node->hash = 0xcbf29ce484222325;
	for (; *key; key++)
		node->hash = (node->hash ^ (unsigned char)*key) * 0x100000001b3;
}

struct report_index *index_new(void)
{
	return calloc(1, sizeof(struct report_index));
}

void index_free(struct report_index *index)
{
	if (!index)
		return;
	tdestroy(index->nodes, free);
	free(index);
}

static void again(const void *at, VISIT visit, int depth)
{
	struct node *node = *(struct node *const *)at;

	(void)depth;
	if ((visit == preorder || visit == leaf) && *node->key != KEPT)
		node->value = 0;
}

/* The second pass: what the first has learned of rejects stays. */
void index_again(struct report_index *index)
{
	twalk(index->nodes, again);
}

static struct node *find(const struct report_index *index, const char *key)
{
	struct node *probe = alloca(sizeof(*probe) + strlen(key) + 1), **found;

	set_key(probe, key);
	found = tfind(probe, &index->nodes, compare);
	return found ? *found : NULL;
}

static int set(struct report_index *index, const char *key, uint64_t value)
{
	struct node *node = find(index, key);

	if (!node) {
		node = malloc(sizeof(*node) + strlen(key) + 1);
		if (!node)
			return -ENOMEM;
		set_key(node, key);
		if (!tsearch(node, &index->nodes, compare)) {
			free(node);
			return -ENOMEM;
		}
	}
	node->value = value;
	return 0;
}

/* Ids are checked where they are reported: what is cut here is too long there. */
static void order_key(char *key, const char *symbol, const char *order)
{
	snprintf(key, KEY, "o\n%.300s\n%.300s", symbol, order);
}

static bool route_key(char *key, const struct hft_log_view *e, const char *what)
{
	const char *symbol = event_text(e, "symbol"), *order = event_text(e, "order");
	const char *route = event_text(e, "route");

	if (!symbol || !order || !route)
		return false;
	snprintf(key, KEY, "n %s\n%.200s\n%.200s\n%.200s", what, symbol, order, route);
	return true;
}

static const char *route_event(const struct hft_log_view *e)
{
	static const char *const names[] = { "order_routed", "route_modified", "route_cancelled" };
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (event_is(e, "trade", names[i]))
			return names[i];
	}
	return NULL;
}

static int add_route(struct report_index *index, const struct hft_log_view *e, const char *what)
{
	struct node *node;
	char key[KEY];

	if (!route_key(key, e, what))
		return 0;
	node = find(index, key);
	return set(index, key, node ? node->value + 1 : 1);
}

static void count_of(char *key, uint64_t number)
{
	size_t length = strlen(key);

	snprintf(key + length, KEY - length, "\n%" PRIu64, number);
}

static int add_reject(struct report_index *index, const struct hft_log_view *e)
{
	struct node *node;
	const char *what;
	char key[KEY];

	switch (event_number(e, "refused")) {
	case HFT_TRADE_REFUSED_ROUTE:
		what = "order_routed";
		break;
	case HFT_TRADE_REFUSED_ROUTE_MODIFY:
		what = "route_modified";
		break;
	case HFT_TRADE_REFUSED_ROUTE_CANCEL:
		what = "route_cancelled";
		break;
	default:
		return 0;
	}
	if (!route_key(key, e, what))
		return 0;
	node = find(index, key);
	if (!node)
		return 0;
	count_of(key, node->value);
	*key = KEPT;
	return set(index, key, 1);
}

/* A new id, of a new order or of one that was modified. */
static int add_order(struct report_index *index, const struct hft_log_view *e)
{
	const char *symbol = event_text(e, "symbol"), *order = event_text(e, "order");
	uint64_t ns = event_number(e, "order_ns");
	char key[KEY];

	if (!symbol || !order)
		return 0;
	if (!ns && event_is(e, "trade", "order_modified") && !event_text(e, "prior"))
		return 0;
	order_key(key, symbol, order);
	return set(index, key, ns ? ns : event_time(e));
}

int index_add(struct report_index *index, const struct hft_log_view *e)
{
	const char *what = route_event(e);

	if (what)
		return add_route(index, e, what);
	if (event_is(e, "trade", "order_new") || event_is(e, "trade", "order_modified"))
		return add_order(index, e);
	return event_is(e, "control", "reject") ? add_reject(index, e) : 0;
}

/* When an order got its id. */
bool index_order(const struct report_index *index, const char *symbol, const char *order,
		 uint64_t *key)
{
	struct node *node;
	char text[KEY];

	order_key(text, symbol, order);
	node = find(index, text);
	if (!node || !node->value)
		return false;
	*key = node->value;
	return true;
}

/* Was what @e did to a route rejected, then or later? */
bool index_rejected(const struct report_index *index, const struct hft_log_view *e)
{
	const char *what = route_event(e);
	struct node *node;
	char key[KEY];

	if (!what || !route_key(key, e, what))
		return false;
	node = find(index, key);
	if (!node)
		return false;
	count_of(key, node->value);
	*key = KEPT;
	return find(index, key);
}
