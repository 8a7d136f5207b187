// SPDX-License-Identifier: LGPL-2.1-or-later
/* A burst of market data that nobody has to ask for. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <common/tool.h>

#include "arrivals.h"
#include "hft-feed.h"
#include "market.h"
#include "writer.h"

#define NSEC_PER_SEC	1000000000ULL
#define MIDNIGHT	1767312000ULL		/* 2026-01-02, s since the epoch */
#define OPENING		(34200 * NSEC_PER_SEC)	/* 9:30 */
#define DAY		(86400 * NSEC_PER_SEC)
#define ON_THE_WAY	20000			/* ns: from the book's event to the capture */

/* One whose peaks are near those of the capture, among those of the first 400. */
#define DEFAULT_SEED	388
#define DEFAULT_PACKETS	5000
#define MAX_PACKETS	1000000000ULL

struct request {
	uint64_t seed;
	uint64_t packets;		/* 0: until the end of @seconds */
	double seconds;			/* 0: until the last of @packets */
	unsigned int instruments;
	enum format format;
	const char *path;
};

static void usage(void)
{
	const struct arrival_process *p = &default_process;

	printf("Usage: hft-feed generate [OPTION]... -o FILE\n"
	       "Write ITCH 5.0 messages of a market whose orders make sense, in MoldUDP64 packets\n"
	       "that arrive as a self-exciting process has them, into a pcap file with ns stamps.\n"
	       "\n"
	       "  -o, --output FILE    gzipped if it ends in .gz\n"
	       "      --packets N      so many (default %d)\n"
	       "      --seconds S      as many as arrive in S seconds\n"
	       "      --instruments N  stocks, 1 to %d (default 32)\n"
	       "      --seed N         the same seed writes the same file (default %d)\n"
	       "      --format NAME    pcap (default); mold, the packets without their stamps; or\n"
	       "                       itch, messages behind their lengths as in Nasdaq's files\n"
	       "  -h, --help           this text\n"
	       "\n"
	       "The process (Hawkes 1971, simulated by Ogata's thinning 1981): %g events/s of\n"
	       "themselves; each excites %g, %g and %g more, which follow after 1/%g, 1/%g\n"
	       "and 1/%g s on average; a publisher sends them at least %g us apart, %g us on\n"
	       "average.  The parameters were fitted to the peaks of a capture of CME MDP 3.0:\n"
	       "\n"
	       "  most packets within       1 ms    10 ms   100 ms      1 s    all in\n"
	       "  the capture, 5,000          39      233      571    1,023     304 s\n"
	       "  default seed, 5,000         39      234      539      988     299 s\n"
	       "  median of 400 seeds         39      257      467    1,044     322 s\n"
	       "  half of them are in      39-39  213-311  372-620 784-1458 246-400 s\n",
	       DEFAULT_PACKETS, MAX_INSTRUMENTS, DEFAULT_SEED, p->background, p->branching[0],
	       p->branching[1], p->branching[2], p->rate[0], p->rate[1], p->rate[2],
	       p->spacing_ns / 1000, (p->spacing_ns + p->jitter_ns) / 1000);
}

static int complain(const char *what, int err)
{
	fail(-err, "%s", what);
	return 1;
}

static bool parse_seconds(const char *text, double *seconds)
{
	return parse_real(text, 0, 50000, seconds) && *seconds > 0;
}

static bool parse_format(const char *text, enum format *format)
{
	unsigned int i;

	for (i = 0; i < FORMATS; i++) {
		*format = (enum format)i;
		if (!strcmp(text, format_names[i]))
			return true;
	}
	return false;
}

/* Is @arrival, of packet @n, the last one's or behind it? */
static bool is_last(const struct request *request, uint64_t n, uint64_t arrival)
{
	if (OPENING + arrival >= DAY - NSEC_PER_SEC)
		return true;
	if (request->packets && n + 1 >= request->packets)
		return true;
	return request->seconds > 0 && (double)arrival >= request->seconds * (double)NSEC_PER_SEC;
}

static int write_all(const struct request *request, struct market *market, struct writer *writer)
{
	uint64_t n, arrival, time, first = 0;
	struct arrivals arrivals;
	struct batch batch;
	bool last;
	int err;

	arrivals_init(&arrivals, &default_process, request->seed);
	for (n = 0; ; n++) {
		arrival = arrivals_next(&arrivals);
		if (!n)
			first = arrival;
		arrival -= first;
		last = is_last(request, n, arrival);
		time = OPENING + arrival;
		if (last)
			market_end_day(market, time, &batch);
		else if (n < market_opening_packets(market))
			market_open_day(market, time, &batch);
		else
			market_trade(market, time, &batch);
		err = writer_packet(writer, MIDNIGHT * NSEC_PER_SEC + time + ON_THE_WAY, &batch);
		if (err || last)
			return err;
	}
}

static int generate(const struct request *request)
{
	struct market *market = market_open(request->seed, request->instruments);
	struct writer *writer;
	int err, close_err;

	if (!market)
		return complain("the market", -ENOMEM);
	err = writer_open(&writer, request->path, request->format);
	if (!err) {
		err = write_all(request, market, writer);
		close_err = writer_close(writer);
		if (!err)
			err = close_err;
	}
	market_close(market);
	return err ? complain(request->path, err) : 0;
}

enum { OPT_PACKETS = 256, OPT_SECONDS, OPT_INSTRUMENTS, OPT_SEED, OPT_FORMAT };

static const struct option options[] = {
	{ "output", required_argument, NULL, 'o' },
	{ "packets", required_argument, NULL, OPT_PACKETS },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "instruments", required_argument, NULL, OPT_INSTRUMENTS },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "format", required_argument, NULL, OPT_FORMAT },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static bool parse_option(struct request *request, int c, const char *text)
{
	uint64_t number;

	switch (c) {
	case 'o':
		request->path = text;
		return true;
	case OPT_PACKETS:
		return parse_number(text, 10, 2, MAX_PACKETS, &request->packets);
	case OPT_SECONDS:
		return parse_seconds(text, &request->seconds);
	case OPT_INSTRUMENTS:
		if (!parse_number(text, 10, 1, MAX_INSTRUMENTS, &number))
			return false;
		request->instruments = (unsigned int)number;
		return true;
	case OPT_SEED:
		return parse_number(text, 10, 0, UINT64_MAX, &request->seed);
	case OPT_FORMAT:
		return parse_format(text, &request->format);
	default:
		return false;
	}
}

int cmd_generate(int argc, char **argv)
{
	struct request request = { .seed = DEFAULT_SEED, .instruments = 32 };
	int c;

	tool_help = "hft-feed generate --help";
	while ((c = getopt_long(argc, argv, "o:h", options, NULL)) != -1) {
		if (c == 'h') {
			usage();
			return 0;
		}
		if (c == '?')
			return 2;
		if (!parse_option(&request, c, optarg))
			return wrong_usage("%s is out of range", optarg);
	}
	if (!request.path || optind < argc)
		return wrong_usage("generate needs -o FILE, and nothing else");
	if (!request.packets && request.seconds <= 0)
		request.packets = DEFAULT_PACKETS;
	return generate(&request);
}
