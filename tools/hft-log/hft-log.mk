# SPDX-License-Identifier: LGPL-2.1-or-later
hft-log_LDLIBS := -ljansson -lhwloc -ltraceevent
hft-log_CFLAGS := -I../libhft/src
