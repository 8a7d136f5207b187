// SPDX-License-Identifier: LGPL-2.1-or-later
/* hft-log timeline: the schedule as a picture, a row for each worker, by gnuplot. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <common/gnuplot.h>
#include <common/tool.h>

#include "filter.h"
#include "hft-log.h"
#include "schedule.h"

#define WIDTH		1400		/* pixels, as what follows */
#define ROW		28
#define EDGE		40
#define NAME_LETTER	8		/* of a row's name, at most */
#define LABEL_LETTER	7
#define LABEL_LEAST	3		/* letters of a name that is cut */
#define ROWS_MOST	500
#define LABELS_MOST	200
#define RUNS_MOST	100000

enum { TIMELINE_MOST = FILTER_END };

static const struct option options[] = {
	FILTER_OPTIONS,
	{ "output", required_argument, NULL, 'o' },
	{ "most", required_argument, NULL, TIMELINE_MOST },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

/* A run, or from @from on nothing: its deadline was missed.  A label is a name or a cookie. */
struct box {
	uint64_t from;
	uint64_t to;
	uint64_t release;
	uint64_t cookie;
	uint32_t lane;
	enum schedule_kind kind;
	char name[SCHEDULE_NAME];
};

/* A worker, or a CPU of the kernel's. */
struct row {
	char name[96];
	uint32_t lane;
	enum schedule_kind kind;
	uint64_t cpu;
};

/**
 * struct picture - what is to be drawn
 * @boxes: runs
 * @misses: deadlines that were missed
 * @rows: of each lane, 1 + the number of its row; 0: it has none, as nothing runs in it
 * @drawn: rows, those of the kernel behind the others when all are known
 * @first: when the first begins
 * @last: when the last ends
 * @most: runs that there may be
 */
struct picture {
	struct box *boxes;
	struct box *misses;
	size_t nr_boxes;
	size_t nr_misses;
	uint32_t *rows;
	struct row *drawn;
	uint32_t nr_rows;
	uint64_t first;
	uint64_t last;
	uint64_t most;
	bool simulated;
};

static void usage(void)
{
	printf("Usage: hft-log timeline --output FILE.svg|FILE.png [OPTION]... LOG...\n"
	       "Draw what the workers of LOGs have run, and when, by gnuplot: a row for each worker;\n"
	       "a box for each run, with the cookie of its task if there is room; before it a line\n"
	       "from the task's release to its start, which is how long it waited; a cross where a\n"
	       "deadline was missed.  Of the kernel's events: a row for each CPU with the threads\n"
	       "that it ran, and one with its interrupts.\n"
	       "\n"
	       "  -o, --output FILE   what the name ends with says what it is: .svg or .png\n"
	       "  --most N            runs to be drawn, 1 to %u (10000); more are an error: use\n"
	       "                      --from and --to\n"
	       FILTER_HELP
	       "\n"
	       "The schedule is logged at level debug: `hftctl log` turns on sched and pool.  Times\n"
	       "are us since the first run.  A simulated machine has times of its own: the log of\n"
	       "one is drawn alone.\n"
	       "\n"
	       "Exit status: as hft-log --help tells.\n", RUNS_MOST);
}

static int take_lane(struct schedule *schedule, const struct schedule_lane *lane)
{
	struct picture *picture = schedule->context;
	uint32_t *rows = reallocarray(picture->rows, lane->number + 1, sizeof(*rows));

	if (!rows)
		return fail(ENOMEM, "a picture");
	rows[lane->number] = 0;
	picture->rows = rows;
	return 0;
}

static int give_row(struct picture *picture, const struct schedule_lane *lane)
{
	struct row *drawn;

	if (picture->rows[lane->number])
		return 0;
	if (picture->nr_rows && picture->simulated != lane->simulated)
		return fail(EINVAL, "%s has times of this and of a simulated machine: draw one of "
			    "them, by --where", lane->stream->log->path);
	if (picture->nr_rows == ROWS_MOST)
		return fail(E2BIG, "more than %u workers", ROWS_MOST);
	drawn = reallocarray(picture->drawn, picture->nr_rows + 1, sizeof(*drawn));
	if (!drawn)
		return fail(ENOMEM, "a picture");
	picture->drawn = drawn;
	drawn += picture->nr_rows;
	*drawn = (struct row){ .lane = lane->number, .kind = lane->kind, .cpu = lane->cpu };
	schedule_lane_name(lane, drawn->name, sizeof(drawn->name));
	picture->simulated = lane->simulated;
	picture->rows[lane->number] = ++picture->nr_rows;
	return 0;
}

static int add(struct box **boxes, size_t *nr, const struct box *box)
{
	struct box *more = *boxes;

	if (!(*nr & (*nr - 1))) {
		more = reallocarray(*boxes, *nr ? 2 * *nr : 1, sizeof(*more));
		if (!more)
			return fail(ENOMEM, "a picture");
		*boxes = more;
	}
	more[(*nr)++] = *box;
	return 0;
}

static void extend(struct picture *picture, uint64_t from, uint64_t to)
{
	if (!picture->nr_boxes || from < picture->first)
		picture->first = from;
	if (!picture->nr_boxes || to > picture->last)
		picture->last = to;
}

static int take_span(struct schedule *schedule, const struct schedule_lane *lane,
		     const struct schedule_run *run, uint64_t to, bool ended)
{
	struct picture *picture = schedule->context;
	struct box box = {
		.from = run->from, .to = to, .release = run->release, .cookie = run->cookie,
		.lane = lane->number, .kind = lane->kind,
	};
	int err = give_row(picture, lane);

	(void)ended;
	if (err)
		return err;
	memcpy(box.name, run->name, sizeof(box.name));
	if (picture->nr_boxes == picture->most)
		return fail(E2BIG, "more than %" PRIu64 " runs: see --most, --from and --to",
			    picture->most);
	extend(picture, run->from, to);
	return add(&picture->boxes, &picture->nr_boxes, &box);
}

static int take_mark(struct schedule *schedule, const struct schedule_lane *lane, uint64_t at,
		     const struct hft_log_view *view)
{
	struct picture *picture = schedule->context;
	struct box box = { .from = at, .to = at, .lane = lane->number };

	if (lane->kind != SCHEDULE_RING || strcmp(view->site->name, "miss"))
		return 0;
	return add(&picture->misses, &picture->nr_misses, &box);
}

static double us(const struct picture *picture, uint64_t ns)
{
	return (double)(int64_t)(ns - picture->first) / 1e3;
}

static uint32_t row_of(const struct picture *picture, const struct box *box)
{
	return picture->rows[box->lane] - 1;
}

/* Where the rows begin: their names are to the left. */
static double left_of(const struct picture *picture)
{
	size_t longest = 0, length;
	uint32_t i;

	for (i = 0; i < picture->nr_rows; i++) {
		length = strlen(picture->drawn[i].name);
		longest = length > longest ? length : longest;
	}
	return (double)(EDGE + NAME_LETTER * longest);
}

/* How many letters a box has room for */
static size_t room_of(const struct picture *picture, const struct box *box)
{
	double all = us(picture, picture->last);
	double part = us(picture, box->to) - us(picture, box->from);

	if (all <= 0 || part <= 0)
		return 0;
	return (size_t)(part / all * (WIDTH - EDGE - left_of(picture)) / LABEL_LETTER);
}

/* Half a cookie would be another one.  Of a name there is the beginning, of whole letters. */
static size_t label_length(const struct box *box, const char *label, size_t room)
{
	size_t length = strlen(label);

	if (length <= room)
		return length;
	if (box->kind == SCHEDULE_RING || room < LABEL_LEAST)
		return 0;
	while (room && ((unsigned char)label[room] & 0xc0) == 0x80)
		room--;
	return room;
}

/* Names are what a program called its threads: what ends gnuplot's text or line is none. */
static void write_label(FILE *f, const struct box *box, size_t room)
{
	char label[SCHEDULE_NAME + 24] = "";
	const char *at = label;
	size_t length;

	if (box->kind == SCHEDULE_RING)
		snprintf(label, sizeof(label), "%" PRIu64, box->cookie);
	else
		snprintf(label, sizeof(label), "%s", box->name);
	for (length = label_length(box, label, room); length; length--, at++)
		putc(*at == '"' || *at == '\\' || (unsigned char)*at < ' ' ? '?' : *at, f);
}

static void write_runs(FILE *f, const struct picture *picture)
{
	size_t i;

	fputs("$runs << end\n", f);
	for (i = 0; i < picture->nr_boxes; i++) {
		const struct box *box = &picture->boxes[i];

		fprintf(f, "%.3f %.3f %" PRIu32 " \"", us(picture, box->from),
			us(picture, box->to), row_of(picture, box));
		if (picture->nr_boxes <= LABELS_MOST)
			write_label(f, box, room_of(picture, box));
		fputs("\"\n", f);
	}
	fputs("end\n", f);
}

/* Returns how many there are. */
static size_t write_waits(FILE *f, const struct picture *picture)
{
	size_t i, nr = 0;

	fputs("$waits << end\n", f);
	for (i = 0; i < picture->nr_boxes; i++) {
		const struct box *box = &picture->boxes[i];
		uint64_t from = box->release > picture->first ? box->release : picture->first;

		if (!box->release || from >= box->from)
			continue;
		fprintf(f, "%.3f %" PRIu32 " %.3f\n", us(picture, from), row_of(picture, box),
			us(picture, box->from) - us(picture, from));
		nr++;
	}
	fputs("end\n", f);
	return nr;
}

/* Likewise. */
static size_t write_misses(FILE *f, const struct picture *picture)
{
	size_t i, nr = 0;

	fputs("$misses << end\n", f);
	for (i = 0; i < picture->nr_misses; i++) {
		const struct box *box = &picture->misses[i];

		if (!picture->rows[box->lane])
			continue;
		fprintf(f, "%.3f %" PRIu32 "\n", us(picture, box->from), row_of(picture, box));
		nr++;
	}
	fputs("end\n", f);
	return nr;
}

static void write_script(FILE *f, const struct picture *picture, const char *path)
{
	const char *terminal = strcmp(path + strlen(path) - 4, ".svg") ? "png" : "svg";
	double end = us(picture, picture->last);
	size_t waits, misses;
	uint32_t i;

	write_runs(f, picture);
	waits = write_waits(f, picture);
	misses = write_misses(f, picture);
	fprintf(f, "set terminal %s size %u,%u\n"
		   "set lmargin at screen %.4f\nset rmargin at screen %.4f\nset output ",
		terminal, WIDTH, 120 + ROW * picture->nr_rows, left_of(picture) / WIDTH,
		1 - (double)EDGE / WIDTH);
	gnuplot_quote(f, path);
	fputs("\nset ytics (", f);
	for (i = 0; i < picture->nr_rows; i++) {
		fputs(i ? ", " : "", f);
		gnuplot_quote(f, picture->drawn[i].name);
		fprintf(f, " %u", i);
	}
	fprintf(f, ") noenhanced\nset xlabel 'us'\nset yrange [%u.6:-0.6]\nset xrange [0:%.3f]\n"
		   "set key outside top right horizontal\nset style fill solid 0.4 border\n"
		   "plot $runs using (($1 + $2) / 2):3:1:2:($3 - 0.4):($3 + 0.4) with boxxyerror "
		   "title 'runs', "
		   "$runs using (($1 + $2) / 2):3:4 with labels font ',8' noenhanced notitle",
		picture->nr_rows - 1, end > 0 ? end : 1);
	/* It warns of what has no points. */
	if (waits)
		fputs(", $waits using 1:2:3:(0) with vectors nohead lc 'gray40' title 'waits'", f);
	if (misses)
		fputs(", $misses using 1:2 with points pt 2 ps 2 lw 2 lc 'red' title 'missed'", f);
	putc('\n', f);
}

static int compare_rows(const void *left, const void *right)
{
	const struct row *a = left, *b = right;
	bool is_kernel = a->kind >= SCHEDULE_CPU;

	if (is_kernel != (b->kind >= SCHEDULE_CPU))
		return is_kernel ? 1 : -1;
	if (!is_kernel)
		return a->lane < b->lane ? -1 : 1;
	if (a->cpu != b->cpu)
		return a->cpu < b->cpu ? -1 : 1;
	return a->kind != b->kind ? (int)a->kind - (int)b->kind : a->lane < b->lane ? -1 : 1;
}

static void sort_rows(struct picture *picture)
{
	uint32_t i;

	if (picture->nr_rows)
		qsort(picture->drawn, picture->nr_rows, sizeof(*picture->drawn), compare_rows);
	for (i = 0; i < picture->nr_rows; i++)
		picture->rows[picture->drawn[i].lane] = i + 1;
}

static int draw(struct picture *picture, const char *path)
{
	FILE *f;

	if (!picture->nr_boxes)
		return fail(ENOENT, "there is nothing that has run: is the level of sched or pool debug?");
	sort_rows(picture);
	f = gnuplot_open();
	if (!f)
		return -errno;
	write_script(f, picture, path);
	return gnuplot_close(f, path);
}

static int draw_all(struct filter *filter, struct hft_log_reader *reader,
		    struct picture *picture, const char *path)
{
	struct schedule schedule = {
		.lane = take_lane, .span = take_span, .mark = take_mark, .context = picture,
	};
	const struct hft_log_view *view;
	int ret = 0, err = 0;

	while (!err && (ret = hft_log_reader_next(reader, &view)) > 0)
		err = schedule_take(&schedule, view);
	if (!err)
		err = schedule_end(&schedule);
	if (!err && ret >= 0)
		err = draw(picture, path);
	schedule_free(&schedule);
	free(picture->boxes);
	free(picture->misses);
	free(picture->rows);
	free(picture->drawn);
	return err ? STATUS_USAGE : filter_status(filter, ret);
}

static bool is_picture(const char *path)
{
	size_t length = strlen(path);

	return length > 4 && (!strcmp(path + length - 4, ".svg") ||
			      !strcmp(path + length - 4, ".png"));
}

static int parse(int argc, char **argv, struct filter *filter, const char **path, uint64_t *most)
{
	int option, ret = 0;

	while (!ret && (option = getopt_long(argc, argv, "ho:", options, NULL)) != -1) {
		if (option == 'h') {
			usage();
			return -1;
		}
		if (option == 'o')
			*path = optarg;
		else if (option != TIMELINE_MOST)
			ret = filter_option(filter, option, optarg);
		else if (!parse_number(optarg, 10, 1, RUNS_MOST, most))
			ret = wrong_usage("--most %s is no number from 1 to %u", optarg, RUNS_MOST);
	}
	if (!ret && (!*path || !is_picture(*path)))
		ret = wrong_usage("--output needs a name that ends with .svg or .png");
	return ret;
}

int cmd_timeline(int argc, char **argv)
{
	struct picture picture = { .most = 10000 };
	struct hft_log_reader *reader;
	const char *path = NULL;
	struct filter filter;
	int status;

	tool_help = "hft-log timeline --help";
	filter_begin(&filter);
	filter.opts.subsystems = "sched,pool,kernel,hft";	/* hft:lost */
	status = parse(argc, argv, &filter, &path, &picture.most);
	if (!status)
		status = filter_open(&filter, &reader, argv + optind, argc - optind);
	if (!status) {
		status = draw_all(&filter, reader, &picture, path);
		hft_log_reader_close(reader);
	}
	filter_end(&filter);
	return status < 0 ? STATUS_OK : status;
}
