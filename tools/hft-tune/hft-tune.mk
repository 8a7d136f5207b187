# SPDX-License-Identifier: LGPL-2.1-or-later
hft-tune_CFLAGS := -I../libhft/src
