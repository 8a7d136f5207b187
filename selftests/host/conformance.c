// SPDX-License-Identifier: GPL-2.0-only
/* The backends that need no device, here too. */
#include "../libhft/conformance.c"
