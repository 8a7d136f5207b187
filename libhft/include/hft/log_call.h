/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How the macros of hft/log.h are made: one step for each argument of a call.
 *
 * HFT_LOG_EACH(step, x, y) is step(hft_log_a, x) step(hft_log_a_, y): each argument has a
 * name of its own.  An expansion ends where the preprocessor finds its macro in itself;
 * what is left is expanded by another scan, of which there are enough for 64 arguments
 * (D. Mazieres, "Recursive macros with C++20 __VA_OPT__", 2021).
 */
#ifndef HFT_LOG_CALL_H
#define HFT_LOG_CALL_H

#include <hft/log_ring.h>

#ifdef __cplusplus
#if __cplusplus < 201703L
#error "hft/log.h wants C++17 or later"
#endif
#include <type_traits>
#endif

#define HFT_LOG_SCAN(...)	\
	HFT_LOG_SCAN3(HFT_LOG_SCAN3(HFT_LOG_SCAN3(HFT_LOG_SCAN3(__VA_ARGS__))))
#define HFT_LOG_SCAN3(...)	\
	HFT_LOG_SCAN2(HFT_LOG_SCAN2(HFT_LOG_SCAN2(HFT_LOG_SCAN2(__VA_ARGS__))))
#define HFT_LOG_SCAN2(...)	\
	HFT_LOG_SCAN1(HFT_LOG_SCAN1(HFT_LOG_SCAN1(HFT_LOG_SCAN1(__VA_ARGS__))))
#define HFT_LOG_SCAN1(...)	__VA_ARGS__
#define HFT_LOG_PARENTHESES	()

#define HFT_LOG_EACH(step, ...)							\
	__VA_OPT__(HFT_LOG_SCAN(HFT_LOG_NEXT(step, hft_log_a, __VA_ARGS__)))
#define HFT_LOG_NEXT(step, name, argument, ...)					\
	step(name, argument)							\
	__VA_OPT__(HFT_LOG_AGAIN HFT_LOG_PARENTHESES (step, name##_, __VA_ARGS__))
#define HFT_LOG_AGAIN()		HFT_LOG_NEXT

#define HFT_LOG_ONE(name, argument)	+ 1
#define HFT_LOG_NR(...)		(0u HFT_LOG_EACH(HFT_LOG_ONE, __VA_ARGS__))

/* The same with a comma between two. */
#define HFT_LOG_LIST(step, ...)							\
	__VA_OPT__(HFT_LOG_SCAN(HFT_LOG_ITEM(step, hft_log_a, __VA_ARGS__)))
#define HFT_LOG_ITEM(step, name, argument, ...)					\
	step(name, argument)							\
	__VA_OPT__(, HFT_LOG_ANOTHER HFT_LOG_PARENTHESES (step, name##_, __VA_ARGS__))
#define HFT_LOG_ANOTHER()	HFT_LOG_ITEM

/* Arguments of hft_log(): their types are those of the expressions. */
#ifdef __cplusplus

template<typename T> struct hft_log_letter {
	using type = std::decay_t<T>;
	static constexpr char value =
		std::is_same_v<type, char *> || std::is_same_v<type, const char *> ?
			static_cast<char>(HFT_LOG_STRING) :
		std::is_pointer_v<type> ? static_cast<char>(HFT_LOG_POINTER) :
		std::is_floating_point_v<type> ? static_cast<char>(HFT_LOG_DOUBLE) :
		std::is_signed_v<type> ? static_cast<char>(HFT_LOG_I64) :
		static_cast<char>(HFT_LOG_U64);
};

template<typename T> HFT_LOG_INLINE struct hft_log_arg hft_log_of(T value)
{
	if constexpr (hft_log_letter<T>::value == HFT_LOG_STRING)
		return hft_log_of_string(value);
	else if constexpr (hft_log_letter<T>::value == HFT_LOG_POINTER)
		return hft_log_of_pointer(value);
	else if constexpr (hft_log_letter<T>::value == HFT_LOG_DOUBLE)
		return hft_log_of_double(static_cast<double>(value));
	else
		return hft_log_of_u64(static_cast<uint64_t>(value));
}

#define HFT_LOG_OF(x)		hft_log_of(x)
#define HFT_LOG_LETTER_OF(x)	hft_log_letter<decltype(x)>::value

#else

#define HFT_LOG_CHOOSE(x, number, integer, real, string, pointer)		\
	_Generic((x),								\
		_Bool: number, unsigned char: number, unsigned short: number,	\
		unsigned int: number, unsigned long: number,			\
		unsigned long long: number,					\
		char: integer, signed char: integer, short: integer,		\
		int: integer, long: integer, long long: integer,		\
		float: real, double: real, long double: real,			\
		char *: string, const char *: string,				\
		void *: pointer, const void *: pointer)

#define HFT_LOG_OF(x)								\
	HFT_LOG_CHOOSE(x, hft_log_of_u64, hft_log_of_i64, hft_log_of_double,	\
		       hft_log_of_string, hft_log_of_pointer)(x)
#define HFT_LOG_LETTER_OF(x)							\
	HFT_LOG_CHOOSE(x, HFT_LOG_U64, HFT_LOG_I64, HFT_LOG_DOUBLE, HFT_LOG_STRING,	\
		       HFT_LOG_POINTER)

#endif

#define HFT_LOG_TAKE(name, x)		const struct hft_log_arg name = HFT_LOG_OF(x);
#define HFT_LOG_LETTER(name, x)		HFT_LOG_LETTER_OF(x),
#define HFT_LOG_COUNT(name, x)		hft_log_bytes = hft_log_space(hft_log_bytes, name);
#define HFT_LOG_PUT(name, x)	\
	hft_log_bytes = hft_log_put(hft_log_at, hft_log_bytes, name);

/* Arguments of HFT_LOG_EVENT(): pairs of a type and a name. */
#define HFT_LOG_C_u64			uint64_t
#define HFT_LOG_C_i64			int64_t
#define HFT_LOG_C_double		double
#define HFT_LOG_C_pointer		const void *
#define HFT_LOG_C_string		const char *
#define HFT_LOG_C_task			uint64_t
#define HFT_LOG_C_class			uint64_t
#define HFT_LOG_C_symbol		const char *
#define HFT_LOG_C_stamp			uint64_t

#define HFT_LOG_OF_u64			hft_log_of_u64
#define HFT_LOG_OF_i64			hft_log_of_i64
#define HFT_LOG_OF_double		hft_log_of_double
#define HFT_LOG_OF_pointer		hft_log_of_pointer
#define HFT_LOG_OF_string		hft_log_of_string
#define HFT_LOG_OF_task			hft_log_of_u64
#define HFT_LOG_OF_class		hft_log_of_u64
#define HFT_LOG_OF_symbol		hft_log_of_string
#define HFT_LOG_OF_stamp		hft_log_of_u64

#define HFT_LOG_TYPE_u64		HFT_LOG_U64
#define HFT_LOG_TYPE_i64		HFT_LOG_I64
#define HFT_LOG_TYPE_double		HFT_LOG_DOUBLE
#define HFT_LOG_TYPE_pointer		HFT_LOG_POINTER
#define HFT_LOG_TYPE_string		HFT_LOG_STRING
#define HFT_LOG_TYPE_task		HFT_LOG_TASK
#define HFT_LOG_TYPE_class		HFT_LOG_CLASS
#define HFT_LOG_TYPE_symbol		HFT_LOG_SYMBOL
#define HFT_LOG_TYPE_stamp		HFT_LOG_STAMP

#define HFT_LOG_PARAMETER(name, pair)	HFT_LOG_PARAMETER_ pair
#define HFT_LOG_PARAMETER_(type, field)	HFT_LOG_C_##type field
#define HFT_LOG_FIELD(name, pair)	HFT_LOG_FIELD_ pair
#define HFT_LOG_FIELD_(type, field)	#field ","
#define HFT_LOG_TYPE(name, pair)	HFT_LOG_TYPE_ pair
#define HFT_LOG_TYPE_(type, field)	HFT_LOG_TYPE_##type,
#define HFT_LOG_TAKE_PAIR(name, pair)	const struct hft_log_arg name = HFT_LOG_TAKE_ pair;
#define HFT_LOG_TAKE_(type, field)	HFT_LOG_OF_##type(field)

/*
 * A site is known when its object is loaded: a constructor of each file that includes this
 * has those of the object's section added, once.  C++ has no section for what is in inline
 * functions and templates: there a site is added when it is reached for the first time.
 *
 * A call for an audit ring asks whether its site is known, in the place of whether it is
 * enabled: no level leaves it out, and why a site could not be added is the call's answer.
 */
#ifdef __cplusplus
#define HFT_LOG_IN_SECTION
#define HFT_LOG_ENABLED(level)	1
#define HFT_LOG_KNOW(lane, site, error)						\
	hft_log_site_known(site, &__dso_handle, &(error))
#else
#define HFT_LOG_IN_SECTION	__attribute__((section("hft_log_section")))
#define HFT_LOG_ENABLED(level)	((level) <= HFT_LOG_INFO)
#define HFT_LOG_KNOW(lane, site, error)						\
	((lane) != HFT_LOG_AUDIT || hft_log_site_known(site, &__dso_handle, &(error)))
#endif

#ifdef __cplusplus
#define HFT_LOG_CHECK_LEVEL(level)						\
	static_assert((level) >= 0 && (level) < HFT_LOG_LEVELS, "a level of hft/log.h")
#else
#define HFT_LOG_CHECK_LEVEL(level)						\
	_Static_assert((level) >= 0 && (level) < HFT_LOG_LEVELS, "a level of hft/log.h")
#endif

#define HFT_LOG_SITE(variable, format_, name_, fields_, types_, subsystem_, level_, lane_)	\
	HFT_LOG_CHECK_LEVEL(level_);						\
	static struct hft_log_site variable HFT_LOG_IN_SECTION = {		\
		.format = (format_),						\
		.name = (name_),						\
		.fields = (fields_),						\
		.types = (types_),						\
		.subsystem = (subsystem_),					\
		.file = __FILE__,						\
		.line = __LINE__,						\
		.id = 0,							\
		.level = (level_),						\
		.enabled = HFT_LOG_ENABLED(level_),				\
		.lane = (lane_),						\
		.reserved = {},							\
	}

#define HFT_LOG_IS_ENABLED(site, level)						\
	__builtin_expect(__atomic_load_n(&(site)->enabled, __ATOMIC_RELAXED),	\
			 (level) <= HFT_LOG_INFO)
#define HFT_LOG_IS_WANTED(lane, site, level)					\
	((lane) == HFT_LOG_AUDIT || HFT_LOG_IS_ENABLED(site, level))

/* @take makes of each argument what is put. */
#define HFT_LOG_WRITE(error, lane, site, take, ...)				\
	do {									\
		if (!HFT_LOG_KNOW(lane, site, error))				\
			break;							\
		HFT_LOG_EACH(take, __VA_ARGS__)					\
		size_t hft_log_bytes = sizeof(struct hft_log_record);		\
		struct hft_log_slot hft_log_slot_;				\
		char *hft_log_at;						\
										\
		HFT_LOG_EACH(HFT_LOG_COUNT, __VA_ARGS__)			\
		(error) = hft_log_begin(lane, site,				\
					(uint32_t)((hft_log_bytes + 7) / 8),	\
					HFT_LOG_NR(__VA_ARGS__) <= HFT_LOG_FEW ||	\
					hft_log_bytes <= HFT_LOG_SHORT,		\
					&hft_log_slot_);			\
		if (hft_log_unlikely(error))					\
			break;							\
		hft_log_at = hft_log_slot_.at;					\
		hft_log_bytes = sizeof(struct hft_log_record);			\
		HFT_LOG_EACH(HFT_LOG_PUT, __VA_ARGS__)				\
		(void)hft_log_at;						\
		hft_log_end(&hft_log_slot_);					\
	} while (0)

#ifdef __cplusplus
extern "C" {
#endif

/* For the compiler alone: do the arguments fit the format? */
static inline __attribute__((format(printf, 1, 2))) void hft_log_check(const char *format, ...)
{
	(void)format;
}

extern void *__dso_handle __attribute__((visibility("hidden")));
extern struct hft_log_site __start_hft_log_section[]
	__attribute__((weak, visibility("hidden")));
extern struct hft_log_site __stop_hft_log_section[]
	__attribute__((weak, visibility("hidden")));

/* Before other constructors, and after other destructors, which may log. */
static __attribute__((constructor(101))) void hft_log_object_loaded(void)
{
	hft_log_object_add(&__dso_handle, __start_hft_log_section, __stop_hft_log_section);
}

static __attribute__((destructor(101))) void hft_log_object_unloaded(void)
{
	hft_log_object_remove(&__dso_handle);
}

#ifdef __cplusplus
}
#endif

#endif /* HFT_LOG_CALL_H */
