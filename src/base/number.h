/* Decimal text to numbers and back, the same in every locale: strtod() and printf() follow the
 * host program's LC_NUMERIC, files do not. */
#ifndef KRTI_BASE_NUMBER_H
#define KRTI_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads all of "[+-]digits[.digits][e[+-]digits]", correctly rounded; a point needs a digit on one
 * side. Beyond the largest double is infinity, as in Python. False when it is anything else. */
bool krti_number_parse(const char *text, size_t length, double *value);

/* The same for "[+-]digits"; false also when it does not fit. */
bool krti_number_parse_int(const char *text, size_t length, int64_t *value);

enum { KRTI_NUMBER_DIGITS = 17, KRTI_NUMBER_TEXT = 32 };

/* The fewest decimal digits that read back as the same number, and of those the closest:
 * 0.d1d2d3... times ten to the *point. `is_single`: as a float32 rather than a double. `value` is
 * finite; zero has the one digit 0 and point 1. The sign is left out. Returns their count. */
int krti_number_shortest(double value, bool is_single, char digits[KRTI_NUMBER_DIGITS + 1],
                         int *point);

/* Python's repr() of a float: 1e-07, 0.001, 100.0, 1e+16, nan, -inf. KRTI_NUMBER_TEXT bytes are
 * always enough. Returns `buffer`. */
char *krti_number_repr(char *buffer, size_t size, double value);

#endif
