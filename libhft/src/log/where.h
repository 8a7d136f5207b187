/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An expression over the fields of a record, as a tree in an array. */
#ifndef HFT_LOG_WHERE_H
#define HFT_LOG_WHERE_H

#include <hft/log_read.h>

#define HFT_WHERE_NODES		1024u
#define HFT_WHERE_DEPTH		64u
#define HFT_WHERE_LENGTH	65536u

enum hft_where_kind {
	/* of two conditions, or one */
	HFT_WHERE_OR,
	HFT_WHERE_AND,
	HFT_WHERE_NOT,
	/* of two operands */
	HFT_WHERE_EQUAL,
	HFT_WHERE_UNEQUAL,
	HFT_WHERE_LESS,
	HFT_WHERE_LESS_EQUAL,
	HFT_WHERE_MORE,
	HFT_WHERE_MORE_EQUAL,
	HFT_WHERE_LIKE,
	/* an operand that is there and is neither 0 nor "" */
	HFT_WHERE_TRUE,
	/* operands */
	HFT_WHERE_CONSTANT,
	HFT_WHERE_FIELD,
	HFT_WHERE_OWN,
};

/* What begins with an @: of the record, and not one of its fields. */
enum hft_where_own {
	HFT_OWN_TIME,
	HFT_OWN_MONOTONIC,
	HFT_OWN_STAMP,
	HFT_OWN_LEVEL,
	HFT_OWN_SUBSYSTEM,
	HFT_OWN_NAME,
	HFT_OWN_FORMAT,
	HFT_OWN_FILE,
	HFT_OWN_LINE,
	HFT_OWN_SEQUENCE,
	HFT_OWN_STREAM,
	HFT_OWN_THREAD,
	HFT_OWN_TID,
	HFT_OWN_CPU,
	HFT_OWN_PID,
	HFT_OWN_HOST,
	HFT_OWN_PROGRAM,
	HFT_OWN_COUNT,
};

enum hft_where_type { HFT_IS_NONE, HFT_IS_U64, HFT_IS_I64, HFT_IS_DOUBLE, HFT_IS_TEXT };

struct hft_where_value {
	enum hft_where_type type;
	union hft_log_view_value as;
};

struct hft_where_node {
	enum hft_where_kind kind;
	uint32_t left, right;
	enum hft_where_own own;
	char *text;				/* of a field or a constant */
	struct hft_where_value constant;
	/* Where the field was last found. */
	const struct hft_log_view_site *site;
	uint32_t field;
};

struct hft_log_where {
	struct hft_where_node nodes[HFT_WHERE_NODES];
	uint32_t nr_nodes, root;
};

#endif /* HFT_LOG_WHERE_H */
