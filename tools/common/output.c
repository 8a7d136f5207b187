// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <common/output.h>
#include <common/tool.h>

/* A file that is there may be another's by a link: that one is replaced. */
static char *real_path(const char *path)
{
	char *real = realpath(path, NULL);

	return real || errno != ENOENT ? real : strdup(path);
}

static int open_hidden(struct output *output, const char *path)
{
	int fd;

	output->path = real_path(path);
	if (!output->path || asprintf(&output->hidden, "%s.%d.part", output->path,
				      (int)getpid()) < 0) {
		output->hidden = NULL;
		return -1;
	}
	fd = open(output->hidden, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	output->stream = fd < 0 ? NULL : fdopen(fd, "w");
	return output->stream ? 0 : -1;
}

int output_open(struct output *output, const char *path)
{
	struct stat stat_;
	int err;

	*output = (struct output){ .stream = NULL };
	if (!strcmp(path, "-")) {
		output->stream = stdout;
		return 0;
	}
	if (!stat(path, &stat_) && !S_ISREG(stat_.st_mode)) {
		output->stream = fopen(path, "we");
		return output->stream ? 0 : fail(errno, "%s", path);
	}
	if (!open_hidden(output, path))
		return 0;
	err = fail(errno, "%s", path);
	free(output->hidden);
	free(output->path);
	return err;
}

static int end_stream(struct output *output)
{
	bool failed = fflush(output->stream) || ferror(output->stream);
	int err = errno ? errno : EIO;

	if (output->stream != stdout && fclose(output->stream) && !failed) {
		failed = true;
		err = errno;
	}
	return failed ? -err : 0;
}

int output_close(struct output *output, bool keep)
{
	int err;

	errno = 0;
	err = end_stream(output);
	if (output->path && !err && keep && rename(output->hidden, output->path))
		err = -errno;
	if (output->path && (err || !keep))
		unlink(output->hidden);
	if (err)
		fail(-err, "write %s", output->path ? output->path : "the output");
	free(output->hidden);
	free(output->path);
	return err;
}
