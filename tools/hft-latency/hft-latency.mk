# SPDX-License-Identifier: LGPL-2.1-or-later
hft-latency_LDLIBS := -ljansson
