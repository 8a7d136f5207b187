# SPDX-License-Identifier: LGPL-2.1-or-later
hftctl_LDLIBS := -ljansson -lhwloc
hftctl_CFLAGS := -I../libhft/src
