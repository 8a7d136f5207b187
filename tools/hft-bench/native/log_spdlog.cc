// SPDX-License-Identifier: LGPL-2.1-or-later
/* spdlog, whose own thread formats and writes. */
#include <memory>
#include <string>

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>

#include "log.h"

static std::shared_ptr<spdlog::logger> logger;

static int spdlog_open(const char *dir)
{
	spdlog::init_thread_pool(8192, 1);
	logger = spdlog::create_async_nb<spdlog::sinks::basic_file_sink_mt>("bench",
		std::string(dir) + "/spdlog.txt");
	return 0;
}

static void spdlog_numbers(unsigned int nr)
{
	while (nr--)
		logger->info("number={} quantity={} price={}", log_number++, log_quantity,
			     log_price);
}

static void spdlog_text(unsigned int nr, const char *text)
{
	while (nr--)
		logger->info("text={}", text);
}

static void spdlog_close()
{
	logger.reset();
	spdlog::shutdown();
}

const struct log_peer log_peer_spdlog = {
	"spdlog", spdlog_open, spdlog_numbers, spdlog_text, spdlog_close,
};
