/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef TOOLS_COMMON_GNUPLOT_H
#define TOOLS_COMMON_GNUPLOT_H

#include <stdio.h>

/*
 * Start gnuplot, to be written a script to; ignores SIGPIPE from now on.  NULL after it
 * has printed the reason, errno tells it too.
 */
FILE *gnuplot_open(void);

/* End it; 0, or -errno after it has printed the reason.  @picture: the file it makes. */
int gnuplot_close(FILE *f, const char *picture);

/* Write @text as a string of gnuplot's. */
void gnuplot_quote(FILE *f, const char *text);

#endif /* TOOLS_COMMON_GNUPLOT_H */
