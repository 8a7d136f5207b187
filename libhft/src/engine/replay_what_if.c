// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What if: the machine is told what was recorded, and goes its own way, once as it was and
 * once with something changed.
 *
 * A task takes as long as its event did when it was recorded: by the worker's report, or
 * else from when it could begin until the worker was done.
 *
 * A worker that sleeps wakes as late as it did for that event: as it was, when the record says
 * that it was there; with a change, so much behind the interrupt as that was.  So a lead that
 * is longer has it there sooner, and it waits for the release.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <hft/stats.h>

#include "replay.h"

#define MOST_COST_NS	1000000000000ull
#define PPM		1000000

/* Of tasks of a class on a ring */
struct tally {
	struct hft_what_if_side counts;
	uint64_t recorded;		/* deadlines that were missed */
	struct hft_histogram *response;
	struct hft_histogram *start;
};

/* What is known of how long a task takes: of the job that comes, and of the one before. */
struct cost {
	uint32_t event;			/* index of its record; 0: none is left */
	uint64_t last;
};

/**
 * struct run - what is known of an event that was dispatched
 * @ns: that it took
 * @ready: when its worker was there
 * @wake_ns: from the interrupt, or what dispatched it, until then
 * @missed: its deadline came before its end
 */
struct run {
	uint64_t ns;
	uint64_t ready;
	uint64_t wake_ns;
	bool missed;
};

/**
 * struct what_if - one way that it goes
 * @change: what is; NULL: nothing
 * @before: how it goes without; NULL: it is that one
 * @r: the replay that it is of
 * @costs: by task
 * @runs: by index of an event's record
 * @tallies: by ring and class; NULL: none
 * @err: why something is not counted
 */
struct what_if {
	const struct hft_what_if *change;
	const struct what_if *before;
	struct replay *r;
	struct cost *costs;
	struct run *runs;
	struct tally *tallies[HFT_MAX_RINGS][HFT_CLASSES];
	int err;
};

static void free_tally(struct tally *tally)
{
	if (!tally)
		return;
	hft_histogram_close(tally->response);
	hft_histogram_close(tally->start);
	free(tally);
}

static struct tally *make_tally(void)
{
	struct tally *tally = calloc(1, sizeof(*tally));

	if (tally && !hft_histogram_open(&tally->response) && !hft_histogram_open(&tally->start))
		return tally;
	free_tally(tally);
	return NULL;
}

/* Of a submission; NULL: there is no memory, or no such ring or class. */
static struct tally *tally_of(struct what_if *it, size_t index)
{
	const uint64_t *words = it->r->recording.records[index].words;
	struct tally **tally;

	if (words[6] >= HFT_MAX_RINGS || words[10] >= HFT_CLASSES)
		return NULL;
	tally = &it->tallies[words[6]][words[10]];
	if (!*tally)
		*tally = make_tally();
	if (!*tally)
		it->err = -ENOMEM;
	return *tally;
}

void hft_what_if_refused(struct replay *r, size_t index)
{
	struct tally *tally = tally_of(r->what_if, index);

	if (tally)
		tally->counts.refused++;
}

void hft_what_if_note(const struct hft_sim_record *record, void *arg)
{
	struct replay *r = arg;
	struct tally *tally = tally_of(r->what_if, r->tasks[record->cookie].record);

	if (!tally)
		return;
	switch (record->what) {
	case HFT_SIM_RELEASE:
		tally->counts.jobs++;
		break;
	case HFT_SIM_START:
		hft_histogram_record(tally->start, record->value);
		break;
	case HFT_SIM_END:
		tally->counts.ended++;
		hft_histogram_record(tally->response, record->value);
		break;
	case HFT_SIM_MISS:
		tally->counts.missed++;
		break;
	case HFT_SIM_DROP:
		tally->counts.dropped++;
		break;
	}
}

/* Is the policy another, whatever was asked for? */
bool hft_what_if_has_policy(const struct replay *r)
{
	const struct hft_what_if *change = r->what_if->change;

	return change && change->fields & HFT_WHAT_IF_POLICY;
}

bool hft_what_if_has_lead(const struct replay *r)
{
	const struct hft_what_if *change = r->what_if->change;

	return change && change->fields & HFT_WHAT_IF_LEAD;
}

bool hft_what_if_has_cpus(const struct replay *r)
{
	const struct hft_what_if *change = r->what_if->change;

	return change && change->fields & HFT_WHAT_IF_CPUS;
}

void hft_what_if_change(const struct replay *r, struct hft_ring_opts *opts)
{
	const struct hft_what_if *change = r->what_if->change;

	if (!change || opts->flags & HFT_RING_MONITOR)
		return;
	if (hft_what_if_has_policy(r))
		opts->policy = change->policy;
	if (hft_what_if_has_lead(r))
		opts->lead_ns = change->lead_ns;
	if (hft_what_if_has_cpus(r))
		opts->cpu %= change->cpus;
}

static uint64_t cost_of(const struct hft_event *event, void *arg)
{
	struct what_if *it = arg;
	struct cost *cost = &it->costs[event->cookie];
	uint64_t scale = it->change && it->change->fields & HFT_WHAT_IF_COST ?
			 it->change->cost_ppm : PPM;
	uint64_t ns = cost->last;

	if (cost->event) {
		ns = it->runs[cost->event].ns;
		cost->event = it->r->next_event[cost->event];
		cost->last = ns;
	}
	return (uint64_t)((unsigned __int128)ns * scale / PPM);
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* It may be there already, as a lead is learned again, or the simulated CPU was busy. */
static uint64_t wakeup_of(const struct hft_event *event, uint64_t now, void *arg)
{
	struct what_if *it = arg;
	uint32_t index = it->costs[event->cookie].event;
	struct run *run = &it->runs[index];

	if (it->before)
		return it->before->runs[index].wake_ns;
	if (index)
		run->wake_ns = run->ready > now ? least(run->ready - now, MOST_COST_NS) : 0;
	return run->wake_ns;
}

void hft_what_if_wake_ups(struct replay *r)
{
	r->sim->wakeup = wakeup_of;
	r->sim->wakeup_arg = r->what_if;
}

/* A ring's worker: the simulation's, as nobody else takes its tasks. */
int hft_what_if_work(struct replay *r, struct hft_ring *ring)
{
	HFT_OPTS(hft_sim_worker_opts, worker, .cost = cost_of, .arg = r->what_if);
	const struct hft_sim_ring *made = ring->state;

	if (made == r->sim->monitor)
		return 0;
	return hft_sim_worker_add(r->sim, hft_ring_number(ring), &worker);
}

/* The next event of a ring behind @index; 0: there is none. */
static size_t event_behind(const struct hft_recording *recording, size_t index, uint64_t ring)
{
	const struct hft_record *record;

	for (index++; index < recording->nr; index++) {
		record = &recording->records[index];
		if ((record->kind == HFT_RECORD_DISPATCH || record->kind == HFT_RECORD_NOTICE) &&
		    record->words[1] == ring)
			return index;
	}
	return 0;
}

static uint64_t run_of(const uint64_t *event, const uint64_t *advance, uint64_t done)
{
	uint64_t from = event[0] > event[4] ? event[0] : event[4], ns;

	if (done > from)
		from = done;
	if (advance[3] && advance[4] >= advance[3])
		ns = advance[4] - advance[3];
	else
		ns = advance[0] > from ? advance[0] - from : 0;
	return ns < MOST_COST_NS ? ns : MOST_COST_NS;
}

/*
 * When the worker was there, to begin at once or at the release.  That it woke is told only where
 * a lead is learned; else it was late if it began late.  Without a report that is not known, and
 * is in what the task takes.
 */
static uint64_t ready_of(const uint64_t *event, const uint64_t *advance, uint64_t done)
{
	uint64_t awake = advance[6] ? event[6] + advance[6] : event[0];
	uint64_t from = awake > event[4] ? awake : event[4];

	if (done > from)
		from = done;
	return advance[3] > from ? awake + (advance[3] - from) : awake;
}

static struct run make_run(const uint64_t *event, const uint64_t *advance, uint64_t done)
{
	bool reported = advance[3] && advance[4] >= advance[3];

	return (struct run){
		.ns = run_of(event, advance, done),
		.ready = ready_of(event, advance, done),
		.wake_ns = least(advance[6], MOST_COST_NS),
		.missed = event[5] && (reported ? advance[4] : advance[0]) > event[5],
	};
}

/* A ring's events are advanced over one after the other. */
static void find_runs(struct what_if *it)
{
	const struct hft_recording *recording = &it->r->recording;
	uint64_t done[HFT_MAX_RINGS] = { 0 };
	size_t last[HFT_MAX_RINGS] = { 0 }, i;

	for (i = 1; i < recording->nr; i++) {
		const struct hft_record *record = &recording->records[i];
		uint64_t ring = record->words[record->kind == HFT_RECORD_ADVANCE ? 2 : 1];
		size_t event;

		if (ring >= HFT_MAX_RINGS)
			continue;
		if (record->kind == HFT_RECORD_RING)
			last[ring] = i;
		if (record->kind != HFT_RECORD_ADVANCE)
			continue;
		event = event_behind(recording, last[ring], ring);
		if (!event)
			continue;
		it->runs[event] = make_run(recording->records[event].words, record->words,
					   done[ring]);
		done[ring] = record->words[1];
		last[ring] = event;
	}
}

static void count_recorded(struct what_if *it, uint32_t task)
{
	const struct replay *r = it->r;
	struct tally *tally = tally_of(it, r->tasks[task].record);
	uint32_t event;

	for (event = r->tasks[task].events; tally && event; event = r->next_event[event])
		tally->recorded += it->runs[event].missed;
}

/* A task that was never seen to run takes its WCET. */
static int find_costs(struct what_if *it)
{
	const struct replay *r = it->r;
	uint32_t i;

	it->runs = calloc(r->recording.nr, sizeof(*it->runs));
	it->costs = calloc(r->nr_tasks + 1, sizeof(*it->costs));
	if (!it->runs || !it->costs)
		return hft_fail(ENOMEM, "%zu records", r->recording.nr);
	find_runs(it);
	for (i = 0; i < r->nr_tasks; i++) {
		uint64_t wcet = r->recording.records[r->tasks[i].record].words[13];

		it->costs[i] = (struct cost){
			.event = r->tasks[i].events,
			.last = wcet < MOST_COST_NS ? wcet : MOST_COST_NS,
		};
		count_recorded(it, i);
	}
	return 0;
}

/* Until the last that was recorded: what is not at its end then has none. */
int hft_what_if_run(struct replay *r)
{
	const struct hft_recording *recording = &r->recording;
	struct what_if *it = r->what_if;
	uint64_t end = 0;
	size_t i;
	int err;

	it->r = r;
	err = find_costs(it);
	if (!err)
		err = hft_replay_actions(r);
	for (i = 0; i < recording->nr; i++) {
		if (recording->records[i].words[0] > end)
			end = recording->records[i].words[0];
	}
	if (!err)
		err = hft_replay_run_to(r, end);
	r->sim->opts.record = NULL;
	return err ? err : it->err ? hft_fail(-it->err, "counts of tasks") : 0;
}

/* One of the ways. */
static int simulate(const char *path, const struct hft_replay_opts *opts, struct what_if *it)
{
	struct hft_recording recording;
	int err = hft_recording_read(path, opts->handle, &recording);

	if (err)
		return err;
	err = hft_replay_recording(&recording, opts, NULL, it);
	hft_recording_free(&recording);
	return err;
}

static void fill_side(struct hft_what_if_side *side, const struct tally *tally)
{
	if (!tally)
		return;
	*side = tally->counts;
	side->response.sz = sizeof(side->response);
	side->start.sz = sizeof(side->start);
	hft_histogram_summary(tally->response, &side->response);
	hft_histogram_summary(tally->start, &side->start);
}

static void tell(struct what_if ways[2], hft_what_if_fn fn, void *arg)
{
	uint32_t ring, class;

	for (ring = 0; ring < HFT_MAX_RINGS; ring++) {
		for (class = 0; class < HFT_CLASSES; class++) {
			struct hft_what_if_row row = { .ring = ring, .task_class = class };

			if (!ways[0].tallies[ring][class] && !ways[1].tallies[ring][class])
				continue;
			fill_side(&row.before, ways[0].tallies[ring][class]);
			if (ways[0].tallies[ring][class])
				row.recorded_missed = ways[0].tallies[ring][class]->recorded;
			fill_side(&row.after, ways[1].tallies[ring][class]);
			fn(&row, arg);
		}
	}
}

static void free_ways(struct what_if ways[2])
{
	uint32_t i, ring, class;

	for (i = 0; i < 2; i++) {
		for (ring = 0; ring < HFT_MAX_RINGS; ring++) {
			for (class = 0; class < HFT_CLASSES; class++)
				free_tally(ways[i].tallies[ring][class]);
		}
		free(ways[i].costs);
		free(ways[i].runs);
	}
	free(ways);
}

static int check_change(const struct hft_what_if *change)
{
	uint32_t known = HFT_WHAT_IF_POLICY | HFT_WHAT_IF_LEAD | HFT_WHAT_IF_CPUS |
			 HFT_WHAT_IF_COST;

	if (change->fields & ~known || change->reserved)
		return hft_fail(EINVAL, "unknown fields 0x%x of what is changed", change->fields);
	if (change->fields & HFT_WHAT_IF_POLICY && change->policy >= HFT_POLICIES)
		return hft_fail(EINVAL, "no such policy, %u", change->policy);
	if (change->fields & HFT_WHAT_IF_LEAD && change->lead_ns > HFT_MAX_LEAD)
		return hft_fail(EINVAL, "a lead of %" PRIu64 " ns, which may be up to %" PRIu64,
				change->lead_ns, (uint64_t)HFT_MAX_LEAD);
	if (change->fields & HFT_WHAT_IF_CPUS && !change->cpus)
		return hft_fail(EINVAL, "a machine without CPUs");
	if (change->fields & HFT_WHAT_IF_COST && change->cost_ppm > HFT_WHAT_IF_MOST_PPM)
		return hft_fail(EINVAL, "tasks that take more than 1000 times as long");
	return 0;
}

/**
 * hft_replay_what_if() - what if something had been other than it was recorded?
 * @path: folder of the log that HFT_RECORD named
 * @user_opts: options, of which handle and max_steps count, or NULL for the defaults
 * @user_change: what is to be other
 * @fn: is called for each ring and class of tasks that were submitted
 * @arg: for @fn
 *
 * The same is asked for at the same times, and the simulated machine's scheduler and
 * workers do as they do, once as it was and once with the change: a ring has one worker,
 * of its highest level, and a task takes as long as it did.  A worker that sleeps is there
 * as long after the interrupt as it was for that event when it was recorded, by its report
 * (%HFT_RING_REPORT); without one the time that it took to wake is part of the task's.  Rows say
 * how many deadlines were missed in the record, which the way before may differ from.
 * Blocks for as long as that takes.  Any thread, in which hft_now() is the
 * machine's meanwhile.
 *
 * Return: 0, -EINVAL a change is out of range, or as hft_replay().
 */
HFT_API int hft_replay_what_if(const char *path, const struct hft_replay_opts *user_opts,
			       const struct hft_what_if *user_change, hft_what_if_fn fn, void *arg)
{
	struct hft_what_if change;
	struct hft_replay_opts opts;
	struct what_if *ways;
	int err = hft_replay_read_opts(&opts, user_opts);

	if (!err)
		err = hft_read_opts(&change, sizeof(change), user_change);
	if (!err)
		err = check_change(&change);
	if (err)
		return err;
	opts.sz = sizeof(opts);
	opts.output = NULL;
	ways = calloc(2, sizeof(*ways));
	if (!ways)
		return hft_fail(ENOMEM, "two ways");
	ways[1].change = &change;
	ways[1].before = &ways[0];
	err = simulate(path, &opts, &ways[0]);
	if (!err)
		err = simulate(path, &opts, &ways[1]);
	if (!err)
		tell(ways, fn, arg);
	free_ways(ways);
	return err;
}
