# SPDX-License-Identifier: LGPL-2.1-or-later
hft-demo_LDLIBS := -ljansson
