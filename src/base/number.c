/* See number.h. Reading takes the exact short cut (Clinger 1990: a mantissa below 2^53 times or by
 * a power of ten below 10^23 rounds once) for nearly every number that occurs and strtod() for the
 * rest, handed over without a decimal point. Writing asks printf() for ever more digits until they
 * read back: 15 are tried first, since any number written with fewer survives them. */
#include "base/number.h"

#include "base/f16.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* More digits than the longest decimal that can lie between two doubles (767); behind them only
 * whether there is anything at all can matter. */
enum { DIGITS_KEPT = 800, EXPONENT_CAP = 100000 };

/* A number taken apart: the digits without leading zeros, as an integer times ten to `exponent`. */
typedef struct decimal {
    bool is_negative;
    char digits[DIGITS_KEPT + 2]; /* one more for the sticky digit */
    int n;
    int64_t exponent;
} decimal;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void add_digit(decimal *d, char c, bool is_fraction)
{
    if (d->n < DIGITS_KEPT) {
        if (c != '0' || d->n > 0)
            d->digits[d->n++] = c;
        d->exponent -= is_fraction;
        return;
    }
    if (c != '0' && d->n == DIGITS_KEPT)
        d->digits[d->n] = '1'; /* sticky: the kept digits are a little too low */
    d->exponent += !is_fraction;
}

static const char *take_digits(const char *p, const char *end, decimal *d, bool is_fraction)
{
    for (; p < end && is_digit(*p); p++)
        add_digit(d, *p, is_fraction);
    return p;
}

static const char *take_exponent(const char *p, const char *end, decimal *d)
{
    const bool is_negative = p < end && *p == '-';
    int64_t exponent = 0;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end || !is_digit(*p))
        return NULL;
    for (; p < end && is_digit(*p); p++)
        if (exponent < INT32_MAX)
            exponent = exponent * 10 + (*p - '0');
    d->exponent += is_negative ? -exponent : exponent;
    return p;
}

static bool take_apart(const char *p, size_t length, decimal *d)
{
    const char *end = p + length;
    size_t digits = 0;

    d->n = 0;
    d->exponent = 0;
    d->digits[DIGITS_KEPT] = '\0';
    d->is_negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+'))
        p++;
    const char *start = p;
    p = take_digits(p, end, d, false);
    digits = (size_t)(p - start);
    if (p < end && *p == '.') {
        start = ++p;
        p = take_digits(p, end, d, true);
        digits += (size_t)(p - start);
    }
    if (digits == 0)
        return false;
    if (p < end && (*p == 'e' || *p == 'E'))
        p = take_exponent(p + 1, end, d);
    return p == end;
}

static double magnitude(decimal *d)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    char text[DIGITS_KEPT + 32];
    uint64_t mantissa = 0;

    if (d->n == 0)
        return 0;
    if (FLT_EVAL_METHOD == 0 && d->n <= 15 && d->exponent >= -22 && d->exponent <= 22) {
        for (int i = 0; i < d->n; i++)
            mantissa = mantissa * 10 + (uint64_t)(d->digits[i] - '0');
        return d->exponent < 0 ? (double)mantissa / powers[-d->exponent]
                               : (double)mantissa * powers[d->exponent];
    }
    if (d->n == DIGITS_KEPT && d->digits[d->n] == '1') {
        d->n++;
        d->exponent--;
    }
    if (d->exponent > EXPONENT_CAP)
        d->exponent = EXPONENT_CAP;
    if (d->exponent < -EXPONENT_CAP)
        d->exponent = -EXPONENT_CAP;
    snprintf(text, sizeof text, "%.*se%d", d->n, d->digits, (int)d->exponent);
    return strtod(text, NULL);
}

bool krti_number_parse(const char *text, size_t length, double *value)
{
    decimal d;

    if (!take_apart(text, length, &d))
        return false;
    *value = d.is_negative ? -magnitude(&d) : magnitude(&d);
    return true;
}

bool krti_number_parse_int(const char *text, size_t length, int64_t *value)
{
    const char *p = text, *end = text + length;
    const bool is_negative = p < end && *p == '-';
    uint64_t n = 0;

    if (p < end && (*p == '-' || *p == '+'))
        p++;
    if (p == end)
        return false;
    for (; p < end; p++) {
        if (!is_digit(*p) || n > (uint64_t)INT64_MAX / 10)
            return false;
        n = n * 10 + (uint64_t)(*p - '0');
    }
    if (n > (uint64_t)INT64_MAX + is_negative)
        return false;
    *value = is_negative ? (int64_t)(0 - n) : (int64_t)n;
    return true;
}

/* ------------------------------------------------------------------------------- writing */

static const struct {
    double least_normal;
    int kept, most; /* digits that survive in any case; digits that always suffice */
    double plain;   /* below this, and from 0.0001 on, repr() needs no exponent (NumPy 2.4) */
} kinds[] = {
    [KRTI_NUMBER_DOUBLE] = {DBL_MIN, DBL_DIG, DBL_DECIMAL_DIG, 1e16},
    [KRTI_NUMBER_SINGLE] = {FLT_MIN, FLT_DIG, FLT_DECIMAL_DIG, 1e6},
    [KRTI_NUMBER_HALF] = {6.103515625e-05, 3, 5, 1e3},
};

static bool reads_back(const char *digits, int n, int point, double value, krti_number_kind kind)
{
    char text[KRTI_NUMBER_DIGITS + 16];

    snprintf(text, sizeof text, "%.*se%d", n, digits, point - n);
    if (kind == KRTI_NUMBER_DOUBLE)
        return strtod(text, NULL) == value;
    const float f = strtof(text, NULL);
    if (kind == KRTI_NUMBER_SINGLE)
        return f == (float)value;
    return krti_f16_from_f32(f) == krti_f16_from_f32((float)value);
}

static int small_int(const char *p)
{
    const bool is_negative = *p == '-';
    int n = 0;

    for (p += *p == '-' || *p == '+'; is_digit(*p); p++)
        n = n * 10 + (*p - '0');
    return is_negative ? -n : n;
}

/* Whatever the locale puts for a point is skipped. */
void krti_number_round(double value, int n, char digits[KRTI_NUMBER_DIGITS + 1], int *point)
{
    char text[64];
    int count = 0;
    const char *p = text;

    snprintf(text, sizeof text, "%.*e", n - 1, fabs(value));
    for (; *p != 'e' && *p != '\0'; p++)
        if (is_digit(*p) && count < n)
            digits[count++] = *p;
    digits[count] = '\0';
    *point = (*p == 'e' ? small_int(p + 1) : 0) + 1;
}

/* One more in the last place. Below a power of two the doubles lie twice as close, so that the
 * nearest decimal can read back as a neighbour while the next one up does not. */
static void step_up(char *digits, int n, int *point)
{
    int i = n - 1;

    while (i >= 0 && digits[i] == '9')
        digits[i--] = '0';
    if (i >= 0) {
        digits[i]++;
        return;
    }
    digits[0] = '1';
    (*point)++;
}

static bool try_digits(double value, krti_number_kind kind, int n, char *digits, int *point)
{
    int exponent = 0;

    krti_number_round(value, n, digits, point);
    if (reads_back(digits, n, *point, value, kind))
        return true;
    if (frexp(value, &exponent) != 0.5)
        return false;
    step_up(digits, n, point);
    return reads_back(digits, n, *point, value, kind);
}

int krti_number_shortest(double value, krti_number_kind kind, char digits[KRTI_NUMBER_DIGITS + 1],
                         int *point)
{
    const double v = fabs(value);
    const int most = kinds[kind].most;
    int n = v < kinds[kind].least_normal ? 1 : kinds[kind].kept;

    if (v == 0) {
        memcpy(digits, "0", 2);
        *point = 1;
        return 1;
    }
    while (n < most && !try_digits(v, kind, n, digits, point))
        n++;
    if (n == most)
        krti_number_round(v, n, digits, point);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';
    return n;
}

/* digits with the point put among them: "0.00012", "1200.0", "1.2". */
static void put_fixed(char *buffer, size_t size, const char *digits, int n, int point)
{
    if (point <= 0)
        snprintf(buffer, size, "0.%.*s%s", -point, "0000000000000000", digits);
    else if (point >= n)
        snprintf(buffer, size, "%s%.*s.0", digits, point - n, "0000000000000000");
    else
        snprintf(buffer, size, "%.*s.%s", point, digits, digits + point);
}

char *krti_number_repr(char *buffer, size_t size, double value)
{
    return krti_number_repr_as(buffer, size, value, KRTI_NUMBER_DOUBLE);
}

char *krti_number_repr_as(char *buffer, size_t size, double value, krti_number_kind kind)
{
    char digits[KRTI_NUMBER_DIGITS + 1];
    int point = 0;

    if (isnan(value) || isinf(value)) {
        snprintf(buffer, size, "%s", isnan(value) ? "nan" : value < 0 ? "-inf" : "inf");
        return buffer;
    }
    const int n = krti_number_shortest(value, kind, digits, &point);
    const size_t sign = signbit(value) && size > 1;
    buffer[0] = '-';
    if (value == 0 || (fabs(value) >= 1e-4 && fabs(value) < kinds[kind].plain))
        put_fixed(buffer + sign, size - sign, digits, n, point);
    else
        snprintf(buffer + sign, size - sign, "%c%s%se%c%02d", digits[0], n > 1 ? "." : "",
                 digits + 1, point > 0 ? '+' : '-', abs(point - 1));
    return buffer;
}

int krti_number_print(char *buffer, size_t size, double value, char type, int precision)
{
    int n = 0;

    if (isnan(value))
        return snprintf(buffer, size, "nan");
    if (type == 'e')
        n = snprintf(buffer, size, "%.*e", precision, value);
    else if (type == 'g')
        n = snprintf(buffer, size, "%.*g", precision, value);
    else
        n = snprintf(buffer, size, "%.*f", precision, value);
    for (char *at = buffer; size > 0 && *at != '\0'; at++) {
        char *end = at;

        /* what is no digit, sign or letter is the locale's point, maybe of several bytes */
        while (*end != '\0' && strchr("+-0123456789einf", *end) == NULL)
            end++;
        if (end == at)
            continue;
        n -= (int)(end - at) - 1;
        memmove(at + 1, end, strlen(end) + 1);
        *at = '.';
        break;
    }
    return n;
}

char *krti_print_bytes(char buffer[32], uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KB", "MB", "GB", "TB"};
    double value = (double)bytes;
    size_t unit = 0;

    while (value >= 999.5 && unit + 1 < sizeof units / sizeof *units) {
        value /= 1000;
        unit++;
    }
    snprintf(buffer, 32, "%.3g %s", value, units[unit]);
    return buffer;
}
