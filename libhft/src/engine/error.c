// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Why the calling thread's last call failed.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"

static _Thread_local struct hft_error hft_last;

/* Record the reason for -@err, and return -@err. */
int hft_fail(int err, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(hft_last.text, sizeof(hft_last.text), format, args);
	va_end(args);
	if (length >= 0 && (size_t)length < sizeof(hft_last.text))
		snprintf(hft_last.text + length, sizeof(hft_last.text) - length, ": %s",
			 strerror(err));
	hft_last.err = err;
	return -err;
}

/* Keep the calling thread's last error, for another thread to take over. */
void hft_save_error(struct hft_error *error)
{
	*error = hft_last;
}

int hft_take_error(const struct hft_error *error)
{
	hft_last = *error;
	return -error->err;
}

/**
 * hft_strerror() - tell what an error of this library means
 * @err: what a function returned; the sign does not matter
 *
 * The text names the step that failed and, where there is one, the cure, when
 * @err is the calling thread's last error; else it is strerror()'s.  It stays
 * valid until the thread's next call of this library.
 *
 * Any thread; does not block or enter the kernel.
 */
HFT_API const char *hft_strerror(int err)
{
	if (err < 0)
		err = -err;
	return hft_last.err == err && err ? hft_last.text : strerror(err);
}

/**
 * hft_warn_stderr() - print a warning, for hft_opts.warn
 * @arg: a name to begin the line with, or NULL
 * @text: the warning
 */
HFT_API void hft_warn_stderr(void *arg, const char *text)
{
	fprintf(stderr, "%s: %s\n", arg ? (const char *)arg : "hft", text);
}
