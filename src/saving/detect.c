/* See detect.h. The forms in the order of how sure their signs are: magic numbers at the start,
 * then the zip's end record, then a user block before HDF5, then text. */
#include "saving/detect.h"

#include "base/f16.h"
#include "base/number.h"
#include "formats/content.h"
#include "formats/h5_read.h"
#include "formats/safetensors.h"
#include "formats/zip.h"

enum { LOOK = 4096 };

static const char ADVICE[] = "expected a Keras model or weights file";

const char *krti_file_name(const char *filepath)
{
    return filepath != NULL ? krti_path_name(filepath) : "the buffer";
}

static bool starts(const krti_bytes *b, size_t at, const void *magic, size_t n)
{
    return b->size >= at && b->size - at >= n && memcmp(b->data + at, magic, n) == 0;
}

/* ------------------------------------------------------------------------------- not for us */

/* "version https://git-lfs.github.com/spec/v1\noid sha256:...\nsize 88672376\n" */
static krt_status refuse_lfs_pointer(krt_ctx *k, const krti_bytes *b, const char *name)
{
    const char *text = (const char *)b->data;
    const size_t n = b->size < 1024 ? b->size : 1024;
    int64_t size = -1;

    for (size_t i = 0; i + 6 < n; i++) {
        size_t digits = 0;

        if (memcmp(text + i, "\nsize ", 6) != 0)
            continue;
        while (i + 6 + digits < n && text[i + 6 + digits] >= '0' && text[i + 6 + digits] <= '9')
            digits++;
        if (!krti_number_parse_int(text + i + 6, digits, &size))
            size = -1;
    }
    if (size < 0)
        return krti_fail(k, KRT_E_FORMAT, NULL,
                         "%s is a Git LFS pointer (%zu bytes). Run: git lfs pull", name, b->size);
    return krti_fail(k, KRT_E_FORMAT, NULL,
                     "%s is a Git LFS pointer (%zu bytes; the real file has %lld). Run: git lfs "
                     "pull",
                     name, b->size, (long long)size);
}

static krt_status refuse_gzip(krt_ctx *k, const krti_bytes *b, const char *name)
{
    if (krti_ends_with(name, ".tgz") || krti_ends_with(name, ".tar.gz"))
        return krti_fail(k, KRT_E_FORMAT, NULL,
                         "%s is a gzip-compressed archive, %s. Run: tar xzf %s", name, ADVICE,
                         name);
    if (krti_ends_with(name, ".gz"))
        return krti_fail(k, KRT_E_FORMAT, NULL, "%s is gzip-compressed, %s. Run: gunzip %s", name,
                         ADVICE, name);
    return krti_fail(k, KRT_E_FORMAT, NULL,
                     "%s is gzip-compressed (%zu bytes), %s. Run: gzip -dc < %s > model", name,
                     b->size, ADVICE, name);
}

/* The pickle stream of torch.save before version 1.6: its magic number as a long. */
static bool is_torch_pickle(const krti_bytes *b)
{
    static const unsigned char magic[] = {0x80, 2, 0x8A, 10, 'l', 0xFC, 0x9C, 'F', 0xF9, ' '};

    return starts(b, 0, magic, sizeof magic);
}

static krt_status refuse_other_tools(krt_ctx *k, const krti_bytes *b, const char *name)
{
    const char *what = NULL;

    if (is_torch_pickle(b))
        what = "a PyTorch file (a pickle, which is never executed here)";
    else
        what = krti_content_name(b);
    if (strcmp(what, "of no known kind") == 0 && b->size >= 4)
        return krti_fail(k, KRT_E_FORMAT, NULL,
                         "%s is of no known kind (it begins with %02x %02x %02x %02x), %s", name,
                         b->data[0], b->data[1], b->data[2], b->data[3], ADVICE);
    return krti_fail(k, KRT_E_FORMAT, NULL, "%s is %s, %s", name, what, ADVICE);
}

/* ------------------------------------------------------------------------------- text */

static size_t skip_blanks(const krti_bytes *b)
{
    size_t i = starts(b, 0, "\xEF\xBB\xBF", 3) ? 3 : 0;

    while (i < b->size && strchr(" \t\r\n", b->data[i]) != NULL && b->data[i] != '\0')
        i++;
    return i;
}

/* Whether one of the first lines begins with this. */
static bool has_line(const krti_bytes *b, const char *word)
{
    const size_t n = strlen(word), end = b->size < LOOK ? b->size : LOOK;

    for (size_t i = 0; i + n <= end; i++)
        if ((i == 0 || b->data[i - 1] == '\n') && memcmp(b->data + i, word, n) == 0)
            return true;
    return false;
}

static krt_status detect_text(krt_ctx *k, krti_form *form, const krti_bytes *b, const char *name)
{
    const size_t first = skip_blanks(b);

    if (first < b->size && (b->data[first] == '{' || b->data[first] == '[')) {
        *form = KRTI_FORM_JSON;
        return KRT_OK;
    }
    if (has_line(b, "model_checkpoint_path:")) {
        *form = KRTI_FORM_TF_CHECKPOINT;
        return KRT_OK;
    }
    if (has_line(b, "class_name:") && has_line(b, "config:"))
        return krti_fail(k, KRT_E_UNSUPPORTED, NULL,
                         "%s is an architecture in YAML, which Keras gave up in 2.6; write it anew "
                         "with model.to_json()",
                         name);
    return refuse_other_tools(k, b, name);
}

/* ------------------------------------------------------------------------------- TensorFlow */

/* "NAME.data-00000-of-00001" */
static bool is_checkpoint_data_name(const char *filepath)
{
    const char *tail = filepath != NULL ? strstr(krti_path_name(filepath), ".data-") : NULL;
    const size_t shard = tail != NULL ? strspn(tail + 6, "0123456789") : 0;

    return shard == 5 && krti_starts_with(tail + 11, "-of-") &&
           strspn(tail + 15, "0123456789") == strlen(tail + 15) && tail[15] != '\0';
}

/* A file whose name with the suffix replaced by ".index" is there too. */
static bool has_index(krt_ctx *k, const char *filepath, size_t suffix)
{
    krti_str index = KRTI_STR_INIT(k);
    const size_t n = strlen(filepath);
    bool found = false;

    if (n > suffix && krti_str_add_n(&index, filepath, n - suffix) == KRT_OK &&
        krti_str_add(&index, ".index") == KRT_OK)
        found = krti_path_kind_of(index.ptr) == KRTI_PATH_FILE;
    krti_str_free(&index);
    return found;
}

/* saved_model.pb: schema version 1, then meta graphs that fill the file. */
static bool is_saved_model(const krti_bytes *b, const char *filepath)
{
    uint64_t length = 0;
    size_t i = 3;

    if (!starts(b, 0, "\x08\x01\x12", 3))
        return false;
    for (int shift = 0; i < b->size && shift < 63; shift += 7) {
        length |= (uint64_t)(b->data[i] & 0x7F) << shift;
        if (b->data[i++] < 0x80)
            break;
    }
    return length == b->size - i || strcmp(krti_file_name(filepath), "saved_model.pb") == 0;
}

static bool is_checkpoint_part(krt_ctx *k, const krti_bytes *b, const char *filepath)
{
    static const unsigned char table[] = {0x57, 0xFB, 0x80, 0x8B, 0x24, 0x75, 0x47, 0xDB};

    if (b->size >= 48 && starts(b, b->size - sizeof table, table, sizeof table))
        return true;
    if (is_checkpoint_data_name(filepath))
        return true;
    return filepath != NULL && krti_ends_with(filepath, ".meta") && has_index(k, filepath, 5);
}

/* ------------------------------------------------------------------------------- all */

krt_status krti_detect(krt_ctx *k, krti_form *form, const krti_bytes *bytes, const char *filepath)
{
    const char *name = krti_file_name(filepath);

    if (bytes->size == 0)
        return krti_fail(k, KRT_E_FORMAT, NULL, "%s is empty (0 bytes), %s", name, ADVICE);
    if (starts(bytes, 0, "version https://git-lfs", 23))
        return refuse_lfs_pointer(k, bytes, name);
    if (starts(bytes, 0, "\x1F\x8B", 2))
        return refuse_gzip(k, bytes, name);
    if (starts(bytes, 0, "\x89HDF\r\n\x1a\n", 8))
        *form = KRTI_FORM_HDF5;
    else if (starts(bytes, 0, "PK\3\4", 4) || krti_zip_detect(bytes))
        *form = KRTI_FORM_ZIP;
    else if (krti_h5_detect(bytes))
        *form = KRTI_FORM_HDF5;
    else if (is_checkpoint_part(k, bytes, filepath))
        *form = KRTI_FORM_TF_CHECKPOINT;
    else if (krti_safetensors_detect(bytes))
        *form = KRTI_FORM_SAFETENSORS;
    else if (is_saved_model(bytes, filepath))
        *form = KRTI_FORM_SAVED_MODEL;
    else if (krti_content_is_text(bytes))
        return detect_text(k, form, bytes, name);
    else if (skip_blanks(bytes) < bytes->size && bytes->data[skip_blanks(bytes)] == '{')
        *form = KRTI_FORM_JSON; /* damaged, perhaps: the parser says where */
    else
        return refuse_other_tools(k, bytes, name);
    return KRT_OK;
}

static bool has_file(krt_ctx *k, const char *dir, const char *name)
{
    krti_str path = KRTI_STR_INIT(k);
    const bool found =
        krti_path_join(&path, dir, name) == KRT_OK && krti_path_kind_of(path.ptr) == KRTI_PATH_FILE;

    krti_str_free(&path);
    return found;
}

static krt_status detect_directory(krt_ctx *k, krti_form *form, const char *dir)
{
    static const struct {
        const char *file;
        krti_form form;
    } signs[] = {
        {"config.json", KRTI_FORM_KERAS_DIRECTORY},
        {"saved_model.pb", KRTI_FORM_SAVED_MODEL},
        {"saved_model.pbtxt", KRTI_FORM_SAVED_MODEL},
        {"model.weights.json", KRTI_FORM_SHARDED_DIRECTORY},
        {"checkpoint", KRTI_FORM_TF_CHECKPOINT},
        {"variables.index", KRTI_FORM_TF_CHECKPOINT},
    };

    for (size_t i = 0; i < KRTI_COUNT(signs); i++)
        if (has_file(k, dir, signs[i].file)) {
            *form = signs[i].form;
            return KRT_OK;
        }
    if (has_file(k, dir, "_CHECKPOINT_METADATA"))
        return krti_fail(k, KRT_E_UNSUPPORTED, NULL, "%s is an Orbax checkpoint, which is not read",
                         krti_path_name(dir));
    return krti_fail(
        k, KRT_E_FORMAT, NULL,
        "%s is a directory without a config.json, a saved_model.pb or a checkpoint, %s",
        krti_path_name(dir), ADVICE);
}

krt_status krti_detect_path(krt_ctx *k, krti_form *form, const char *filepath)
{
    if (krti_path_kind_of(filepath) == KRTI_PATH_DIR)
        return detect_directory(k, form, filepath);
    if (!has_index(k, filepath, 0))
        return krti_fail(k, KRT_E_NOT_FOUND, NULL, "no such file");
    *form = KRTI_FORM_TF_CHECKPOINT;
    return KRT_OK;
}
