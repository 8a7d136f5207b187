# SPDX-License-Identifier: LGPL-2.1-or-later
hft-exporter_LDLIBS := -lmicrohttpd -lsystemd
