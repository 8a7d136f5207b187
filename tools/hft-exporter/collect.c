// SPDX-License-Identifier: LGPL-2.1-or-later
/* All metrics, and what they took. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <hft/hft.h>

#include "hft-exporter.h"

#define VERSION		"0.1"

static const struct hft_metric build_info = {
	"hft_exporter_build", "Version of the exporter.", .type = HFT_METRIC_INFO
};

static const struct hft_metric scrapes = {
	"hft_exporter_collections", "Times the metrics were collected.",
	.type = HFT_METRIC_COUNTER
};

static const struct hft_metric errors = {
	"hft_exporter_errors", "Things to be collected that could not be read.",
	.type = HFT_METRIC_COUNTER
};

static const struct hft_metric duration = {
	"hft_exporter_collection_duration_seconds", "How long it took to collect these metrics.",
	"seconds", HFT_METRIC_GAUGE, HFT_TEXT_NS
};

/* A file of the machine's; a negative number and errno, if there is none. */
int root_open(const struct exporter *exporter, const char *path, int flags)
{
	char *full;
	int fd;

	if (asprintf(&full, "%s%s", exporter->root, path) < 0)
		return -1;
	fd = open(full, flags | O_CLOEXEC);
	free(full);
	return fd;
}

static void put_one(struct hft_text *text, const struct hft_metric *metric, uint64_t value)
{
	hft_text_begin(text, metric);
	hft_text_sample(text, NULL, 0, value);
}

void collect(struct exporter *exporter, struct hft_text *text)
{
	const struct hft_label version = { "version", VERSION };
	uint64_t begin = hft_now();

	exporter->scrapes++;
	module_collect(exporter, text);
	hft_text_begin(text, &build_info);
	hft_text_sample(text, &version, 1, 1);
	put_one(text, &scrapes, exporter->scrapes);
	put_one(text, &errors, exporter->errors);
	put_one(text, &duration, hft_now() - begin);
	hft_text_end(text);
}

/* What there can be, without samples. */
void collect_list(struct hft_text *text)
{
	module_list(text);
	hft_text_begin(text, &build_info);
	hft_text_begin(text, &scrapes);
	hft_text_begin(text, &errors);
	hft_text_begin(text, &duration);
	hft_text_end(text);
}
