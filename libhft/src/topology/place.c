// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A CPU for each worker: the best one by the policy, given those placed before it.  Equal
 * ones go by their number, so the same machine and options always have the same result.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define PLACE_FLAGS	(HFT_PLACE_NO_SIBLINGS | HFT_PLACE_SIBLINGS | HFT_PLACE_NO_HOUSEKEEPING | \
			 HFT_PLACE_REUSE)

enum domain {
	DOMAIN_CORE,
	DOMAIN_L2,
	DOMAIN_L3,
	DOMAIN_PACKAGE,
	DOMAIN_NODE,
	DOMAINS
};

/* What a choice goes by: the smallest, the first element first. */
#define KEYS	8

/**
 * struct candidate - a CPU
 * @info: of it
 * @refused: &enum hft_place_reason, of those from %HFT_PLACE_OFFLINE on; 0: it may be taken
 * @noisy: it does no housekeeping, and another of its core does
 * @far: it is not near the device; 2: nor in a package that is
 * @workers: that it has
 */
struct candidate {
	struct hft_cpu_info info;
	uint32_t refused;
	bool noisy;
	uint32_t far;
	uint32_t workers;
};

/**
 * struct places - a placement in the making
 * @topology: of the machine
 * @own: it is to be closed
 * @opts: the caller's
 * @cpus: all CPUs
 * @nr: how many
 * @domains: most numbers of a domain
 * @workers: by domain and its number: how many it has
 */
struct places {
	const struct hft_topology *topology;
	struct hft_topology *own;
	struct hft_place_opts opts;
	struct candidate *cpus;
	uint32_t nr;
	uint32_t domains;
	uint32_t *workers[DOMAINS];
};

static uint32_t domain_of(const struct hft_cpu_info *info, enum domain domain)
{
	switch (domain) {
	case DOMAIN_CORE:
		return info->core;
	case DOMAIN_L2:
		return info->l2;
	case DOMAIN_L3:
		return info->l3;
	case DOMAIN_PACKAGE:
		return info->package;
	default:
		return info->node;
	}
}

static uint32_t workers_in(const struct places *p, const struct candidate *c, enum domain domain)
{
	uint32_t number = domain_of(&c->info, domain);

	return number == HFT_NONE ? 0 : p->workers[domain][number];
}

/* Making one */

static int check_opts(const struct hft_place_opts *opts)
{
	if (opts->policy >= HFT_PLACE_POLICIES)
		return hft_fail(EINVAL, "placement policy %u: there are %u", opts->policy,
				HFT_PLACE_POLICIES);
	if (opts->flags & ~PLACE_FLAGS)
		return hft_fail(EINVAL, "unknown placement flags 0x%x", opts->flags);
	if (opts->flags & HFT_PLACE_NO_SIBLINGS && opts->flags & HFT_PLACE_SIBLINGS)
		return hft_fail(EINVAL, "a placement with siblings and without");
	if (opts->policy == HFT_PLACE_LIST ? !opts->cpus : opts->cpus || opts->nr_cpus)
		return hft_fail(EINVAL, "a list of CPUs goes with HFT_PLACE_LIST");
	if (opts->policy == HFT_PLACE_NEAR ? !opts->device : !!opts->device)
		return hft_fail(EINVAL, "a device goes with HFT_PLACE_NEAR");
	return 0;
}

static int list_cpus(struct places *p)
{
	int cpu = -1;
	uint32_t i;

	p->nr = (uint32_t)hwloc_bitmap_weight(p->topology->known);
	p->cpus = calloc(p->nr ? p->nr : 1, sizeof(*p->cpus));
	if (!p->cpus)
		return hft_fail(ENOMEM, "a placement");
	for (i = 0; i < p->nr; i++) {
		cpu = hft_topology_next(p->topology, cpu);
		p->cpus[i].info.sz = sizeof(p->cpus[i].info);
		hft_topology_cpu(p->topology, (uint32_t)cpu, &p->cpus[i].info);
	}
	return 0;
}

static int make_counts(struct places *p)
{
	enum domain domain;
	uint32_t i, number;

	for (i = 0; i < p->nr; i++) {
		for (domain = 0; domain < DOMAINS; domain++) {
			number = domain_of(&p->cpus[i].info, domain);
			if (number != HFT_NONE && number >= p->domains)
				p->domains = number + 1;
		}
	}
	for (domain = 0; domain < DOMAINS; domain++) {
		p->workers[domain] = calloc(p->domains + 1, sizeof(*p->workers[domain]));
		if (!p->workers[domain])
			return hft_fail(ENOMEM, "a placement");
	}
	return 0;
}

/* No worker is placed yet: their counts by core serve for threads that do housekeeping. */
static void mark_noisy(struct places *p)
{
	uint32_t *noisy = p->workers[DOMAIN_CORE];
	uint32_t i;

	for (i = 0; i < p->nr; i++) {
		const struct hft_cpu_info *info = &p->cpus[i].info;

		if (info->flags & HFT_CPU_HOUSEKEEPING && info->core != HFT_NONE)
			noisy[info->core]++;
	}
	for (i = 0; i < p->nr; i++)
		p->cpus[i].noisy = !(p->cpus[i].info.flags & HFT_CPU_HOUSEKEEPING) &&
				   workers_in(p, &p->cpus[i], DOMAIN_CORE);
	memset(noisy, 0, p->domains * sizeof(*noisy));
}

static uint32_t refusal(const struct places *p, const struct hft_cpu_info *info,
			hwloc_const_bitmap_t excluded)
{
	if (!(info->flags & HFT_CPU_ONLINE))
		return HFT_PLACE_OFFLINE;
	if (!(info->flags & HFT_CPU_ALLOWED))
		return HFT_PLACE_OUTSIDE;
	if (hwloc_bitmap_isset(excluded, info->cpu))
		return HFT_PLACE_EXCLUDED;
	if (p->opts.flags & HFT_PLACE_NO_HOUSEKEEPING && info->flags & HFT_CPU_HOUSEKEEPING)
		return HFT_PLACE_HOUSEKEEPER;
	return 0;
}

static int refuse(struct places *p)
{
	const char *exclude = p->opts.exclude ? p->opts.exclude : "";
	hwloc_bitmap_t excluded = hwloc_bitmap_alloc();
	uint32_t i;
	int err;

	if (!excluded)
		return hft_fail(ENOMEM, "a placement");
	err = hft_parse_cpus(exclude, excluded);
	for (i = 0; i < p->nr && !err; i++)
		p->cpus[i].refused = refusal(p, &p->cpus[i].info, excluded);
	hwloc_bitmap_free(excluded);
	return err ? hft_fail(-err, "\"%s\" is no list of CPUs", exclude) : 0;
}

/* Likewise those by package, for CPUs that are near: others of such a package are less far. */
static void mark_far(struct places *p, hwloc_const_bitmap_t near)
{
	uint32_t *packages = p->workers[DOMAIN_PACKAGE];
	uint32_t i;

	for (i = 0; i < p->nr; i++) {
		p->cpus[i].far = !hwloc_bitmap_isset(near, p->cpus[i].info.cpu);
		if (!p->cpus[i].far && p->cpus[i].info.package != HFT_NONE)
			packages[p->cpus[i].info.package]++;
	}
	for (i = 0; i < p->nr; i++) {
		if (p->cpus[i].far && !workers_in(p, &p->cpus[i], DOMAIN_PACKAGE))
			p->cpus[i].far = 2;
	}
	memset(packages, 0, p->domains * sizeof(*packages));
}

static int find_device(struct places *p)
{
	struct hft_device_info info;
	hwloc_bitmap_t near;
	int err;

	if (!p->opts.device)
		return 0;
	near = hwloc_bitmap_alloc();
	if (!near)
		return hft_fail(ENOMEM, "a placement");
	err = hft_device_cpus(p->topology, p->opts.device, near, &info);
	if (!err && !info.nr_cpus)
		err = hft_fail(ENODEV, "the machine does not tell which CPUs %s is near",
			       p->opts.device);
	if (!err)
		mark_far(p, near);
	hwloc_bitmap_free(near);
	return err;
}

static void places_close(struct places *p)
{
	enum domain domain;

	for (domain = 0; domain < DOMAINS; domain++)
		free(p->workers[domain]);
	free(p->cpus);
	hft_topology_close(p->own);
}

static int places_open(struct places *p, const struct hft_place_opts *user_opts)
{
	int err;

	*p = (struct places){};
	err = hft_read_opts(&p->opts, sizeof(p->opts), user_opts);
	if (!err)
		err = check_opts(&p->opts);
	if (err)
		return err;
	if (!p->opts.topology)
		err = hft_topology_open(&p->own, NULL);
	if (err)
		return err;
	p->topology = p->own ? p->own : p->opts.topology;
	err = list_cpus(p);
	if (!err)
		err = make_counts(p);
	if (!err)
		err = refuse(p);
	if (!err) {
		mark_noisy(p);
		err = find_device(p);
	}
	if (err)
		places_close(p);
	return err;
}

/* Choosing */

static uint32_t interruption(const struct hft_cpu_info *info)
{
	bool isolated = info->flags & HFT_CPU_ISOLATED;
	bool nohz_full = info->flags & HFT_CPU_NOHZ_FULL;

	return isolated ? !nohz_full : nohz_full ? 2 : 3;
}

static uint32_t preference(const struct places *p, const struct candidate *c)
{
	switch (p->opts.policy) {
	case HFT_PLACE_ISOLATED:
		return interruption(&c->info);
	case HFT_PLACE_NEAR:
		return c->far;
	default:
		return 0;
	}
}

static uint32_t trouble(const struct candidate *c)
{
	return c->info.flags & HFT_CPU_HOUSEKEEPING ? 2 : c->noisy;
}

static void make_key(const struct places *p, const struct candidate *c, int64_t key[KEYS])
{
	static const enum domain apart[] = { DOMAIN_NODE, DOMAIN_PACKAGE, DOMAIN_L3, DOMAIN_L2 };
	static const enum domain together[] = { DOMAIN_L3, DOMAIN_NODE, DOMAIN_L2, DOMAIN_CORE };
	bool spread = p->opts.policy == HFT_PLACE_SPREAD;
	bool siblings = p->opts.flags & HFT_PLACE_SIBLINGS;
	int i;

	key[0] = c->workers;
	key[1] = preference(p, c);
	key[2] = siblings ? 0 : workers_in(p, c, DOMAIN_CORE);
	key[3] = trouble(c);
	for (i = 0; i < 4; i++)
		key[4 + i] = spread ? (int64_t)workers_in(p, c, apart[i]) :
				      -(int64_t)workers_in(p, c, together[i]);
}

static bool is_less(const int64_t a[KEYS], const int64_t b[KEYS])
{
	int i;

	for (i = 0; i < KEYS; i++) {
		if (a[i] != b[i])
			return a[i] < b[i];
	}
	return false;
}

static bool is_sibling(const struct places *p, const struct candidate *c)
{
	return p->opts.flags & HFT_PLACE_NO_SIBLINGS && workers_in(p, c, DOMAIN_CORE) > c->workers;
}

static bool is_taken(const struct places *p, const struct candidate *c)
{
	return c->workers && !(p->opts.flags & HFT_PLACE_REUSE);
}

static struct candidate *choose(const struct places *p)
{
	struct candidate *best = NULL;
	int64_t key[KEYS], least[KEYS];
	uint32_t i;

	for (i = 0; i < p->nr; i++) {
		struct candidate *c = &p->cpus[i];

		if (c->refused || is_taken(p, c) || is_sibling(p, c))
			continue;
		make_key(p, c, key);
		if (best && !is_less(key, least))
			continue;
		best = c;
		memcpy(least, key, sizeof(least));
	}
	return best;
}

static uint32_t policy_reason(const struct places *p, const struct candidate *c)
{
	switch (p->opts.policy) {
	case HFT_PLACE_LIST:
		return HFT_PLACED_LISTED;
	case HFT_PLACE_SPREAD:
		return HFT_PLACED_SPREAD;
	case HFT_PLACE_PACK:
		return HFT_PLACED_PACKED;
	case HFT_PLACE_NEAR:
		return c->far ? HFT_PLACED_REMAINING : HFT_PLACED_NEAR;
	default:
		break;
	}
	if (c->info.flags & HFT_CPU_ISOLATED)
		return HFT_PLACED_ISOLATED;
	return c->info.flags & HFT_CPU_NOHZ_FULL ? HFT_PLACED_NOHZ_FULL : HFT_PLACED_REMAINING;
}

/* As it is now, with the workers placed so far. */
static void describe(const struct places *p, const struct candidate *c, uint32_t reason,
		     struct hft_placed *placed)
{
	*placed = (struct hft_placed){
		.cpu = c->info.cpu,
		.node = c->info.node,
		.reason = reason,
	};
	if (workers_in(p, c, DOMAIN_CORE))
		placed->flags |= HFT_PLACED_SHARES_CORE;
	if (c->workers)
		placed->flags |= HFT_PLACED_SHARES_CPU;
	if (c->info.flags & HFT_CPU_HOUSEKEEPING)
		placed->flags |= HFT_PLACED_HOUSEKEEPING;
	if (c->noisy)
		placed->flags |= HFT_PLACED_NOISY_SIBLING;
	hft_place_explain(placed, &c->info, &p->opts);
}

static void take(struct places *p, struct candidate *c)
{
	enum domain domain;
	uint32_t number;

	c->workers++;
	for (domain = 0; domain < DOMAINS; domain++) {
		number = domain_of(&c->info, domain);
		if (number != HFT_NONE)
			p->workers[domain][number]++;
	}
}

static struct candidate *find(const struct places *p, uint32_t cpu)
{
	uint32_t i;

	for (i = 0; i < p->nr; i++) {
		if (p->cpus[i].info.cpu == cpu)
			return &p->cpus[i];
	}
	return NULL;
}

/* Why a worker can not have a CPU that the caller has listed, or 0. */
static uint32_t list_refusal(const struct places *p, const struct candidate *c)
{
	if (c->refused)
		return c->refused;
	return is_sibling(p, c) ? HFT_PLACE_SIBLING : 0;
}

static int refusal_error(const struct candidate *c, uint32_t reason)
{
	struct hft_placed why = { .reason = reason };

	hft_place_explain(&why, &c->info, NULL);
	switch (reason) {
	case HFT_PLACE_OFFLINE:
		return hft_fail(ENODEV, "CPU %u: %s", c->info.cpu, why.why);
	case HFT_PLACE_OUTSIDE:
		return hft_fail(EPERM, "CPU %u: %s", c->info.cpu, why.why);
	default:
		return hft_fail(EBUSY, "CPU %u: %s", c->info.cpu, why.why);
	}
}

static int take_listed(struct places *p, uint32_t worker, struct hft_placed *placed)
{
	struct candidate *c;
	uint32_t reason;

	if (worker >= p->opts.nr_cpus)
		return hft_fail(ENOSPC, "the list has %u CPUs, and no one for worker %u",
				p->opts.nr_cpus, worker);
	c = find(p, p->opts.cpus[worker]);
	if (!c)
		return hft_fail(ENODEV, "there is no CPU %u", p->opts.cpus[worker]);
	reason = list_refusal(p, c);
	if (reason)
		return refusal_error(c, reason);
	if (is_taken(p, c))
		return hft_fail(EBUSY, "CPU %u is listed twice", c->info.cpu);
	describe(p, c, HFT_PLACED_LISTED, placed);
	take(p, c);
	return 0;
}

static int take_best(struct places *p, uint32_t worker, struct hft_placed *placed)
{
	struct candidate *c = choose(p);

	if (!c)
		return hft_fail(ENOSPC, "of %u CPUs %u are left by the placement, worker %u has none",
				p->nr, worker, worker);
	describe(p, c, policy_reason(p, c), placed);
	take(p, c);
	return 0;
}

static int place_one(struct places *p, uint32_t worker, struct hft_placed *placed)
{
	return p->opts.policy == HFT_PLACE_LIST ? take_listed(p, worker, placed) :
						  take_best(p, worker, placed);
}

/**
 * hft_place() - a CPU for each worker, and why
 * @opts: options, or NULL for %HFT_PLACE_ISOLATED on this machine
 * @placed: filled in, one for each worker
 * @nr: how many workers
 *
 * What the policy prefers goes first; of that a core without a worker, unless siblings are
 * as good; of those a CPU that does no housekeeping, and none of whose core does; then the
 * policy's distance to the workers before, and the lowest number.
 *
 * Deterministic.  Any thread; allocates and, without a topology, reads files for some ms.
 *
 * Return: 0, -EINVAL options that make no sense, -E2BIG options of a newer library, -ENOSPC
 * there are fewer CPUs that may be taken, of a list -ENODEV a CPU is not there or offline,
 * -EPERM outside those that the caller may use, -EBUSY excluded or listed twice, and as
 * hft_topology_device() and hft_topology_open().
 */
HFT_API int hft_place(const struct hft_place_opts *opts, struct hft_placed *placed, uint32_t nr)
{
	struct places p;
	uint32_t i;
	int err = places_open(&p, opts);

	if (err)
		return err;
	for (i = 0; i < nr && !err; i++)
		err = place_one(&p, i, &placed[i]);
	places_close(&p);
	return err;
}

/* Each of a list, as hft_place() would take it. */
static int count_listed(struct places *p)
{
	struct hft_placed placed;
	uint32_t i;
	int err = 0;

	for (i = 0; i < p->opts.nr_cpus && !err; i++)
		err = take_listed(p, i, &placed);
	return err ? err : (int)i;
}

static int count_best(struct places *p)
{
	struct candidate *c;
	int nr = 0;

	p->opts.flags &= ~HFT_PLACE_REUSE;
	while ((c = choose(p))) {
		take(p, c);
		nr++;
	}
	return nr;
}

/**
 * hft_place_count() - how many workers can be placed, each on a CPU of its own
 * @opts: as for hft_place()
 *
 * Of a list it is all of them, if hft_place() would take them.  Any thread; as hft_place().
 *
 * Return: how many, or as hft_place().
 */
HFT_API int hft_place_count(const struct hft_place_opts *opts)
{
	struct places p;
	int nr, err = places_open(&p, opts);

	if (err)
		return err;
	nr = p.opts.policy == HFT_PLACE_LIST ? count_listed(&p) : count_best(&p);
	places_close(&p);
	return nr;
}

/**
 * hft_place_why_not() - why a CPU has no worker
 * @opts: that hft_place() was called with
 * @placed: its result
 * @nr: for how many workers
 * @cpu: the CPU
 * @why: filled in; of a CPU that has a worker it is that one's
 *
 * Any thread; as hft_place().
 *
 * Return: 0, -ENOENT there is no such CPU, or as hft_place().
 */
HFT_API int hft_place_why_not(const struct hft_place_opts *opts, const struct hft_placed *placed,
			      uint32_t nr, uint32_t cpu, struct hft_placed *why)
{
	struct candidate *c;
	struct places p;
	uint32_t i;
	int err;

	for (i = 0; i < nr; i++) {
		if (placed[i].cpu == cpu) {
			*why = placed[i];
			return 0;
		}
	}
	err = places_open(&p, opts);
	if (err)
		return err;
	for (i = 0; i < nr; i++) {
		c = find(&p, placed[i].cpu);
		if (c)
			take(&p, c);
	}
	c = find(&p, cpu);
	if (c)
		describe(&p, c, c->refused ? c->refused :
			 is_sibling(&p, c) ? HFT_PLACE_SIBLING : HFT_PLACE_SPARE, why);
	places_close(&p);
	return c ? 0 : -ENOENT;
}
