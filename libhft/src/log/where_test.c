// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Is a record as an expression says?
 */
#include <string.h>

#include "../api.h"
#include "read.h"
#include "where.h"

enum { HFT_UNORDERED = 2 };	/* beside -1, 0 and 1 */

static struct hft_where_value hft_where_number(uint64_t number)
{
	return (struct hft_where_value){ .type = HFT_IS_U64, .as.u = number };
}

static struct hft_where_value hft_where_text(const char *text)
{
	return (struct hft_where_value){ .type = HFT_IS_TEXT, .as.s = text };
}

static struct hft_where_value hft_own_value(enum hft_where_own own,
					    const struct hft_log_view *view)
{
	switch (own) {
	case HFT_OWN_TIME:
		return hft_where_number(view->time);
	case HFT_OWN_MONOTONIC:
		return hft_where_number(view->monotonic);
	case HFT_OWN_STAMP:
		return hft_where_number(view->stamp);
	case HFT_OWN_LEVEL:
		return hft_where_number(view->site->level);
	case HFT_OWN_SUBSYSTEM:
		return hft_where_text(view->site->subsystem);
	case HFT_OWN_NAME:
		return hft_where_text(view->site->name);
	case HFT_OWN_FORMAT:
		return hft_where_text(view->site->format);
	case HFT_OWN_FILE:
		return hft_where_text(view->site->file);
	case HFT_OWN_LINE:
		return hft_where_number(view->site->line);
	case HFT_OWN_SEQUENCE:
		return hft_where_number(view->sequence);
	case HFT_OWN_STREAM:
		return hft_where_number(view->stream->id);
	case HFT_OWN_THREAD:
		return hft_where_text(view->stream->thread);
	case HFT_OWN_TID:
		return hft_where_number(view->stream->tid);
	case HFT_OWN_CPU:
		return (struct hft_where_value){ .type = HFT_IS_I64, .as.i = view->stream->cpu };
	case HFT_OWN_PID:
		return hft_where_number(view->stream->log->pid);
	case HFT_OWN_HOST:
		return hft_where_text(view->stream->log->host);
	case HFT_OWN_PROGRAM:
		return hft_where_text(view->stream->log->program);
	default:
		return (struct hft_where_value){ .type = HFT_IS_NONE };
	}
}

static enum hft_where_type hft_type_of(uint8_t type)
{
	switch (type) {
	case HFT_LOG_I64:
		return HFT_IS_I64;
	case HFT_LOG_DOUBLE:
		return HFT_IS_DOUBLE;
	case HFT_LOG_STRING:
	case HFT_LOG_SYMBOL:
		return HFT_IS_TEXT;
	default:
		return HFT_IS_U64;
	}
}

/* Records of a site follow each other often: where the field is, is kept. */
static void hft_find_field(struct hft_where_node *node, const struct hft_log_view_site *site)
{
	uint32_t i = 0;

	while (i < site->nr_fields && strcmp(site->fields[i].name, node->text))
		i++;
	node->site = site;
	node->field = i;
}

static struct hft_where_value hft_where_value(struct hft_where_node *node,
					      const struct hft_log_view *view)
{
	const struct hft_log_view_site *site = view->site;

	if (node->kind == HFT_WHERE_CONSTANT)
		return node->constant;
	if (node->kind == HFT_WHERE_OWN)
		return hft_own_value(node->own, view);
	if (node->site != site)
		hft_find_field(node, site);
	if (node->field == site->nr_fields)
		return (struct hft_where_value){ .type = HFT_IS_NONE };
	return (struct hft_where_value){
		.type = hft_type_of(site->fields[node->field].type),
		.as = view->values[node->field],
	};
}

static int hft_order(bool less, bool more)
{
	return less ? -1 : more;
}

static double hft_as_double(const struct hft_where_value *value)
{
	if (value->type == HFT_IS_U64)
		return (double)value->as.u;
	return value->type == HFT_IS_I64 ? (double)value->as.i : value->as.d;
}

static int hft_compare_integers(const struct hft_where_value *a, const struct hft_where_value *b)
{
	bool a_below = a->type == HFT_IS_I64 && a->as.i < 0;
	bool b_below = b->type == HFT_IS_I64 && b->as.i < 0;

	if (a_below != b_below)
		return a_below ? -1 : 1;
	return hft_order(a->as.u < b->as.u, a->as.u > b->as.u);
}

static int hft_compare(const struct hft_where_value *a, const struct hft_where_value *b)
{
	double x, y;
	int order;

	if (a->type == HFT_IS_NONE || b->type == HFT_IS_NONE ||
	    (a->type == HFT_IS_TEXT) != (b->type == HFT_IS_TEXT))
		return HFT_UNORDERED;
	if (a->type == HFT_IS_TEXT) {
		order = strcmp(a->as.s, b->as.s);
		return hft_order(order < 0, order > 0);
	}
	if (a->type != HFT_IS_DOUBLE && b->type != HFT_IS_DOUBLE)
		return hft_compare_integers(a, b);
	x = hft_as_double(a);
	y = hft_as_double(b);
	return x != x || y != y ? HFT_UNORDERED : hft_order(x < y, x > y);
}

static bool hft_test_order(enum hft_where_kind kind, int order)
{
	switch (kind) {
	case HFT_WHERE_EQUAL:
		return !order;
	case HFT_WHERE_UNEQUAL:
		return order == -1 || order == 1;
	case HFT_WHERE_LESS:
		return order == -1;
	case HFT_WHERE_LESS_EQUAL:
		return order == -1 || !order;
	case HFT_WHERE_MORE:
		return order == 1;
	default:
		return order == 1 || !order;
	}
}

static bool hft_test_value(const struct hft_where_value *value)
{
	switch (value->type) {
	case HFT_IS_NONE:
		return false;
	case HFT_IS_DOUBLE:
		return value->as.d != 0;
	case HFT_IS_TEXT:
		return *value->as.s;
	default:
		return value->as.u;
	}
}

static bool hft_test_like(const struct hft_where_value *text,
			  const struct hft_where_value *pattern)
{
	return text->type == HFT_IS_TEXT &&
	       hft_glob(pattern->as.s, strlen(pattern->as.s), text->as.s);
}

/* The parser bounds the depth of what is not a chain of || or && to the left. */
static bool hft_test_node(struct hft_log_where *where, uint32_t at,
			  const struct hft_log_view *view)
{
	struct hft_where_node *node = &where->nodes[at];
	struct hft_where_value left, right;

	switch (node->kind) {
	case HFT_WHERE_OR:
		return hft_test_node(where, node->left, view) ||
		       hft_test_node(where, node->right, view);
	case HFT_WHERE_AND:
		return hft_test_node(where, node->left, view) &&
		       hft_test_node(where, node->right, view);
	case HFT_WHERE_NOT:
		return !hft_test_node(where, node->left, view);
	default:
		break;
	}
	left = hft_where_value(&where->nodes[node->left], view);
	if (node->kind == HFT_WHERE_TRUE)
		return hft_test_value(&left);
	right = hft_where_value(&where->nodes[node->right], view);
	if (node->kind == HFT_WHERE_LIKE)
		return hft_test_like(&left, &right);
	return hft_test_order(node->kind, hft_compare(&left, &right));
}

/**
 * hft_log_where_test() - is a record as an expression says?
 * @where: the expression; it keeps where it found a field last
 * @view: a record
 *
 * One thread at a time.
 */
HFT_API bool hft_log_where_test(struct hft_log_where *where, const struct hft_log_view *view)
{
	return hft_test_node(where, where->root, view);
}
