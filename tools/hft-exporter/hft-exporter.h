/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef HFT_EXPORTER_H
#define HFT_EXPORTER_H

#include <stdbool.h>
#include <stdint.h>

#include "../../libhft/src/export/text.h"

/**
 * struct exporter - what is exported, and what that took
 * @root: before the path of each file that is read
 * @per_cpu: histograms of each CPU, not of all together
 * @scrapes: how often it was asked for
 * @errors: of what was to be read, what could not be
 * @up: the module was there the last time
 */
struct exporter {
	const char *root;
	bool per_cpu;
	uint64_t scrapes;
	uint64_t errors;
	bool up;
};

/* collect.c */
int root_open(const struct exporter *exporter, const char *path, int flags);
void collect(struct exporter *exporter, struct hft_text *text);
void collect_list(struct hft_text *text);

/* module.c */
void module_look(struct exporter *exporter);
void module_collect(struct exporter *exporter, struct hft_text *text);
void module_list(struct hft_text *text);

/* device.c */
void device_collect(struct exporter *exporter, struct hft_text *text);
void device_list(struct hft_text *text);

/* counters.c */
void counters_collect(struct exporter *exporter, struct hft_text *text, int fd,
		      uint32_t nr_cpus);
void counters_list(struct hft_text *text);

/* listen.c */
#define LISTEN_NAME_SIZE	160
int listen_at(const char *address);
void listen_name(int fd, char name[static LISTEN_NAME_SIZE]);
void listen_end(const char *address);

/* accept.c */
bool accepts_openmetrics(const char *accept);

/* http.c */
struct http;
int http_open(struct http **http, struct exporter *exporter, int fd);
int http_fd(const struct http *http);
int http_timeout_ms(const struct http *http);
void http_run(struct http *http);
void http_close(struct http *http);

#endif /* HFT_EXPORTER_H */
