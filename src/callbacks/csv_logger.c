/* CSVLogger. Keras: callbacks/csv_logger.py, which writes with Python's csv module in its "excel"
 * dialect: lines end in CR LF, quotes only where they must. */
#include "callbacks/csv_logger.h"

#include "base/fs.h"
#include "base/number.h"
#include "callbacks/files.h"
#include "callbacks/stock.h"
#include "models/model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <keratin/callbacks.h>

typedef struct csv_logger {
    const krt_csv_logger_args *a;
    krti_log_file file;
    krti_csv_keys keys;
    krti_str row;
    bool has_header, is_cut; /* of the log that was there */
} csv_logger;

/* --- the text, alone ------------------------------------------------------------------------- */

static void put_text(krti_str *s, const char *text, const char *separator)
{
    if (strstr(text, separator) == NULL && strpbrk(text, "\"\r\n") == NULL) {
        krti_str_add(s, text);
        return;
    }
    krti_str_add(s, "\"");
    for (; *text != '\0'; text++)
        krti_str_add_n(s, *text == '"' ? "\"\"" : text, *text == '"' ? 2 : 1);
    krti_str_add(s, "\"");
}

static krt_status add_key(krti_csv_keys *keys, const char *prefix, const char *name)
{
    krti_str s = KRTI_STR_INIT(keys->k);
    char *text = NULL;

    krti_str_addf(&s, "%s%s", prefix, name);
    text = krti_str_take(&s);
    if (text == NULL || krti_grow(keys->k, &keys->names, &keys->capacity, keys->n + 1,
                                  sizeof *keys->names) != KRT_OK) {
        krti_free(keys->k, text);
        return KRT_E_NOMEM;
    }
    keys->names[keys->n++] = text;
    return KRT_OK;
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

krt_status krti_csv_begin(krti_csv_keys *keys, const krt_logs *logs)
{
    bool validates = false;
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < logs->n; i++) {
        validates = validates || krti_starts_with(logs->names[i], "val_");
        st = add_key(keys, "", logs->names[i]);
    }
    if (keys->n > 1)
        qsort(keys->names, keys->n, sizeof *keys->names, compare);
    const size_t n = keys->n;
    for (size_t i = 0; st == KRT_OK && !validates && i < n; i++)
        st = add_key(keys, "val_", keys->names[i]);
    return st;
}

void krti_csv_end(krti_csv_keys *keys)
{
    for (size_t i = 0; i < keys->n; i++)
        krti_free(keys->k, keys->names[i]);
    krti_free(keys->k, keys->names);
    *keys = (krti_csv_keys){.k = keys->k};
}

krt_status krti_csv_header(krti_str *s, const krti_csv_keys *keys, const char *separator)
{
    krti_str_add(s, "epoch");
    for (size_t i = 0; i < keys->n; i++) {
        krti_str_add(s, separator);
        put_text(s, keys->names[i], separator);
    }
    return krti_str_add(s, "\r\n");
}

krt_status krti_csv_row(krti_str *s, const krti_csv_keys *keys, const char *separator,
                        int64_t epoch, const krt_logs *logs)
{
    char text[KRTI_NUMBER_TEXT];
    double value = 0;

    krti_str_addf(s, "%" PRId64, epoch);
    for (size_t i = 0; i < keys->n; i++) {
        krti_str_add(s, separator);
        if (krt_logs_get(logs, keys->names[i], &value))
            put_text(s, krti_number_repr(text, sizeof text, value), separator);
        else
            krti_str_add(s, "NA");
    }
    return krti_str_add(s, "\r\n");
}

/* --- the callback ---------------------------------------------------------------------------- */

/* Keras: whether the first line of the file is more than its end. And whether its last one has none, because
 * the training was stopped in the midst of it. */
static krt_status look_at(csv_logger *c, krt_ctx *k, const char *filepath)
{
    krti_bytes *bytes = NULL;
    krt_status st = KRT_OK;

    if (krti_path_kind_of(filepath) != KRTI_PATH_FILE)
        return KRT_OK;
    st = krti_bytes_map(k, &bytes, filepath);
    if (st == KRT_OK && bytes->size > 0) {
        c->has_header = bytes->data[0] != '\n' && bytes->data[0] != '\r';
        c->is_cut = bytes->data[bytes->size - 1] != '\n';
    }
    krti_bytes_drop(bytes);
    return st;
}

static krt_status init(void *state, krt_model *m, const void *args)
{
    csv_logger *c = state;
    krt_ctx *k = m->base.owned.k;
    krt_status st = KRT_OK;

    c->a = args;
    c->keys.k = k;
    c->row = (krti_str)KRTI_STR_INIT(k);
    if (c->a->filename == NULL || c->a->filename[0] == '\0')
        return krti_fail(k, KRT_E_INVALID, NULL, "CSVLogger has no filename");
    if (c->a->separator == NULL || strlen(c->a->separator) != 1)
        return krti_fail(k, KRT_E_INVALID, NULL,
                         "CSVLogger: \"delimiter\" must be a 1-character "
                         "string");
    if (c->a->append)
        TRY(look_at(c, k, c->a->filename));
    TRY(krti_log_open(k, &c->file, c->a->filename, c->a->append));

done:
    return st;
}

static void fini(void *state)
{
    csv_logger *c = state;

    krti_log_close(&c->file);
    krti_csv_end(&c->keys);
    krti_str_free(&c->row);
}

static krt_status on_epoch_end(void *state, krt_model *m, int64_t epoch, const krt_logs *logs)
{
    csv_logger *c = state;
    krt_status st = KRT_OK;

    (void)m;
    krti_str_clear(&c->row);
    if (c->is_cut)
        TRY(krti_str_add(&c->row, "\r\n"));
    c->is_cut = false;
    if (c->keys.n == 0) {
        TRY(krti_csv_begin(&c->keys, logs));
        if (!c->has_header)
            TRY(krti_csv_header(&c->row, &c->keys, c->a->separator));
    }
    TRY(krti_csv_row(&c->row, &c->keys, c->a->separator, epoch, logs));
    TRY(krti_log_write(&c->file, krti_str_text(&c->row), c->row.length));

done:
    return st;
}

static const krt_csv_logger_args csv_logger_defaults = {
    .spec = {sizeof csv_logger_defaults, "CSVLogger"}, .separator = ","};

static const krt_field csv_logger_fields[] = {
    KRT_FIELD(krt_csv_logger_args, STRING, filename),
    KRT_FIELD(krt_csv_logger_args, STRING, separator),
    KRT_FIELD(krt_csv_logger_args, BOOL, append),
};

KRTI_STOCK(csv_logger, "CSVLogger", krt_csv_logger_args, csv_logger_fields,
           .state_size = sizeof(csv_logger), .init = init, .fini = fini,
           .hooks = {.on_epoch_end = on_epoch_end});
