// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Which records are asked for: known of a call site once, of a packet by its head or the
 * index, and else of each record.
 */
#include <string.h>

#include "read.h"

#define HFT_ASKED(type)	(1u << ((type) - 'a'))

void hft_read_filter_begin(struct hft_log_reader *reader)
{
	const struct hft_log_reader_opts *opts = &reader->opts;

	if (opts->classes)
		reader->asked |= HFT_ASKED(HFT_LOG_CLASS);
	if (opts->nr_tasks)
		reader->asked |= HFT_ASKED(HFT_LOG_TASK);
	if (opts->nr_symbols)
		reader->asked |= HFT_ASKED(HFT_LOG_SYMBOL);
	reader->filters = reader->asked || opts->from || opts->to || opts->levels;
}

static bool hft_subsystem_wanted(const char *patterns, const char *subsystem)
{
	size_t length;

	for (; patterns; patterns = patterns[length] ? patterns + length + 1 : NULL) {
		length = strcspn(patterns, ",");
		if (hft_glob(patterns, length, subsystem))
			return true;
	}
	return false;
}

void hft_read_filter_site(struct hft_log_reader *reader, struct hft_read_site *site)
{
	const struct hft_log_reader_opts *opts = &reader->opts;
	uint32_t i, has = 0;

	for (i = 0; i < site->view.nr_fields; i++)
		has |= HFT_ASKED(site->view.fields[i].type);
	site->wanted = (!opts->levels || opts->levels >> site->view.level & 1) &&
		       (!opts->subsystems ||
			hft_subsystem_wanted(opts->subsystems, site->view.subsystem)) &&
		       !(reader->asked & ~has);
}

static bool hft_task_wanted(const struct hft_log_reader_opts *opts, uint64_t task)
{
	uint32_t i;

	for (i = 0; i < opts->nr_tasks; i++)
		if (opts->tasks[i] == task)
			return true;
	return false;
}

static bool hft_symbol_wanted(const struct hft_log_reader_opts *opts, const char *symbol)
{
	uint32_t i;

	for (i = 0; i < opts->nr_symbols; i++)
		if (!strcmp(opts->symbols[i], symbol))
			return true;
	return false;
}

static bool hft_value_wanted(const struct hft_log_reader_opts *opts, uint8_t type,
			     const union hft_log_view_value *value)
{
	switch (type) {
	case HFT_LOG_TASK:
		return hft_task_wanted(opts, value->u);
	case HFT_LOG_CLASS:
		return value->u < 64 && opts->classes >> value->u & 1;
	case HFT_LOG_SYMBOL:
		return hft_symbol_wanted(opts, value->s);
	default:
		return false;
	}
}

/* Of each kind that is asked for one field has to be as it is asked. */
bool hft_read_filter_values(struct hft_log_reader *reader, const struct hft_log_view *view)
{
	const struct hft_log_view_site *site = view->site;
	uint32_t i, missing = reader->asked;

	for (i = 0; missing && i < site->nr_fields; i++)
		if (missing & HFT_ASKED(site->fields[i].type) &&
		    hft_value_wanted(&reader->opts, site->fields[i].type, &view->values[i]))
			missing &= ~HFT_ASKED(site->fields[i].type);
	return !missing && (!reader->opts.where ||
			    hft_log_where_test(reader->opts.where, view));
}

bool hft_read_filter_times(struct hft_log_reader *reader, struct hft_read_clock *clock,
			   uint64_t begin, uint64_t end)
{
	const struct hft_log_reader_opts *opts = &reader->opts;

	return (!opts->from || hft_read_time(clock, end) >= opts->from) &&
	       (!opts->to || hft_read_time(clock, begin) < opts->to);
}

static bool hft_index_has_task(const struct hft_log_reader_opts *opts,
			       const struct hft_log_index *index)
{
	uint32_t i;

	for (i = 0; i < opts->nr_tasks; i++)
		if (hft_log_bloom_task(index->tasks, opts->tasks[i]))
			return true;
	return !opts->nr_tasks;
}

static bool hft_index_has_symbol(const struct hft_log_reader_opts *opts,
				 const struct hft_log_index *index)
{
	uint32_t i;

	for (i = 0; i < opts->nr_symbols; i++)
		if (hft_log_bloom_symbol(index->symbols, opts->symbols[i],
					 strlen(opts->symbols[i])))
			return true;
	return !opts->nr_symbols;
}

/* May the packet have a record that is asked for? */
bool hft_read_filter_index(struct hft_log_reader *reader, struct hft_read_clock *clock,
			   const struct hft_log_index *index)
{
	const struct hft_log_reader_opts *opts = &reader->opts;

	return hft_read_filter_times(reader, clock, index->begin, index->end) &&
	       (!opts->levels || opts->levels & index->levels) &&
	       (!opts->classes || opts->classes & index->classes) &&
	       hft_index_has_task(opts, index) && hft_index_has_symbol(opts, index);
}
