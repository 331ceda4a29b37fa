/* The bar, the estimate and the values. See progbar.h. */
#include "training/progbar.h"

#include "base/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum { CELLS = 20 };

static const double interval = 0.05; /* seconds between two updates */

krti_progbar krti_progbar_begin(int64_t target, int verbose, double now)
{
    return (krti_progbar){.target = target, .verbose = verbose, .start = now};
}

/* Seconds a step, without the first one, which is slower, as soon as there are others. */
static double estimate_step(krti_progbar *p, int64_t current, double now)
{
    double seconds = 0;

    if (current <= 0)
        return 0;
    if (p->after_first_step != 0 && current > 1)
        seconds = (now - p->after_first_step) / (double)(current - 1);
    else
        seconds = (now - p->start) / (double)current;
    if (current == 1)
        p->after_first_step = now;
    return seconds;
}

static void put_number(krti_str *s, double value, char type, int precision)
{
    char text[400];

    krti_number_print(text, sizeof text, value, type, precision);
    krti_str_add(s, text);
}

static void put_step_time(krti_str *s, double seconds)
{
    const bool whole = seconds >= 1 || seconds == 0, milli = seconds >= 1e-3;

    krti_str_add(s, " ");
    put_number(s, whole ? seconds : milli ? seconds * 1e3 : seconds * 1e6, 'f', 0);
    krti_str_add(s, whole ? "s/step" : milli ? "ms/step" : "us/step");
}

/* How many values from the i-th on are one array, "f1_score[0]" and those behind it. */
static size_t num_together(const krt_logs *logs, size_t i, size_t name)
{
    size_t n = 1;

    while (i + n < logs->n && strncmp(logs->names[i + n], logs->names[i], name + 1) == 0 &&
           strtoull(logs->names[i + n] + name + 1, NULL, 10) == n)
        n++;
    return n;
}

/* An array shows as its mean. */
static void put_values(krti_str *s, const krt_logs *logs, bool is_signed)
{
    for (size_t i = 0, n = 1; logs != NULL && i < logs->n; i += n) {
        const char *const name = logs->names[i];
        const bool is_array = krti_ends_with(name, "[0]");
        const size_t length = strlen(name) - (is_array ? 3 : 0);
        double v = 0;

        n = is_array ? num_together(logs, i, length) : 1;
        for (size_t j = 0; j < n; j++)
            v += logs->values[i + j];
        v /= (double)n;
        krti_str_addf(s, " - %.*s: ", (int)length, name);
        put_number(s, v, (is_signed ? fabs(v) : v) > 1e-3 ? 'f' : 'e', 4);
    }
}

static int num_digits(int64_t n)
{
    char text[32];

    return snprintf(text, sizeof text, "%" PRId64, n);
}

static void put_remaining(krti_str *s, double seconds)
{
    const int64_t t = (int64_t)seconds;

    if (seconds > 3600)
        krti_str_addf(s, "%" PRId64 ":%02d:%02d", t / 3600, (int)(t % 3600 / 60), (int)(t % 60));
    else if (seconds > 60)
        krti_str_addf(s, "%" PRId64 ":%02d", t / 60, (int)(t % 60));
    else
        krti_str_addf(s, "%" PRId64 "s", t);
}

/* Counter and bar. Returns how many characters of it take no column of the terminal. */
static size_t put_bar(krti_str *s, const krti_progbar *p, int64_t current)
{
    const char *const cell = "\xe2\x94\x81";

    if (p->target <= 0) {
        krti_str_addf(s, "%7" PRId64 "/Unknown", current);
        return 0;
    }
    const int done = (int)(CELLS * ((double)current / (double)p->target));
    krti_str_addf(s, "\x1b[1m%*" PRId64 "/%" PRId64 "\x1b[0m ", num_digits(p->target), current,
                  p->target);
    for (int i = 0; i < done; i++)
        krti_str_addf(s, "%s%s", i == 0 ? "\x1b[32m" : "", cell);
    krti_str_add(s, done > 0 ? "\x1b[0m\x1b[37m" : "\x1b[37m");
    for (int i = done; i < CELLS; i++)
        krti_str_add(s, cell);
    krti_str_add(s, "\x1b[0m");
    return 8 + 9 + (done > 0 ? 9 : 0);
}

/* Characters, of bytes in UTF-8. */
static size_t num_characters(const char *text, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)text[i] & 0xc0) != 0x80;
    return count;
}

static krt_status put_moving_line(krti_progbar *p, int64_t current, const krt_logs *logs,
                                  bool is_last, double now, double step, krti_str *out)
{
    krti_str_fill(out, '\b', p->width);
    krti_str_add(out, "\r");
    const size_t start = out->length, hidden = put_bar(out, p, current) + 8;
    krti_str_add(out, " \x1b[1m");
    if (p->target > 0 && !is_last) {
        put_remaining(out, step * (double)(p->target - current));
    } else {
        put_number(out, now - p->start, 'f', 0);
        krti_str_add(out, "s");
    }
    krti_str_add(out, "\x1b[0m");
    put_step_time(out, step);
    put_values(out, logs, true);
    const size_t width = num_characters(out->ptr + start, out->length - start) - hidden;
    if (p->width > width)
        krti_str_fill(out, ' ', p->width - width);
    if (is_last)
        krti_str_add(out, "\n");
    p->width = width;
    return out->status;
}

krt_status krti_progbar_update(krti_progbar *p, int64_t current, const krt_logs *logs, bool is_last,
                               double now, krti_str *out)
{
    const double step = estimate_step(p, current, now);

    if (p->verbose == 1) {
        if (now - p->last_update < interval && !is_last)
            return KRT_OK;
        put_moving_line(p, current, logs, is_last, now, step, out);
    } else if (p->verbose == 2 && is_last && p->target > 0) {
        krti_str_addf(out, "%*" PRId64 "/%" PRId64 " - ", num_digits(p->target), current,
                      p->target);
        put_number(out, now - p->start, 'f', 0);
        krti_str_add(out, "s -");
        put_step_time(out, step);
        put_values(out, logs, false);
        krti_str_add(out, "\n");
    }
    p->last_update = now;
    return out->status;
}
