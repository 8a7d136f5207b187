// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The metrics by HTTP.  One thread, which waits for what libmicrohttpd's epoll descriptor
 * has: what a client is slow with waits for no other.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <microhttpd.h>

#include <common/tool.h>
#include <hft/hft.h>

#include "hft-exporter.h"

#define MOST_CONNECTIONS	32
#define MOST_HEADERS		16384		/* bytes */
#define IDLE_S			10
#define LIFE_NS			30000000000ULL	/* of a connection, whatever it does */
#define NS_PER_MS		1000000ULL

#define TYPE_TEXT		"text/plain; version=0.0.4; charset=utf-8"
#define TYPE_OPENMETRICS	"application/openmetrics-text; version=1.0.0; charset=utf-8"

static const char page[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\"><head><title>hft-exporter</title></head><body>\n"
	"<h1>hft-exporter</h1>\n"
	"<p>The hft kernel module's <a href=\"/metrics\">metrics</a>.</p>\n"
	"</body></html>\n";

/* A connection; they are in the order that they began in. */
struct peer {
	struct peer *next;
	struct peer *previous;
	uint64_t end;			/* CLOCK_MONOTONIC: it is closed then */
	int fd;
};

struct http {
	struct MHD_Daemon *daemon;
	struct exporter *exporter;
	struct peer peers;		/* the list's head */
};

static enum MHD_Result answer_with(struct MHD_Connection *connection, unsigned int status,
				   const char *type, struct MHD_Response *response)
{
	enum MHD_Result ret = MHD_NO;

	if (!response)
		return MHD_NO;
	if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) &&
	    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") &&
	    (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
	     MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD")))
		ret = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return ret;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned int status,
				   const char *text)
{
	return answer_with(connection, status, "text/plain; charset=utf-8",
			   MHD_create_response_from_buffer(strlen(text), (void *)text,
							   MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result answer_metrics(struct http *http, struct MHD_Connection *connection)
{
	struct hft_text text = {
		.openmetrics = accepts_openmetrics(MHD_lookup_connection_value(
			connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT)),
	};
	struct MHD_Response *response;

	collect(http->exporter, &text);
	if (text.failed) {
		hft_text_free(&text);
		return answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR, "no memory\n");
	}
	response = MHD_create_response_from_buffer(text.nr, text.at, MHD_RESPMEM_MUST_FREE);
	if (!response)
		hft_text_free(&text);
	return answer_with(connection, MHD_HTTP_OK,
			   text.openmetrics ? TYPE_OPENMETRICS : TYPE_TEXT, response);
}

static enum MHD_Result answer(void *arg, struct MHD_Connection *connection, const char *url,
			      const char *method, const char *version, const char *data,
			      size_t *size, void **state)
{
	(void)version;
	(void)data;
	(void)size;
	(void)state;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET or HEAD\n");
	if (!strcmp(url, "/metrics"))
		return answer_metrics(arg, connection);
	if (strcmp(url, "/"))
		return answer_text(connection, MHD_HTTP_NOT_FOUND, "not here: /metrics\n");
	return answer_with(connection, MHD_HTTP_OK, "text/html; charset=utf-8",
			   MHD_create_response_from_buffer(strlen(page), (void *)page,
							   MHD_RESPMEM_PERSISTENT));
}

static void peer_comes(struct http *http, struct MHD_Connection *connection, void **state)
{
	const union MHD_ConnectionInfo *info;
	struct peer *peer = malloc(sizeof(*peer));

	*state = peer;
	if (!peer)
		return;			/* it has IDLE_S alone */
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	peer->fd = info ? info->connect_fd : -1;
	peer->end = hft_now() + LIFE_NS;
	peer->next = &http->peers;
	peer->previous = http->peers.previous;
	peer->previous->next = peer;
	http->peers.previous = peer;
}

static void peer_goes(struct peer *peer)
{
	if (!peer)
		return;
	peer->previous->next = peer->next;
	peer->next->previous = peer->previous;
	free(peer);
}

static void notify(void *arg, struct MHD_Connection *connection, void **state,
		   enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		peer_comes(arg, connection, state);
	else
		peer_goes(*state);
}

/* Those that drip their bytes: libmicrohttpd's own limit is one of idleness. */
static void end_old_peers(struct http *http)
{
	uint64_t now = hft_now();
	struct peer *peer;

	for (peer = http->peers.next; peer != &http->peers && peer->end <= now; peer = peer->next)
		shutdown(peer->fd, SHUT_RDWR);
}

/* The socket is the server's from then on; a negative errno after the reason is printed. */
int http_open(struct http **http_out, struct exporter *exporter, int fd)
{
	struct http *http = calloc(1, sizeof(*http));

	*http_out = http;
	if (!http)
		return fail(ENOMEM, "a server");
	http->exporter = exporter;
	http->peers.next = &http->peers;
	http->peers.previous = &http->peers;
	http->daemon = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, answer, http,
		MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_CONNECTION_LIMIT, MOST_CONNECTIONS,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)MOST_HEADERS,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_S,
		MHD_OPTION_NOTIFY_CONNECTION, notify, http,
		MHD_OPTION_END);
	if (http->daemon)
		return 0;
	free(http);
	*http_out = NULL;
	return fail(errno ? errno : EIO, "libmicrohttpd does not start");
}

/* Is readable when http_run() has work. */
int http_fd(const struct http *http)
{
	return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

/* When there is some at the latest; -1: it is not known of any. */
int http_timeout_ms(const struct http *http)
{
	MHD_UNSIGNED_LONG_LONG theirs;
	uint64_t now = hft_now(), ours;
	int timeout = -1;

	if (MHD_get_timeout(http->daemon, &theirs))
		timeout = theirs > IDLE_S * 1000 ? IDLE_S * 1000 : (int)theirs;
	if (http->peers.next == &http->peers)
		return timeout;
	ours = http->peers.next->end;
	ours = ours > now ? (ours - now) / NS_PER_MS + 1 : 1;
	return timeout < 0 || ours < (uint64_t)timeout ? (int)ours : timeout;
}

void http_run(struct http *http)
{
	end_old_peers(http);
	MHD_run(http->daemon);
}

void http_close(struct http *http)
{
	if (!http)
		return;
	MHD_stop_daemon(http->daemon);
	free(http);
}
