/* Numbers in files: decimal text to numbers and back, the same in every locale (strtod() and printf()
 * follow the host program's LC_NUMERIC), and the order of bytes. */
#ifndef KRTI_BASE_NUMBER_H
#define KRTI_BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether this machine keeps a number's highest byte first. */
static inline bool krti_is_big_endian(void)
{
    const uint16_t one = 1;

    return *(const unsigned char *)&one == 0;
}

/* Reads all of "[+-]digits[.digits][e[+-]digits]", correctly rounded; a point needs a digit on one
 * side. Beyond the largest double is infinity, as in Python. False when it is anything else. */
bool krti_number_parse(const char *text, size_t length, double *value);

/* The same for "[+-]digits"; false also when it does not fit. */
bool krti_number_parse_int(const char *text, size_t length, int64_t *value);

enum { KRTI_NUMBER_DIGITS = 17, KRTI_NUMBER_TEXT = 32 };

/* What a number must read back as. */
typedef enum krti_number_kind {
    KRTI_NUMBER_DOUBLE,
    KRTI_NUMBER_SINGLE, /* float32 */
    KRTI_NUMBER_HALF    /* float16 */
} krti_number_kind;

/* The fewest decimal digits that read back as the same number, and of those the closest:
 * 0.d1d2d3... times ten to the *point. `value` is finite and of its kind; zero has the one digit 0
 * and point 1. The sign is left out. Returns how many digits. */
int krti_number_shortest(double value, krti_number_kind kind, char digits[KRTI_NUMBER_DIGITS + 1],
                         int *point);

/* Exactly `n` digits (1 to 17) of the same form, correctly rounded, ties to even. */
void krti_number_round(double value, int n, char digits[KRTI_NUMBER_DIGITS + 1], int *point);

/* Python's repr() of a float: 1e-07, 0.001, 100.0, 1e+16, nan, -inf. KRTI_NUMBER_TEXT bytes are
 * always enough. Returns `buffer`. */
char *krti_number_repr(char *buffer, size_t size, double value);

/* As printf's "%.*f", "e" or "g" by `type`, with a point in every locale and "nan" without a sign.
 * Returns the length, as snprintf() does. */
int krti_number_print(char *buffer, size_t size, double value, char type, int precision);

/* "312 bytes", "18.1 KB", "476 MB": three digits in units of 1000. Returns `buffer`. */
char *krti_print_bytes(char buffer[32], uint64_t bytes);

/* The same as krti_number_repr() for a number of another kind, as NumPy's str() of a scalar: 0.1,
 * not 0.10000000149. */
char *krti_number_repr_as(char *buffer, size_t size, double value, krti_number_kind kind);

#endif
