// SPDX-License-Identifier: GPL-2.0-only
/*
 * What libcrypto refers to, to load modules and to look up hosts, which no test has it do.  In a
 * static program these would need the libc's shared objects, and the linker warns of each.
 */
#include <netdb.h>
#include <stddef.h>

void *__wrap_dlopen(const char *name, int flags);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		       struct addrinfo **found);
struct hostent *__wrap_gethostbyname(const char *name);

void *__wrap_dlopen(const char *name, int flags)
{
	(void)name;
	(void)flags;
	return NULL;
}

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
		       struct addrinfo **found)
{
	(void)node;
	(void)service;
	(void)hints;
	(void)found;
	return EAI_FAIL;
}

struct hostent *__wrap_gethostbyname(const char *name)
{
	(void)name;
	return NULL;
}
