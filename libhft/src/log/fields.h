/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The arguments of a site by name and type. */
#ifndef HFT_LOG_FIELDS_H
#define HFT_LOG_FIELDS_H

#include "store.h"

/*
 * Each argument has a letter in @types; its name is in @names, before a comma, or, if that
 * is NULL, before its conversion in the format, as in "price=%f", or it is arg0, arg1, ...
 * A name that there is already gets a number.  Returns how many there are, or -ENOMEM.
 */
int log_fields_make(struct hft_log_store_field **fields, const char *format, const char *names,
		    const char *types);
void log_fields_free(struct hft_log_store_field *fields, unsigned int nr);

#endif /* HFT_LOG_FIELDS_H */
