// SPDX-License-Identifier: LGPL-2.1-or-later
/* Messages and numbers of the command line, and its end by a signal. */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <hft/hft.h>

#include <common/tool.h>
#include <log/text.h>

const char *tool_help = "--help";

void print_clean(FILE *f, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t left = strlen(text);
	unsigned int size;

	for (; left; at += size, left -= size) {
		size = hft_utf8(at, left);
		/* U+0080 to U+009F are control characters, too. */
		if (size == 2 && *at == 0xc2 && at[1] < 0xa0)
			fprintf(f, "\\x%02x", at[1]);
		else if (!size || *at < ' ' || *at == 0x7f)
			fprintf(f, "\\x%02x", *at);
		else
			fwrite(at, 1, size, f);
		size = size ? size : 1;
	}
}

char *copy_clean(const char *text)
{
	char *copy = NULL;
	size_t size;
	FILE *f = open_memstream(&copy, &size);

	if (!f)
		return NULL;
	print_clean(f, text);
	if (!fclose(f))
		return copy;
	free(copy);
	return NULL;
}

static void begin_message(const char *format, va_list args)
{
	char *message;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	if (vasprintf(&message, format, args) < 0) {
		fputs(format, stderr);
		return;
	}
	print_clean(stderr, message);
	free(message);
}

int fail(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	begin_message(format, args);
	va_end(args);
	if (err)
		fprintf(stderr, ": %s", strerror(err));
	putc('\n', stderr);
	return err ? -err : -EIO;
}

int fail_hft(int err, const char *what)
{
	if (what)
		fail(0, "%s: %s", what, hft_strerror(err));
	else
		fail(0, "%s", hft_strerror(err));
	return err;
}

int wrong_usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	begin_message(format, args);
	va_end(args);
	fprintf(stderr, ": see %s\n", tool_help);
	return 2;
}

bool parse_number(const char *text, int base, uint64_t least, uint64_t most, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, base);
	return !errno && end != text && !*end && *text != '-' && *number >= least &&
	       *number <= most;
}

bool parse_real(const char *text, double least, double most, double *number)
{
	char *end;

	*number = strtod(text, &end);
	return end != text && !*end && *number >= least && *number <= most;
}

char *trim_list(char *list)
{
	char *from = list, *to = list;

	for (; *from; from++) {
		if (isblank((unsigned char)*from) && (to == list || to[-1] == ','))
			continue;
		while (*from == ',' && to != list && isblank((unsigned char)to[-1]))
			to--;
		*to++ = *from;
	}
	while (to != list && isblank((unsigned char)to[-1]))
		to--;
	*to = '\0';
	return list;
}

volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

void catch_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct sigaction was;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	/* nohup(1) has it ignored. */
	if (!sigaction(SIGHUP, NULL, &was) && was.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &action, NULL);
}
