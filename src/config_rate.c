/* SPDX-License-Identifier: ISC */
/* config_rate: a number, '/', a time, and perhaps a burst. */
#include "config_rate.h"

/* The next word, split at blanks. */
static struct slice
take_word(struct slice *rest)
{
	struct slice word = slice_trim(*rest);
	size_t len = 0;

	while (len < word.len && word.at[len] != ' ' && word.at[len] != '\t')
		len++;
	*rest = (struct slice){word.at + len, word.len - len};
	return (struct slice){word.at, len};
}

/* "100/s" */
static bool
read_number(struct slice word, uint64_t *number, uint32_t *seconds)
{
	size_t slash = slice_find(word, '/', 0);
	struct slice unit;

	if (slash == word.len)
		return false;
	unit = (struct slice){word.at + slash + 1, word.len - slash - 1};
	if (slice_eq(unit, SLICE("s")))
		*seconds = 1;
	else if (slice_eq(unit, SLICE("m")))
		*seconds = 60;
	else
		return false;
	return slice_to_u64((struct slice){word.at, slash}, number);
}

const char *
config_rate_read(struct slice value, struct bucket_rate *rate)
{
	static const char form[] =
	    "write none, or a number, /s or /m, and perhaps a burst, such as "
	    "100/s burst 200";
	struct slice rest = value;
	struct bucket_rate read = {0};
	uint64_t number, burst;

	if (slice_eq(value, SLICE("none"))) {
		*rate = read;
		return NULL;
	}
	if (!read_number(take_word(&rest), &number, &read.seconds))
		return form;
	burst = number;
	if (slice_trim(rest).len > 0 &&
	    (!slice_eq(take_word(&rest), SLICE("burst")) ||
		!slice_to_u64(slice_trim(rest), &burst)))
		return form;
	if (number < 1 || number > BUCKETS_NUMBER_MAX)
		return "out of range: 1 to 100000";
	if (burst < 1 || burst > BUCKETS_BURST_MAX)
		return "out of range: a burst is 1 to 1000000";
	read.number = (uint32_t)number;
	read.burst = (uint32_t)burst;
	if (!bucket_rate_set(&read))
		return "such a burst takes more than a day to come again";
	*rate = read;
	return NULL;
}
