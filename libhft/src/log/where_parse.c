// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Expressions, by recursive descent:
 *
 *	or         := and { "||" and }
 *	and        := not { "&&" not }
 *	not        := "!" not | "(" or ")" | comparison
 *	comparison := operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "~") operand ]
 *	operand    := NAME | "@" NAME | NUMBER | "\"" TEXT "\""
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../api.h"
#include "where.h"

#define HFT_WHERE_FAILED	UINT32_MAX

struct hft_where_parser {
	struct hft_log_where *where;
	const char *text, *at;
	const char *error;		/* the first */
	const char *error_at;
	unsigned int depth;
};

static const char *const hft_own_names[HFT_OWN_COUNT] = {
	[HFT_OWN_TIME] = "time", [HFT_OWN_MONOTONIC] = "monotonic", [HFT_OWN_STAMP] = "stamp",
	[HFT_OWN_LEVEL] = "level", [HFT_OWN_SUBSYSTEM] = "subsystem", [HFT_OWN_NAME] = "name",
	[HFT_OWN_FORMAT] = "format", [HFT_OWN_FILE] = "file", [HFT_OWN_LINE] = "line",
	[HFT_OWN_SEQUENCE] = "sequence", [HFT_OWN_STREAM] = "stream",
	[HFT_OWN_THREAD] = "thread", [HFT_OWN_TID] = "tid", [HFT_OWN_CPU] = "cpu",
	[HFT_OWN_PID] = "pid", [HFT_OWN_HOST] = "host", [HFT_OWN_PROGRAM] = "program",
};

static uint32_t hft_where_fail(struct hft_where_parser *p, const char *at, const char *error)
{
	if (!p->error) {
		p->error = error;
		p->error_at = at;
	}
	return HFT_WHERE_FAILED;
}

static uint32_t hft_where_node(struct hft_where_parser *p, enum hft_where_kind kind,
			       uint32_t left, uint32_t right)
{
	struct hft_log_where *where = p->where;
	struct hft_where_node *node;

	if (left == HFT_WHERE_FAILED || right == HFT_WHERE_FAILED)
		return HFT_WHERE_FAILED;
	if (where->nr_nodes == HFT_WHERE_NODES)
		return hft_where_fail(p, p->at, "the expression is too long");
	node = &where->nodes[where->nr_nodes];
	node->kind = kind;
	node->left = left;
	node->right = right;
	return where->nr_nodes++;
}

static void hft_skip_blanks(struct hft_where_parser *p)
{
	p->at += strspn(p->at, " \t\n\r");
}

/* Is @token next?  Then go behind it. */
static bool hft_take(struct hft_where_parser *p, const char *token)
{
	size_t length = strlen(token);

	hft_skip_blanks(p);
	if (strncmp(p->at, token, length))
		return false;
	p->at += length;
	return true;
}

static bool hft_begins_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool hft_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static size_t hft_name_length(const char *text)
{
	size_t length = 0;

	while (hft_begins_name(text[length]) || hft_is_digit(text[length]) || text[length] == '.')
		length++;
	return length;
}

static uint32_t hft_parse_field(struct hft_where_parser *p)
{
	size_t length = hft_name_length(p->at);
	uint32_t node = hft_where_node(p, HFT_WHERE_FIELD, 0, 0);

	if (node == HFT_WHERE_FAILED)
		return node;
	p->where->nodes[node].text = strndup(p->at, length);
	if (!p->where->nodes[node].text)
		return hft_where_fail(p, p->at, "no memory");
	p->at += length;
	return node;
}

static uint32_t hft_parse_own(struct hft_where_parser *p)
{
	size_t length = hft_name_length(p->at + 1);
	uint32_t node, own;

	for (own = 0; own < HFT_OWN_COUNT; own++)
		if (strlen(hft_own_names[own]) == length &&
		    !memcmp(hft_own_names[own], p->at + 1, length))
			break;
	if (own == HFT_OWN_COUNT)
		return hft_where_fail(p, p->at, "a record has nothing of that name");
	node = hft_where_node(p, HFT_WHERE_OWN, 0, 0);
	if (node == HFT_WHERE_FAILED)
		return node;
	p->where->nodes[node].own = own;
	p->at += 1 + length;
	return node;
}

/* Decimal, hexadecimal with 0x, or with a point or an exponent; a sign before it. */
static const char *hft_read_number(const char *text, struct hft_where_value *value)
{
	bool negative = *text == '-';
	const char *digits = text + negative;
	char *end, *real_end;

	errno = 0;
	value->as.u = strtoull(digits, &end, digits[0] == '0' && digits[1] == 'x' ? 16 : 10);
	value->type = HFT_IS_U64;
	if (*end == '.' || *end == 'e' || *end == 'E') {
		errno = 0;
		value->as.d = strtod(text, &real_end);
		value->type = HFT_IS_DOUBLE;
		return errno ? NULL : real_end;
	}
	if (errno || (negative && value->as.u > (uint64_t)INT64_MAX))
		return NULL;
	if (negative) {
		value->as.i = -(int64_t)value->as.u;
		value->type = HFT_IS_I64;
	}
	return end;
}

static uint32_t hft_parse_number(struct hft_where_parser *p)
{
	uint32_t node = hft_where_node(p, HFT_WHERE_CONSTANT, 0, 0);
	const char *end;

	if (node == HFT_WHERE_FAILED)
		return node;
	end = hft_read_number(p->at, &p->where->nodes[node].constant);
	if (!end)
		return hft_where_fail(p, p->at, "a number that is too large");
	if (hft_begins_name(*end) || hft_is_digit(*end))
		return hft_where_fail(p, end, "a number does not go on like this");
	p->at = end;
	return node;
}

/* \" and \\ stand for " and \. */
static uint32_t hft_parse_text(struct hft_where_parser *p)
{
	uint32_t node = hft_where_node(p, HFT_WHERE_CONSTANT, 0, 0);
	const char *from = p->at++;
	struct hft_where_node *made;
	char *to;

	if (node == HFT_WHERE_FAILED)
		return node;
	made = &p->where->nodes[node];
	made->text = malloc(strlen(p->at) + 1);
	if (!made->text)
		return hft_where_fail(p, from, "no memory");
	for (to = made->text; *p->at && *p->at != '"'; p->at++) {
		if (*p->at == '\\' && p->at[1])
			p->at++;
		*to++ = *p->at;
	}
	*to = '\0';
	if (*p->at++ != '"') {
		p->at = from;
		return hft_where_fail(p, from, "a text does not end");
	}
	made->constant.type = HFT_IS_TEXT;
	made->constant.as.s = made->text;
	return node;
}

static uint32_t hft_parse_operand(struct hft_where_parser *p)
{
	hft_skip_blanks(p);
	if (*p->at == '"')
		return hft_parse_text(p);
	if (*p->at == '@')
		return hft_parse_own(p);
	if (hft_begins_name(*p->at))
		return hft_parse_field(p);
	if (hft_is_digit(*p->at) || (*p->at == '-' && hft_is_digit(p->at[1])))
		return hft_parse_number(p);
	return hft_where_fail(p, p->at, *p->at ? "here should be a name, a number or a text" :
						 "the expression ends too early");
}

/* A level is compared by its name: the lower, the graver. */
static bool hft_level_constant(struct hft_where_parser *p, uint32_t level, uint32_t constant)
{
	struct hft_where_node *nodes = p->where->nodes;
	int number;

	if (nodes[level].kind != HFT_WHERE_OWN || nodes[level].own != HFT_OWN_LEVEL ||
	    nodes[constant].kind != HFT_WHERE_CONSTANT ||
	    nodes[constant].constant.type != HFT_IS_TEXT)
		return true;
	number = hft_log_level_parse(nodes[constant].text);
	if (number < 0)
		return false;
	nodes[constant].constant.type = HFT_IS_U64;
	nodes[constant].constant.as.u = (uint64_t)number;
	return true;
}

static enum hft_where_kind hft_parse_operator(struct hft_where_parser *p)
{
	static const struct {
		const char *token;
		enum hft_where_kind kind;
	} operators[] = {
		{ "==", HFT_WHERE_EQUAL }, { "!=", HFT_WHERE_UNEQUAL },
		{ "<=", HFT_WHERE_LESS_EQUAL }, { ">=", HFT_WHERE_MORE_EQUAL },
		{ "<", HFT_WHERE_LESS }, { ">", HFT_WHERE_MORE }, { "~", HFT_WHERE_LIKE },
	};
	size_t i;

	for (i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (hft_take(p, operators[i].token))
			return operators[i].kind;
	return HFT_WHERE_TRUE;
}

static uint32_t hft_parse_comparison(struct hft_where_parser *p)
{
	uint32_t left = hft_parse_operand(p), right;
	enum hft_where_kind kind;
	const char *from;

	if (left == HFT_WHERE_FAILED)
		return left;
	kind = hft_parse_operator(p);
	if (kind == HFT_WHERE_TRUE)
		return hft_where_node(p, kind, left, 0);
	from = p->at;
	right = hft_parse_operand(p);
	if (right == HFT_WHERE_FAILED)
		return right;
	if (kind == HFT_WHERE_LIKE && p->where->nodes[right].constant.type != HFT_IS_TEXT)
		return hft_where_fail(p, from, "~ takes a pattern in quotes");
	if (kind != HFT_WHERE_LIKE &&
	    (!hft_level_constant(p, left, right) || !hft_level_constant(p, right, left)))
		return hft_where_fail(p, from, "no level is called so");
	return hft_where_node(p, kind, left, right);
}

static uint32_t hft_parse_or(struct hft_where_parser *p);

static uint32_t hft_parse_not(struct hft_where_parser *p)
{
	uint32_t node;

	if (p->depth >= HFT_WHERE_DEPTH)
		return hft_where_fail(p, p->at, "the expression is nested too deeply");
	p->depth++;
	if (hft_take(p, "(")) {
		node = hft_parse_or(p);
		if (node != HFT_WHERE_FAILED && !hft_take(p, ")"))
			node = hft_where_fail(p, p->at, "here should be a )");
	} else if (hft_take(p, "!")) {
		node = hft_where_node(p, HFT_WHERE_NOT, hft_parse_not(p), 0);
	} else {
		node = hft_parse_comparison(p);
	}
	p->depth--;
	return node;
}

static uint32_t hft_parse_and(struct hft_where_parser *p)
{
	uint32_t node = hft_parse_not(p);

	while (node != HFT_WHERE_FAILED && hft_take(p, "&&"))
		node = hft_where_node(p, HFT_WHERE_AND, node, hft_parse_not(p));
	return node;
}

static uint32_t hft_parse_or(struct hft_where_parser *p)
{
	uint32_t node = hft_parse_and(p);

	while (node != HFT_WHERE_FAILED && hft_take(p, "||"))
		node = hft_where_node(p, HFT_WHERE_OR, node, hft_parse_and(p));
	return node;
}

static void hft_parse_all(struct hft_where_parser *p)
{
	if (strlen(p->text) > HFT_WHERE_LENGTH) {
		hft_where_fail(p, p->text, "the expression is too long");
		return;
	}
	p->where->root = hft_parse_or(p);
	hft_skip_blanks(p);
	if (!p->error && *p->at)
		hft_where_fail(p, p->at, "the expression does not go on like this");
}

/**
 * hft_log_where_parse() - make an expression that says which records are asked for
 * @where: answered; for hft_log_where_free()
 * @text: conditions, joined by &&, || and !, in parentheses where needed
 * @error: answered with what is wrong with @text; NULL: not needed
 *
 * A condition compares two operands by ==, !=, <, <=, >, >= or ~, or is one operand that is
 * neither 0 nor "".  An operand is the name of a field, a number, a text in double quotes, or
 * what each record has: @time and @monotonic (ns), @stamp, @level (by its name; error is the
 * lowest), @subsystem, @name, @format, @file, @line, @sequence, @stream, @thread, @tid, @cpu,
 * @pid, @host, @program.  ~ takes a pattern in which * stands for any text and ? for a byte.
 *
 * A comparison with a field that a record has not, or of a text with a number, is false,
 * whatever it is by.
 *
 * Any thread.
 *
 * Return: 0, -EINVAL for what is no expression, -ENOMEM.
 */
HFT_API int hft_log_where_parse(struct hft_log_where **where, const char *text,
				struct hft_log_where_error *error)
{
	struct hft_where_parser p = { .text = text, .at = text };

	p.where = calloc(1, sizeof(*p.where));
	if (!p.where)
		return -ENOMEM;
	hft_parse_all(&p);
	if (!p.error) {
		*where = p.where;
		return 0;
	}
	hft_log_where_free(p.where);
	if (error) {
		error->position = (size_t)(p.error_at - text);
		error->text = p.error;
	}
	return -EINVAL;
}

/**
 * hft_log_where_free() - free an expression
 * @where: the one; NULL: nothing happens
 */
HFT_API void hft_log_where_free(struct hft_log_where *where)
{
	uint32_t i;

	if (!where)
		return;
	for (i = 0; i < where->nr_nodes; i++)
		free(where->nodes[i].text);
	free(where);
}
