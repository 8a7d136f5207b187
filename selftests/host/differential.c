// SPDX-License-Identifier: GPL-2.0-only
/* The backend that needs no device, here too. */
#include "../libhft/differential.c"
