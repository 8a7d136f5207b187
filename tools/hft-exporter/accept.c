// SPDX-License-Identifier: LGPL-2.1-or-later
/* Which of the two formats a client would rather have (RFC 9110, 12.5.1). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "hft-exporter.h"

#define BLANK	" \t"

struct range {
	double openmetrics;		/* the best weights so far; negative: none */
	double text;
};

/* Parameters "name=value": the version that is wanted, and the weight. */
static void read_parameters(char *parameters, const char **version, double *weight)
{
	char *save = NULL, *parameter;

	for (parameter = strtok_r(parameters, ";", &save); parameter;
	     parameter = strtok_r(NULL, ";", &save)) {
		parameter += strspn(parameter, BLANK);
		parameter[strcspn(parameter, BLANK)] = '\0';
		if (!strncasecmp(parameter, "version=", 8))
			*version = parameter + 8;
		else if (!strncasecmp(parameter, "q=", 2))
			*weight = strtod(parameter + 2, NULL);
	}
}

static void read_range(char *item, struct range *range)
{
	const char *version = NULL;
	double weight = 1;
	char *parameters;

	item += strspn(item, BLANK);
	parameters = item + strcspn(item, ";");
	if (*parameters)
		*parameters++ = '\0';
	read_parameters(parameters, &version, &weight);
	item[strcspn(item, BLANK)] = '\0';
	if (!(weight >= 0 && weight <= 1))
		return;
	if (!strcasecmp(item, "application/openmetrics-text")) {
		if ((!version || !strcmp(version, "1.0.0")) && weight > range->openmetrics)
			range->openmetrics = weight;
	} else if (!strcasecmp(item, "text/plain")) {
		if ((!version || !strcmp(version, "0.0.4")) && weight > range->text)
			range->text = weight;
	}
}

/* @accept: the header, or NULL.  Who names neither gets the text format. */
bool accepts_openmetrics(const char *accept)
{
	struct range range = { .openmetrics = -1, .text = -1 };
	char *copy, *item, *save = NULL;

	copy = accept ? strdup(accept) : NULL;
	if (!copy)
		return false;
	for (item = strtok_r(copy, ",", &save); item; item = strtok_r(NULL, ",", &save))
		read_range(item, &range);
	free(copy);
	return range.openmetrics > 0 && range.openmetrics >= range.text;
}
