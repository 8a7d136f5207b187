// SPDX-License-Identifier: LGPL-2.1-or-later
/* Pictures by gnuplot. */
#include <errno.h>
#include <signal.h>

#include <common/gnuplot.h>
#include <common/tool.h>

FILE *gnuplot_open(void)
{
	FILE *f;

	/* A gnuplot that is not there is an exit status, not our end. */
	signal(SIGPIPE, SIG_IGN);
	f = popen("gnuplot", "we");
	if (!f)
		errno = -fail(errno, "gnuplot");
	return f;
}

int gnuplot_close(FILE *f, const char *picture)
{
	int ret = pclose(f);

	if (ret < 0)
		return fail(errno, "gnuplot");
	if (ret)
		return fail(EIO, "%s: gnuplot failed (is gnuplot-nox installed?)", picture);
	return 0;
}

/*
 * In its single quotes only the quote itself is special: it is doubled.  A text ends with its
 * line, and what follows would be a command: names come from files of others.
 */
void gnuplot_quote(FILE *f, const char *text)
{
	putc('\'', f);
	for (; *text; text++) {
		if (*text == '\'')
			putc('\'', f);
		putc((unsigned char)*text < ' ' ? ' ' : *text, f);
	}
	putc('\'', f);
}
