/* Which checkpoint a path means. A checkpoint has no file of its own name: PREFIX.index and
 * PREFIX.data-00000-of-00001 lie side by side, and a text file `checkpoint` names the newest prefix of a
 * directory. People pass any of these. */
#include "saving/tf_checkpoint.h"

static bool has_index(krt_ctx *k, const char *prefix)
{
    krti_str path = KRTI_STR_INIT(k);
    const bool found = krti_str_addf(&path, "%s.index", prefix) == KRT_OK &&
                       krti_path_kind_of(path.ptr) == KRTI_PATH_FILE;

    krti_str_free(&path);
    return found;
}

/* ------------------------------------------------------------------------------- state file */

/* A number of at most n digits. */
static unsigned char read_digits(const char **p, const char *end, unsigned base, int n)
{
    static const char all[] = "0123456789abcdef";
    unsigned value = 0;

    for (; n > 0 && *p < end; n--, (*p)++) {
        const char *digit = memchr(all, **p >= 'A' && **p <= 'F' ? **p + 32 : **p, base);

        if (digit == NULL)
            break;
        value = value * base + (unsigned)(digit - all);
    }
    return (unsigned char)value;
}

/* One character of a string in protobuf's text form, C's escapes undone. */
static unsigned char unescape(const char **p, const char *end)
{
    static const char letters[] = "nrtabfv", meant[] = "\n\r\t\a\b\f\v";
    const char *hit = NULL;

    if (**p != '\\' || *p + 1 == end)
        return (unsigned char)*(*p)++;
    (*p)++;
    if (**p >= '0' && **p <= '7')
        return read_digits(p, end, 8, 3);
    if (**p == 'x' && *p + 1 < end)
        return (*p)++, read_digits(p, end, 16, 2);
    hit = memchr(letters, **p, sizeof letters - 1);
    return (unsigned char)(hit != NULL ? ((*p)++, meant[hit - letters]) : *(*p)++);
}

/* The text behind `field`, which begins a line. */
static krt_status read_field(krti_str *s, const krti_bytes *b, const char *field, bool *found)
{
    const char *p = b->size > 0 ? (const char *)b->data : "", *end = p + b->size;
    const size_t n = strlen(field);

    for (*found = false; p < end && !*found; p++) {
        const bool begins = p == (const char *)b->data || p[-1] == '\n';

        *found = begins && (size_t)(end - p) > n && memcmp(p, field, n) == 0;
        if (*found)
            p += n - 1;
    }
    while (*found && p < end && (*p == ' ' || *p == '\t'))
        p++;
    if (!*found || p == end || (*p != '"' && *p != '\''))
        return KRT_OK;
    const char quote = *p++;
    while (p < end && *p != quote && *p != '\n') {
        const char c = (char)unescape(&p, end);

        krti_str_add_n(s, &c, 1);
    }
    return s->status;
}

/* A path as it is recorded: relative to the state file; an absolute one may have moved with its
 * directory. */
static krt_status find_recorded(krti_str *s, const char *dir, const char *recorded)
{
    krt_status st = recorded[0] == '/' ? (krti_str_clear(s), krti_str_add(s, recorded))
                                       : krti_path_join(s, dir, recorded);

    if (st != KRT_OK || has_index(s->k, krti_str_text(s)))
        return st;
    st = krti_path_join(s, dir, krti_path_name(recorded));
    if (st == KRT_OK && !has_index(s->k, krti_str_text(s)))
        st = krti_fail(s->k, KRT_E_NOT_FOUND, NULL,
                       "Couldn't match files for checkpoint %s, which "
                       "the file `checkpoint` names as the newest",
                       recorded);
    return st;
}

static krt_status read_state(krti_str *s, const char *filepath)
{
    krti_bytes *b = NULL;
    krti_str recorded = KRTI_STR_INIT(s->k), dir = KRTI_STR_INIT(s->k);
    bool found = false;
    krt_status st = KRT_OK;

    TRY(krti_bytes_map(s->k, &b, filepath));
    if (krti_sstable_detect(b))
        TRY(krti_fail(
            s->k, KRT_E_UNSUPPORTED, NULL,
            "%s is a table of TensorFlow's that is not called PREFIX.index: a checkpoint "
            "of version 1 (before TensorFlow 0.12), which is not read, or a renamed index",
            krti_path_name(filepath)));
    TRY(read_field(&recorded, b, "model_checkpoint_path:", &found));
    if (recorded.length == 0 || memchr(recorded.ptr, '\0', recorded.length) != NULL)
        TRY(krti_fail(s->k, KRT_E_FORMAT, NULL, "%s names no checkpoint (model_checkpoint_path)",
                      krti_path_name(filepath)));
    TRY(krti_path_dir(&dir, filepath));
    TRY(find_recorded(s, dir.ptr, recorded.ptr));

done:
    krti_bytes_drop(b);
    krti_str_free(&recorded);
    krti_str_free(&dir);
    return st;
}

/* ------------------------------------------------------------------------------- prefix */

/* How many characters of the path are the suffix of a checkpoint's part. */
static size_t suffix_length(const char *filepath)
{
    const size_t n = strlen(filepath);
    const char *name = krti_path_name(filepath), *data = NULL;

    if (krti_ends_with(filepath, ".index"))
        return 6;
    if (krti_ends_with(filepath, ".meta"))
        return 5;
    for (const char *p = name; (p = strstr(p, ".data-")) != NULL; p++)
        data = p;
    if (data == NULL || strspn(data + 6, "0123456789") != 5 || memcmp(data + 11, "-of-", 4) != 0)
        return 0;
    return n - (size_t)(data - filepath);
}

static krt_status prefix_in_directory(krti_str *s, const char *dir)
{
    krti_str path = KRTI_STR_INIT(s->k);
    krt_status st = KRT_OK;

    TRY(krti_path_join(&path, dir, "checkpoint"));
    if (krti_path_kind_of(path.ptr) == KRTI_PATH_FILE) {
        TRY(read_state(s, path.ptr));
        goto done;
    }
    TRY(krti_path_join(s, dir, "variables")); /* this is the folder itself */
    if (has_index(s->k, s->ptr))
        goto done;
    TRY(krti_path_join(s, dir, "variables/variables"));
    if (!has_index(s->k, s->ptr))
        TRY(krti_fail(s->k, KRT_E_NOT_FOUND, NULL,
                      "%s has no weights: there is no variables/variables.index in it",
                      krti_path_name(dir)));

done:
    krti_str_free(&path);
    return st;
}

krt_status krti_tf_checkpoint_prefix(krti_str *s, const char *filepath)
{
    const char *name = krti_path_name(filepath);
    krti_str dir = KRTI_STR_INIT(s->k);
    krt_status st = KRT_OK;

    krti_str_clear(s);
    if (krti_path_kind_of(filepath) == KRTI_PATH_DIR) {
        st = prefix_in_directory(s, filepath);
    } else if (strcmp(name, "saved_model.pb") == 0 || strcmp(name, "saved_model.pbtxt") == 0) {
        st = krti_path_dir(&dir, filepath);
        if (st == KRT_OK)
            st = prefix_in_directory(s, dir.ptr);
    } else if (has_index(s->k, filepath)) {
        st = krti_str_add(s, filepath); /* also when it is called `checkpoint` */
    } else if (suffix_length(filepath) > 0) {
        st = krti_str_add_n(s, filepath, strlen(filepath) - suffix_length(filepath));
        if (st == KRT_OK && !has_index(s->k, s->ptr))
            st = krti_fail(s->k, KRT_E_NOT_FOUND, NULL,
                           "%s is a part of the checkpoint %s, whose .index is not beside it", name,
                           krti_path_name(s->ptr));
    } else {
        st = read_state(s, filepath);
    }
    krti_str_free(&dir);
    return st;
}
