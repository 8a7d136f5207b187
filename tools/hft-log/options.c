// SPDX-License-Identifier: LGPL-2.1-or-later
/* The options of commands that take one log. */
#include <getopt.h>
#include <stddef.h>

#include <common/tool.h>

#include "hft-log.h"

int read_options(const struct log_command *command, int argc, char **argv, void *arg,
		 const char **log)
{
	int option, status = 0;

	*log = NULL;
	tool_help = command->help;
	while (!status && (option = getopt_long(argc, argv, command->letters, command->options,
						NULL)) != -1) {
		if (option == 'h') {
			command->usage();
			return STATUS_OK;
		}
		status = option == '?' ? wrong_usage("no such option") :
					 command->take(option, arg);
	}
	if (status)
		return status;
	if (optind + 1 != argc)
		return wrong_usage(optind < argc ? "one log at a time" : "which log?");
	*log = argv[optind];
	return STATUS_OK;
}
