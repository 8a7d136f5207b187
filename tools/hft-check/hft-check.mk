# SPDX-License-Identifier: LGPL-2.1-or-later
hft-check_LDLIBS := -ljansson
