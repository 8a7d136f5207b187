// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl analyze: are the tasks of a file schedulable on one CPU? */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hft/analyze.h>
#include <hft/hft.h>

#include "hftctl.h"

#define LINE_SIZE	4096

struct file {
	const char *name;
	FILE *f;
	unsigned int line;
	char text[LINE_SIZE];
	struct hft_analyze_task *task;
	unsigned int *line_of;
	uint32_t nr;
};

static const char *const policies[] = {
	[HFT_ANALYZE_EDF] = "edf",
	[HFT_ANALYZE_RM] = "rm",
	[HFT_ANALYZE_DM] = "dm",
	[HFT_ANALYZE_FP] = "fp",
};

int analyze_policy(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(policies) / sizeof(policies[0]); i++)
		if (!strcmp(policies[i], name))
			return (int)i;
	return -EINVAL;
}

static int bad_line(const struct file *file, const char *reason)
{
	fail(0, "%s:%u: %s", file->name, file->line, reason);
	return -EINVAL;
}

/* Returns 1, 0 at the end of the file, or -errno. */
static int read_line(struct file *file)
{
	size_t length = 0;
	int c;

	c = getc(file->f);
	if (c != EOF)
		file->line++;
	for (; c != EOF && c != '\n'; c = getc(file->f)) {
		if (!c)
			return bad_line(file, "a NUL byte: not a text file");
		if (length == sizeof(file->text) - 1)
			return bad_line(file, "more than 4095 characters");
		file->text[length++] = (char)c;
	}
	file->text[length] = '\0';
	if (ferror(file->f))
		return fail(errno, "%s", file->name);
	return c != EOF || length;
}

static char *skip_blanks(char *text)
{
	while (isspace((unsigned char)*text))
		text++;
	return text;
}

/* A number and what must follow it. */
static int read_number(const struct file *file, char **text, char next, const char *what,
		       uint64_t *number)
{
	char reason[128];
	char *end;

	*text = skip_blanks(*text);
	errno = 0;
	*number = strtoull(*text, &end, 10);
	if (!isdigit((unsigned char)**text) || errno || !*number || *number > HFT_ANALYZE_MAX_NS) {
		snprintf(reason, sizeof(reason), "%s is not a number of ns, 1 to %" PRIu64, what,
			 (uint64_t)HFT_ANALYZE_MAX_NS);
		return bad_line(file, reason);
	}
	end = skip_blanks(end);
	if (*end != next) {
		snprintf(reason, sizeof(reason),
			 "%s after %s: a line is wcet,period,deadline in ns",
			 *end ? "unexpected text" : "nothing", what);
		return bad_line(file, reason);
	}
	*text = next ? end + 1 : end;
	return 0;
}

static int read_task(struct file *file, char *text)
{
	struct hft_analyze_task *t = &file->task[file->nr];
	int err;

	if (file->nr == HFT_ANALYZE_MAX_TASKS)
		return bad_line(file, "more tasks than can be analyzed: 4096");
	err = read_number(file, &text, ',', "the wcet (1st)", &t->wcet);
	if (!err)
		err = read_number(file, &text, ',', "the period (2nd)", &t->period);
	if (!err)
		err = read_number(file, &text, '\0', "the deadline (3rd)", &t->deadline);
	if (err)
		return err;
	file->line_of[file->nr++] = file->line;
	return 0;
}

static int read_tasks(struct file *file)
{
	char *text, *comment;
	int ret;

	while ((ret = read_line(file)) > 0) {
		comment = strchr(file->text, '#');
		if (comment)
			*comment = '\0';
		text = skip_blanks(file->text);
		if (!*text)
			continue;
		ret = read_task(file, text);
		if (ret)
			break;
	}
	if (!ret && !file->nr) {
		fail(0, "%s: there are no tasks in it", file->name);
		ret = -EINVAL;
	}
	return ret;
}

static json_t *first_missed(const struct file *file, const struct hft_analysis *analysis)
{
	if (analysis->missed_task == HFT_ANALYZE_NONE)
		return json_null();
	return json_pack("{s:I, s:I, s:I}",
			 "task", (json_int_t)analysis->missed_task,
			 "line", (json_int_t)file->line_of[analysis->missed_task],
			 "deadline_ns", (json_int_t)analysis->missed_deadline);
}

static json_t *responses(const uint64_t *response, uint32_t nr)
{
	json_t *array = json_array();
	uint32_t i;

	for (i = 0; i < nr; i++)
		json_array_append_new(array, response[i] == HFT_ANALYZE_UNBOUNDED ?
					     json_null() : json_integer((json_int_t)response[i]));
	return array;
}

static int add_breakdown(const struct file *file, const struct hft_analyze_opts *opts,
			 json_t *value)
{
	struct hft_breakdown breakdown;
	int err;

	err = hft_analyze_breakdown(file->task, file->nr, opts, &breakdown);
	if (err)
		return fail_hft(err, file->name);
	json_object_set_new(value, "breakdown",
			    json_pack("{s:f, s:f, s:b}", "scale", breakdown.scale,
				      "utilisation", breakdown.utilisation,
				      "exact", breakdown.exact));
	return 0;
}

static int analyze_tasks(const struct file *file, const struct analyze_args *args,
			 uint64_t *response, json_t **value)
{
	struct hft_analyze_opts opts = {
		.sz = sizeof(opts),
		.policy = (uint32_t)args->policy,
		.max_steps = args->max_steps,
	};
	struct hft_analysis analysis;
	int err;

	err = hft_analyze(file->task, file->nr, &opts, &analysis, response);
	if (err)
		return fail_hft(err, file->name);
	*value = json_pack("{s:s, s:b, s:f, s:f, s:o, s:o}",
			   "policy", policies[args->policy],
			   "schedulable", analysis.schedulable,
			   "utilisation", analysis.utilisation,
			   "density", analysis.density,
			   "response_ns", responses(response, file->nr),
			   "first_missed", first_missed(file, &analysis));
	if (!*value)
		return fail(ENOMEM, "%s", file->name);
	if (args->breakdown)
		err = add_breakdown(file, &opts, *value);
	if (err)
		json_decref(*value);
	return err;
}

static int analyze_open_file(struct file *file, const struct analyze_args *args, json_t **value)
{
	uint64_t *response = calloc(HFT_ANALYZE_MAX_TASKS, sizeof(*response));
	int err;

	file->task = calloc(HFT_ANALYZE_MAX_TASKS, sizeof(*file->task));
	file->line_of = calloc(HFT_ANALYZE_MAX_TASKS, sizeof(*file->line_of));
	if (response && file->task && file->line_of)
		err = read_tasks(file);
	else
		err = fail(ENOMEM, "%s", file->name);
	if (!err)
		err = analyze_tasks(file, args, response, value);
	free(response);
	free(file->task);
	free(file->line_of);
	return err;
}

int analyze_file(const char *path, const struct analyze_args *args, json_t **value)
{
	bool is_stdin = !strcmp(path, "-");
	struct file file = { .name = is_stdin ? "standard input" : path };
	int err;

	file.f = is_stdin ? stdin : fopen(path, "re");
	if (!file.f)
		return fail(errno, "%s", path);
	err = analyze_open_file(&file, args, value);
	if (!is_stdin)
		fclose(file.f);
	return err;
}
