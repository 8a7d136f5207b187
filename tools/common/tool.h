/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the tools share on the command line. */
#ifndef TOOLS_COMMON_TOOL_H
#define TOOLS_COMMON_TOOL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Text that may be anyone's, as the name of a file or of a thread: what a terminal would obey,
 * and bytes that are no UTF-8, are shown as \xHH.
 */
void print_clean(FILE *f, const char *text);

/* The same, to be freed; NULL: there is no memory. */
char *copy_clean(const char *text);

/*
 * An error of this program: prints its name, the message and, if @err is not 0, the text
 * of @err; returns -@err, or -EIO.  It is one line, as print_clean() has it.
 */
int fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* An error of the library's, of @what or NULL, in its words; returns @err. */
int fail_hft(int err, const char *what);

/* What prints the help that wrong_usage() tells of: --help, until a command has its own. */
extern const char *tool_help;

/* The command line is wrong: prints why and where help is; returns 2, the exit status. */
int wrong_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Is the whole of @text a number from @least to @most?  @base as for strtoull(); what does
 * not fit and what is negative is none.
 */
bool parse_number(const char *text, int base, uint64_t least, uint64_t most, uint64_t *number);
bool parse_real(const char *text, double least, double most, double *number);

/* Takes the blanks at both ends of a list with commas, and of its parts, away; returns it. */
char *trim_list(char *list);

/*
 * SIGINT, SIGTERM and SIGHUP, unless that is ignored, set this from then on.  Without
 * SA_RESTART: a wait ends, and what was done until then is reported.
 */
extern volatile sig_atomic_t interrupted;
void catch_signals(void);

#endif /* TOOLS_COMMON_TOOL_H */
