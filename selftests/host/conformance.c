// SPDX-License-Identifier: GPL-2.0-only
/* The backends that need no device */
#define BACKENDS	"soft", "sim"
#include "../libhft/conformance.c"
