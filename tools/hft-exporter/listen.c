// SPDX-License-Identifier: LGPL-2.1-or-later
/* Sockets to listen at: ADDRESS:PORT, [ADDRESS]:PORT of IPv6, unix:PATH. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <common/tool.h>

#include "hft-exporter.h"

#define BACKLOG		32
#define UNIX_PREFIX	"unix:"
#define TYPE		(SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

static int bind_and_listen(int fd, const struct sockaddr *address, socklen_t size)
{
	int err;

	if (!bind(fd, address, size) && !listen(fd, BACKLOG))
		return fd;
	err = errno;
	close(fd);
	return -err;
}

/* A socket that is left of one who was killed makes room; one that somebody has does not. */
static bool is_left_over(const struct sockaddr_un *address)
{
	struct stat stat;
	int fd, ret;

	if (lstat(address->sun_path, &stat) || !S_ISSOCK(stat.st_mode))
		return false;
	fd = socket(AF_UNIX, TYPE, 0);
	if (fd < 0)
		return false;
	ret = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	ret = ret ? errno : 0;
	close(fd);
	return ret == ECONNREFUSED;
}

static int listen_unix(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return fail(*path ? ENAMETOOLONG : EINVAL, "unix:%s", path);
	strcpy(address.sun_path, path);
	if (is_left_over(&address))
		unlink(path);
	fd = socket(AF_UNIX, TYPE, 0);
	if (fd < 0)
		return fail(errno, "a socket");
	fd = bind_and_listen(fd, (struct sockaddr *)&address, sizeof(address));
	return fd < 0 ? fail(-fd, "unix:%s", path) : fd;
}

static int listen_info(const struct addrinfo *info)
{
	int fd, on = 1;

	fd = socket(info->ai_family, TYPE, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    (info->ai_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)))) {
		close(fd);
		return -errno;
	}
	return bind_and_listen(fd, info->ai_addr, info->ai_addrlen);
}

static int listen_inet(const char *address, const char *host, const char *port)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
					.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *list, *info;
	int ret, fd = -EADDRNOTAVAIL;

	ret = getaddrinfo(*host ? host : NULL, port, &hints, &list);
	if (ret)
		return fail(0, "%s: %s", address,
			    ret == EAI_SYSTEM ? strerror(errno) : gai_strerror(ret));
	for (info = list; info && fd < 0; info = info->ai_next)
		fd = listen_info(info);
	freeaddrinfo(list);
	return fd < 0 ? fail(-fd, "%s", address) : fd;
}

/* Returns the socket, or a negative errno after it has printed the reason. */
int listen_at(const char *address)
{
	const char *colon = strrchr(address, ':');
	char host[256];
	uint64_t port;
	size_t nr;

	if (!strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)))
		return listen_unix(address + strlen(UNIX_PREFIX));
	if (!colon || !parse_number(colon + 1, 10, 0, UINT16_MAX, &port))
		return fail(EINVAL, "%s: not ADDRESS:PORT", address);
	nr = (size_t)(colon - address);
	if (nr && *address == '[' && address[nr - 1] == ']') {
		address++;
		nr -= 2;
	} else if (memchr(address, ':', nr)) {
		return fail(EINVAL, "%s: an address of IPv6 needs brackets: [ADDRESS]:PORT", address);
	}
	if (nr >= sizeof(host))
		return fail(ENAMETOOLONG, "%s", address);
	memcpy(host, address, nr);
	host[nr] = '\0';
	return listen_inet(address, host, colon + 1);
}

/* Where it is: the port, if that was to be any. */
void listen_name(int fd, char name[static LISTEN_NAME_SIZE])
{
	char host[LISTEN_NAME_SIZE - NI_MAXSERV - 4], port[NI_MAXSERV];
	struct sockaddr_storage address = {};
	socklen_t size = sizeof(address);

	if (getsockname(fd, (struct sockaddr *)&address, &size))
		snprintf(name, LISTEN_NAME_SIZE, "?");
	else if (address.ss_family == AF_UNIX)
		snprintf(name, LISTEN_NAME_SIZE, UNIX_PREFIX "%s",
			 ((struct sockaddr_un *)&address)->sun_path);
	else if (getnameinfo((struct sockaddr *)&address, size, host, sizeof(host), port,
			     sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(name, LISTEN_NAME_SIZE, "?");
	else
		snprintf(name, LISTEN_NAME_SIZE, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host,
			 port);
}

/* Of a socket in the file system its name goes, too. */
void listen_end(const char *address)
{
	if (!strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)))
		unlink(address + strlen(UNIX_PREFIX));
}
