// SPDX-License-Identifier: LGPL-2.1-or-later
/* hftctl topology, hftctl place: the machine, and where workers would go. */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hft/cpu.h>
#include <hft/hft.h>
#include <hft/pool.h>
#include <hft/topology.h>

#include "hftctl.h"

/* Of a list on the command line, each CPU maybe more than once. */
#define LISTED_MOST	HFT_POOL_WORKERS_MAX

struct place_args {
	struct hft_topology_opts machine;
	struct hft_place_opts place;
	uint32_t cpus[LISTED_MOST];
	uint64_t workers;		/* 0: as many as can be */
	const char *device;
	bool all;
	bool features;
	bool json;
	bool places;			/* an option of place alone was given */
};

static const char *const policies[HFT_PLACE_POLICIES] = {
	"isolated", "list", "spread", "pack", "near",
};

static const char *const reasons[HFT_PLACE_REASONS] = {
	"listed", "isolated", "nohz_full", "spread", "packed", "near", "remaining", "spare",
	"offline", "outside", "excluded", "housekeeper", "sibling",
};

static void usage(FILE *out)
{
	fputs("Usage: hftctl topology [OPTION]...\n"
	      "       hftctl place [OPTION]...\n"
	      "Print the CPUs of a machine, with the numbers of what they share, or the CPU that\n"
	      "each worker would get, and why: what a pool has with the same hft_place_opts.\n"
	      "\n"
	      "  -d, --device DEVICE     topology: only where it is; place: with --policy near.\n"
	      "                          eth0, 0000:3b:00.0, infiniband/mlx5_0, or a path in /sys\n"
	      "  -f, --features          topology: only what the instruction set of this CPU offers,\n"
	      "                          and which build of its hot bodies the library uses\n"
	      "  -n, --workers N         place: so many (as many as can be)\n"
	      "  -P, --policy POLICY     place: isolated (these first; the default), spread, pack,\n"
	      "                          near (a device), list\n"
	      "  -c, --cpus LIST         place: of each worker, in this order: 4,2,7-9; --policy list\n"
	      "  -x, --exclude LIST      place: no worker on these\n"
	      "      --no-siblings       place: never two workers on a core\n"
	      "      --siblings          place: a core's second thread is as good as its first\n"
	      "      --no-housekeeping   place: not CPU 0 nor, where some are isolated, the others\n"
	      "      --reuse             place: more workers than CPUs\n"
	      "  -a, --all               place: also the CPUs without a worker, and why\n"
	      "  -A, --allow LIST        only these may be used (those of this process, and the\n"
	      "                          isolated ones of its cpuset)\n"
	      "      --synthetic TEXT    a machine as hwloc describes them:\n"
	      "                          \"package:2 numa:1 l3:1 core:4 pu:2\"\n"
	      "      --xml FILE          a machine that lstopo has written there\n"
	      "      --sysfs DIR         with another machine: its sysfs\n"
	      "  -j, --json              print JSON instead of a table\n"
	      "  -h, --help              this text\n"
	      "\n"
	      "Exit status: 0, 1 when the workers can not be placed or a machine not be read, 2 for\n"
	      "wrong usage.\n",
	      out);
}

static int failed(int err)
{
	fail_hft(err, NULL);
	return 1;
}

static json_t *number_or_null(uint32_t number)
{
	return number == HFT_NONE ? json_null() : json_integer(number);
}

static json_t *flags_json(uint32_t flags)
{
	static const char *const names[] = {
		"online", "allowed", "isolated", "nohz_full", "housekeeping",
	};
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (flags & 1U << i)
			json_array_append_new(array, json_string(names[i]));
	}
	return array;
}

static int print_cpus(const struct hft_topology *topology, bool json)
{
	HFT_OPTS(hft_cpu_info, info);
	json_t *rows = json_array();
	int cpu = -1, ret;

	while ((cpu = hft_topology_next(topology, cpu)) >= 0) {
		hft_topology_cpu(topology, (uint32_t)cpu, &info);
		json_array_append_new(rows, json_pack("{s:i, s:o, s:i, s:o, s:o, s:o, s:o, s:o}",
			"cpu", cpu, "core", number_or_null(info.core), "thread", (int)info.thread,
			"l2", number_or_null(info.l2), "l3", number_or_null(info.l3),
			"package", number_or_null(info.package), "node", number_or_null(info.node),
			"is", flags_json(info.flags)));
	}
	ret = print(rows, json);
	json_decref(rows);
	return ret;
}

static int print_device(const struct hft_topology *topology, const char *device, bool json)
{
	HFT_OPTS(hft_device_info, info);
	json_t *value;
	int ret = hft_topology_device(topology, device, &info);

	if (ret)
		return failed(ret);
	value = json_pack("{s:s, s:s, s:o, s:s}", "device", device, "address", info.address,
			  "node", number_or_null(info.node), "cpus", info.cpus);
	ret = print(value, json);
	json_decref(value);
	return ret;
}

static int print_features(bool json)
{
	HFT_OPTS(hft_cpu_features, features);
	json_t *value, *array = json_array();
	int i, ret;

	hft_cpu_features(&features);
	for (i = 0; i < HFT_CPU_FEATURES; i++) {
		if (features.flags >> i & 1)
			json_array_append_new(array, json_string(hft_cpu_feature_name(i)));
	}
	value = json_pack("{s:o, s:s}", "features", array, "body", features.body);
	ret = print(value, json);
	json_decref(value);
	return ret;
}

static json_t *placed_json(json_t *worker, const struct hft_placed *placed)
{
	return json_pack("{s:o, s:i, s:o, s:s, s:s}", "worker", worker, "cpu", (int)placed->cpu,
			 "node", number_or_null(placed->node), "reason", reasons[placed->reason],
			 "why", placed->why);
}

static void add_others(const struct place_args *args, const struct hft_placed *placed, uint32_t nr,
		       json_t *rows)
{
	struct hft_placed why;
	int cpu = -1;

	while ((cpu = hft_topology_next(args->place.topology, cpu)) >= 0) {
		if (hft_place_why_not(&args->place, placed, nr, (uint32_t)cpu, &why))
			continue;
		if (why.reason >= HFT_PLACE_SPARE)
			json_array_append_new(rows, placed_json(json_null(), &why));
	}
}

static int print_places(const struct place_args *args)
{
	int nr = args->workers ? (int)args->workers : hft_place_count(&args->place);
	struct hft_placed *placed;
	json_t *rows;
	int i, ret;

	if (nr < 0)
		return failed(nr);
	placed = calloc((size_t)nr + 1, sizeof(*placed));
	if (!placed)
		return failed(-ENOMEM);
	ret = hft_place(&args->place, placed, (uint32_t)nr);
	if (ret) {
		free(placed);
		return failed(ret);
	}
	rows = json_array();
	for (i = 0; i < nr; i++)
		json_array_append_new(rows, placed_json(json_integer(i), &placed[i]));
	if (args->all)
		add_others(args, placed, (uint32_t)nr, rows);
	free(placed);
	ret = print(rows, args->json);
	json_decref(rows);
	return ret;
}

/* "4,2,7-9", in this order. */
static bool parse_list(const char *text, struct place_args *args)
{
	unsigned long first, last;
	char *end = (char *)text;

	args->place.nr_cpus = 0;
	do {
		if (!isdigit((unsigned char)*text))
			return false;
		first = last = strtoul(text, &end, 10);
		if (*end == '-' && isdigit((unsigned char)end[1]))
			last = strtoul(end + 1, &end, 10);
		if (first > last || last > INT32_MAX)
			return false;
		for (; first <= last; first++) {
			if (args->place.nr_cpus == LISTED_MOST)
				return false;
			args->cpus[args->place.nr_cpus++] = (uint32_t)first;
		}
		text = end + 1;
	} while (*end == ',');
	args->place.cpus = args->cpus;
	return !*end;
}

static bool parse_policy(const char *text, uint32_t *policy)
{
	for (*policy = 0; *policy < HFT_PLACE_POLICIES; ++*policy) {
		if (!strcmp(text, policies[*policy]))
			return true;
	}
	return false;
}

enum {
	OPT_NO_SIBLINGS = 256,
	OPT_SIBLINGS,
	OPT_NO_HOUSEKEEPING,
	OPT_REUSE,
	OPT_SYNTHETIC,
	OPT_XML,
	OPT_SYSFS,
};

static const struct option options[] = {
	{ "device", required_argument, NULL, 'd' },
	{ "features", no_argument, NULL, 'f' },
	{ "workers", required_argument, NULL, 'n' },
	{ "policy", required_argument, NULL, 'P' },
	{ "cpus", required_argument, NULL, 'c' },
	{ "exclude", required_argument, NULL, 'x' },
	{ "no-siblings", no_argument, NULL, OPT_NO_SIBLINGS },
	{ "siblings", no_argument, NULL, OPT_SIBLINGS },
	{ "no-housekeeping", no_argument, NULL, OPT_NO_HOUSEKEEPING },
	{ "reuse", no_argument, NULL, OPT_REUSE },
	{ "all", no_argument, NULL, 'a' },
	{ "allow", required_argument, NULL, 'A' },
	{ "synthetic", required_argument, NULL, OPT_SYNTHETIC },
	{ "xml", required_argument, NULL, OPT_XML },
	{ "sysfs", required_argument, NULL, OPT_SYSFS },
	{ "json", no_argument, NULL, 'j' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

/* Of both commands.  Returns false for another one. */
static bool read_machine_option(struct place_args *args, int c)
{
	switch (c) {
	case 'd':
		args->device = optarg;
		return true;
	case 'A':
		args->machine.allowed = optarg;
		return true;
	case OPT_SYNTHETIC:
		args->machine.synthetic = optarg;
		return true;
	case OPT_XML:
		args->machine.xml = optarg;
		return true;
	case OPT_SYSFS:
		args->machine.sysfs = optarg;
		return true;
	case 'f':
		args->features = true;
		return true;
	case 'j':
		args->json = true;
		return true;
	default:
		return false;
	}
}

/* Returns 0, or the status to exit with. */
static int read_place_option(struct place_args *args, int c)
{
	args->places = true;
	switch (c) {
	case 'n':
		return parse_number(optarg, 0, 1, 65536, &args->workers) ? 0 :
		       wrong_usage("--workers takes a number from 1 to 65536");
	case 'P':
		return parse_policy(optarg, &args->place.policy) ? 0 :
		       wrong_usage("--policy is isolated, spread, pack, near or list");
	case 'c':
		return parse_list(optarg, args) ? 0 :
		       wrong_usage("--cpus takes a list of at most 256 CPUs, 4,2,7-9");
	case 'x':
		args->place.exclude = optarg;
		return 0;
	case 'a':
		args->all = true;
		return 0;
	case OPT_NO_SIBLINGS:
		args->place.flags |= HFT_PLACE_NO_SIBLINGS;
		return 0;
	case OPT_SIBLINGS:
		args->place.flags |= HFT_PLACE_SIBLINGS;
		return 0;
	case OPT_NO_HOUSEKEEPING:
		args->place.flags |= HFT_PLACE_NO_HOUSEKEEPING;
		return 0;
	case OPT_REUSE:
		args->place.flags |= HFT_PLACE_REUSE;
		return 0;
	default:
		usage(stderr);
		return 2;
	}
}

static int run(struct place_args *args, bool places)
{
	struct hft_topology *topology;
	int ret = hft_topology_open(&topology, &args->machine);

	if (ret)
		return failed(ret);
	args->place.topology = topology;
	if (places) {
		args->place.device = args->device;
		ret = print_places(args);
	} else if (args->device) {
		ret = print_device(topology, args->device, args->json);
	} else {
		ret = print_cpus(topology, args->json);
	}
	hft_topology_close(topology);
	return ret;
}

int place_main(int argc, char **argv)
{
	struct place_args args = {
		.machine.sz = sizeof(args.machine),
		.place.sz = sizeof(args.place),
	};
	bool places;
	int c, bad;

	tool_help = "hftctl place --help";
	while ((c = getopt_long(argc, argv, "d:fn:P:c:x:aA:jh", options, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return 0;
		}
		bad = read_machine_option(&args, c) ? 0 : read_place_option(&args, c);
		if (bad)
			return bad;
	}
	if (optind + 1 != argc)
		return wrong_usage("too many arguments");
	places = !strcmp(argv[optind], "place");
	if (!places && strcmp(argv[optind], "topology"))
		return wrong_usage("no such command");
	if (args.places && !places)
		return wrong_usage("an option of place");
	if (args.features && (places || args.device))
		return wrong_usage("--features is for topology, by itself");
	if (args.features)
		return print_features(args.json);
	if (args.place.cpus && !args.workers)
		args.workers = args.place.nr_cpus;
	return run(&args, places);
}
