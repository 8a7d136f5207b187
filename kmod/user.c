// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the contexts of a user hold in all, and how much they may.
 */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/slab.h>

#include "hft.h"

struct hft_user {
	struct list_head link;
	kuid_t uid;
	u32 refs;
	u64 held[HFT_CHARGES];
};

static DEFINE_MUTEX(hft_users_lock);
static LIST_HEAD(hft_users);

static unsigned long hft_user_limits[HFT_CHARGES] __read_mostly = {
	[HFT_CHARGE_TASKS] = 1UL << 20,
	[HFT_CHARGE_RINGS] = 256,
	[HFT_CHARGE_BYTES] = 1UL << 28,
};

module_param_named(user_tasks, hft_user_limits[HFT_CHARGE_TASKS], ulong, 0644);
MODULE_PARM_DESC(user_tasks, "Tasks that the contexts of a user can have in all (1048576)");
module_param_named(user_rings, hft_user_limits[HFT_CHARGE_RINGS], ulong, 0644);
MODULE_PARM_DESC(user_rings, "Rings that a user can have in all (256)");
module_param_named(user_bytes, hft_user_limits[HFT_CHARGE_BYTES], ulong, 0644);
MODULE_PARM_DESC(user_bytes, "Memory of the rings of a user in all (268435456 bytes)");

static struct hft_user *hft_user_find(kuid_t uid)
{
	struct hft_user *user;

	list_for_each_entry(user, &hft_users, link) {
		if (uid_eq(user->uid, uid))
			return user;
	}
	return NULL;
}

/* Return: the user with a reference, NULL for want of memory. */
struct hft_user *hft_user_get(kuid_t uid)
{
	struct hft_user *user;

	mutex_lock(&hft_users_lock);
	user = hft_user_find(uid);
	if (!user) {
		user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
		if (!user)
			goto unlock;
		user->uid = uid;
		list_add(&user->link, &hft_users);
	}
	user->refs++;
unlock:
	mutex_unlock(&hft_users_lock);
	return user;
}

void hft_user_put(struct hft_user *user)
{
	mutex_lock(&hft_users_lock);
	if (!--user->refs) {
		list_del(&user->link);
		kfree(user);
	}
	mutex_unlock(&hft_users_lock);
}

/* Return: 0, or -EDQUOT with nothing charged. */
int hft_user_charge(struct hft_user *user, enum hft_charge kind, u64 amount)
{
	u64 limit = READ_ONCE(hft_user_limits[kind]);
	int err = -EDQUOT;

	mutex_lock(&hft_users_lock);
	if (user->held[kind] <= limit && amount <= limit - user->held[kind]) {
		user->held[kind] += amount;
		err = 0;
	}
	mutex_unlock(&hft_users_lock);
	return err;
}

void hft_user_uncharge(struct hft_user *user, enum hft_charge kind, u64 amount)
{
	mutex_lock(&hft_users_lock);
	user->held[kind] -= amount;
	mutex_unlock(&hft_users_lock);
}
