/* The text of CSVLogger, for tests. */
#ifndef KRTI_CALLBACKS_CSV_LOGGER_H
#define KRTI_CALLBACKS_CSV_LOGGER_H

#include "base/str.h"
#include <keratin/train.h>

/* Columns, chosen by the first epoch's logs: sorted, and without validation a val_ twin of each. */
typedef struct krti_csv_keys {
    krt_ctx *k;
    char **names;
    size_t n, capacity;
} krti_csv_keys;

krt_status krti_csv_begin(krti_csv_keys *keys, const krt_logs *logs);
void krti_csv_end(krti_csv_keys *keys);
krt_status krti_csv_header(krti_str *s, const krti_csv_keys *keys, const char *separator);
krt_status krti_csv_row(krti_str *s, const krti_csv_keys *keys, const char *separator,
                        int64_t epoch, const krt_logs *logs);

#endif
