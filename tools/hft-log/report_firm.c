// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * hft-log report: what no event says of a firm, its accounts, venues and instruments.  A JSON
 * file of
 *
 *	{ "version": 1, "firms": { ID: { KEY: ..., "accounts": { NAME: { KEY: ... } }, ... } } }
 *
 * All of it is checked before the log is read; a key that nothing knows is an error, so that
 * one that was misspelt is not taken for one that is missing.
 */
#include <string.h>

#include <common/tool.h>
#include "report_cat.h"

typedef const char *check_fn(const char *text);

static const char *check_submitter(const char *text)
{
	return check_alnum(text, 1, 20);
}

static const char *check_client(const char *text)
{
	if (!check_word(text, "AGGR PNAL NORE") || !check_lei(text))
		return NULL;
	return strlen(text) == 20 ? check_lei(text) : check_person(text);
}

/* Marks what is no string; "true" and "false" come from JSON. */
static const char *check_bool(const char *text)
{
	return check_word(text, "true false");
}

/* A person, or the id of an algorithm (ALPHANUM-50). */
static const char *check_decision(const char *text)
{
	return check_alnum(text, 1, 50);
}

static const char *check_price_notation(const char *text)
{
	return check_word(text, "MONE PERC YIEL BAPO");
}

static const char *check_quantity_notation(const char *text)
{
	return check_word(text, "UNIT NOML MONE");
}

/* Without @check the key is a field of CAT. */
static const struct key {
	const char *group;		/* NULL: of the firm */
	const char *name;
	check_fn *check;
} keys[] = {
	{ NULL, "submitterID", check_submitter },
	{ NULL, "CATReporterIMID", NULL },
	{ NULL, "group", check_submitter },
	{ NULL, "deptType", NULL },
	{ NULL, "tradingSession", NULL },
	{ NULL, "representativeInd", NULL },
	{ NULL, "lei", check_lei },
	{ "accounts", "firmDesignatedID", NULL },
	{ "accounts", "accountHolderType", NULL },
	{ "accounts", "deptType", NULL },
	{ "accounts", "tradingSession", NULL },
	{ "accounts", "representativeInd", NULL },
	{ "accounts", "affiliateFlag", check_bool },
	{ "accounts", "directElectronicAccess", check_bool },
	{ "accounts", "client", check_client },
	{ "accounts", "nonExecutingBroker", check_lei },
	{ "algos", "investmentDecision", check_decision },
	{ "algos", "execution", check_decision },
	{ "venues", "destination", NULL },
	{ "venues", "destinationType", NULL },
	{ "venues", "senderIMID", NULL },
	{ "venues", "session", NULL },
	{ "venues", "affiliateFlag", check_bool },
	{ "venues", "mic", check_mic },
	{ "instruments", "symbol", NULL },
	{ "instruments", "isin", check_isin },
	{ "instruments", "currency", check_currency },
	{ "instruments", "priceNotation", check_price_notation },
	{ "instruments", "quantityNotation", check_quantity_notation },
};

static bool is_group(const char *name)
{
	return !check_word(name, "accounts algos venues instruments");
}

static const struct key *find_key(const char *group, const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!strcmp(keys[i].name, name) && !keys[i].group == !group &&
		    (!group || !strcmp(keys[i].group, group)))
			return &keys[i];
	}
	return NULL;
}

/* Where a value is, for messages. */
struct where {
	const char *path, *firm, *group, *item;
};

static int complain(const struct where *where, const char *key, const char *reason)
{
	return fail(0, "%s: firms.%s%s%s%s%s.%s %s", where->path, where->firm,
		    where->group ? "." : "", where->group ? where->group : "",
		    where->item ? "." : "", where->item ? where->item : "", key, reason);
}

static int check_value(const struct where *where, const char *name, const json_t *value)
{
	const struct key *key = find_key(where->group, name);
	const char *reason, *text = json_string_value(value);

	if (!key)
		return complain(where, name, "is no key that is known here");
	if (key->check == check_bool)
		return json_is_boolean(value) ? 0 : complain(where, name, "is not true or false");
	if (!text || strlen(text) != json_string_length(value))
		return complain(where, name, "is no string");
	if (!*text)
		return complain(where, name, "is empty");
	reason = key->check ? key->check(text) : cat_check(cat_field_find(name), text);
	return reason ? complain(where, name, reason) : 0;
}

static int check_item(const struct where *where, json_t *item)
{
	const char *name;
	json_t *value;
	int err = 0, e;

	json_object_foreach(item, name, value) {
		e = check_value(where, name, value);
		err = err ? err : e;
	}
	return err;
}

static int check_group(struct where *where, const char *group, json_t *items)
{
	const char *name;
	json_t *item;
	int err = 0, e;

	if (!json_is_object(items))
		return complain(where, group, "is no object");
	where->group = group;
	json_object_foreach(items, name, item) {
		where->item = NULL;
		if (!json_is_object(item)) {
			e = complain(where, name, "is no object");
		} else {
			where->item = name;
			e = check_item(where, item);
		}
		err = err ? err : e;
	}
	where->group = where->item = NULL;
	return err;
}

static int check_firm(const char *path, const char *id, json_t *firm)
{
	struct where where = { .path = path, .firm = id };
	const char *name;
	json_t *value;
	int err = 0, e;

	if (!json_is_object(firm))
		return fail(0, "%s: firms.%s is no object", path, id);
	json_object_foreach(firm, name, value) {
		e = is_group(name) ? check_group(&where, name, value) :
				     check_value(&where, name, value);
		err = err ? err : e;
	}
	return err;
}

static int check_all(const char *path, json_t *config)
{
	const char *name;
	json_t *value;
	int err = 0, e;

	if (json_integer_value(json_object_get(config, "version")) != 1)
		return fail(0, "%s: version is not 1", path);
	json_object_foreach(config, name, value) {
		if (strcmp(name, "version") && strcmp(name, "firms"))
			return fail(0, "%s: %s is no key that is known here", path, name);
	}
	value = json_object_get(config, "firms");
	if (!json_object_size(value))
		return fail(0, "%s: firms is no object with a firm", path);
	json_object_foreach(json_object_get(config, "firms"), name, value) {
		e = check_firm(path, name, value);
		err = err ? err : e;
	}
	return err;
}

static int choose(struct report *r, const char *path, const char *id)
{
	json_t *firms = json_object_get(r->config, "firms");

	if (!id && json_object_size(firms) == 1)
		id = json_object_iter_key(json_object_iter(firms));
	if (!id)
		return fail(0, "%s has more than one firm: --firm says which", path);
	r->firm = json_object_get(firms, id);
	r->firm_id = id;
	return r->firm ? 0 : fail(0, "%s: there is no firm %s", path, id);
}

/* @id: NULL: the only one.  The reason was printed. */
int firm_load(struct report *r, const char *path, const char *id)
{
	json_error_t error;
	int err;

	r->config = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!r->config && error.line > 0)
		return fail(0, "%s:%d:%d: %s", path, error.line, error.column, error.text);
	if (!r->config)
		return fail(0, "%s", error.text);
	err = check_all(path, r->config);
	return err ? err : choose(r, path, id);
}

/* @group: NULL: of the firm itself.  NULL: there is none. */
const char *firm_text(const struct report *r, const char *group, const char *item,
		      const char *key)
{
	json_t *value = r->firm;

	if (group)
		value = json_object_get(json_object_get(value, group), item);
	value = json_object_get(value, key);
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	return json_string_value(value);
}
