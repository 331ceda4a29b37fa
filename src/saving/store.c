/* Building the list of a file's weights, and reading one array of it. See store.h. */
#include "saving/store.h"

#include "models/rename.h"

#include "saving/cut.h"

#include <ctype.h>
#include <stdlib.h>

enum { BUDGET_TIMES = 16, BUDGET_MORE = 4 << 20 };

krt_status krti_store_new(krt_ctx *k, krti_store **out)
{
    krti_store *s = krti_alloc(k, sizeof *s);

    *out = NULL;
    if (s == NULL)
        return KRT_E_NOMEM;
    s->k = k;
    s->uses = 1;
    s->arena = (krti_arena)KRTI_ARENA_INIT(k);
    s->budget = BUDGET_MORE;
    s->by_path = krti_map_new(k);
    s->groups = krti_map_new(k);
    if (s->by_path == NULL || s->groups == NULL) {
        krti_store_free(s);
        return KRT_E_NOMEM;
    }
    *out = s;
    return KRT_OK;
}

krti_store *krti_store_use(krti_store *s)
{
    s->uses++;
    return s;
}

void krti_store_free(krti_store *s)
{
    if (s == NULL || --s->uses > 0)
        return;
    krti_tf_checkpoint_free(s->checkpoint);
    for (size_t i = 0; !s->k->is_closing && i < s->num_kept; i++)
        krt_tensor_free(s->kept[i]);
    krti_free(s->k, s->kept);
    for (size_t i = 0; i < s->num_files; i++) {
        krti_h5_close(s->files[i].h5);
        krti_bytes_drop(s->files[i].bytes);
    }
    krti_free(s->k, s->files);
    krti_free(s->k, s->objects);
    krti_free(s->k, s->arrays);
    krti_map_free(s->by_path);
    krti_map_free(s->groups);
    krti_arena_free(&s->arena);
    krti_free(s->k, s);
}

void krti_store_forget(const krti_store *s)
{
    for (size_t i = 0; i < s->num_files; i++)
        krti_bytes_forget(s->files[i].bytes, s->files[i].bytes->data, s->files[i].bytes->size);
}

/* ------------------------------------------------------------------------------- building */

krt_status krti_store_spend(krti_store *s, size_t bytes)
{
    if (bytes > s->budget)
        return krti_fail(s->k, KRT_E_UNSAFE, NULL,
                         "Not allowed: H5 file that lists more objects than it can hold");
    s->budget -= bytes;
    return KRT_OK;
}

krt_status krti_store_add_bytes(krti_store *s, krti_bytes *bytes, const char *name, size_t *index)
{
    krt_status st = KRT_OK;
    const char *copy = NULL;

    if (name != NULL && (copy = krti_arena_strdup(&s->arena, name)) == NULL)
        return KRT_E_NOMEM;
    TRY(krti_grow(s->k, &s->files, &s->files_capacity, s->num_files + 1, sizeof *s->files));
    *index = s->num_files;
    s->files[s->num_files++] = (krti_store_file){copy, krti_bytes_use(bytes), NULL};
    s->budget += (uint64_t)bytes->size * BUDGET_TIMES;

done:
    return st;
}

krt_status krti_store_add_file(krti_store *s, krti_bytes *bytes, const char *name, size_t *index)
{
    krti_h5 *h5 = NULL;
    krt_status st = KRT_OK;

    TRY(krti_h5_open_counted(s->k, &h5, bytes));
    TRY(krti_store_add_bytes(s, bytes, name, index));
    s->files[*index].h5 = h5;
    h5 = NULL;

done:
    krti_h5_close(h5);
    return st;
}

static krt_status note_groups(krti_store *s, const char *path)
{
    krt_status st = krti_map_has(s->groups, path) ? KRT_OK : krti_map_set(s->groups, path, s);
    krti_str prefix = KRTI_STR_INIT(s->k);

    for (const char *p = path; st == KRT_OK && (p = strchr(p, '/')) != NULL; p++) {
        krti_str_clear(&prefix);
        st = krti_str_add_n(&prefix, path, (size_t)(p - path));
        if (st != KRT_OK || krti_map_has(s->groups, prefix.ptr))
            continue;
        st = krti_store_spend(s, prefix.length);
        if (st == KRT_OK)
            st = krti_map_set(s->groups, prefix.ptr, s);
    }
    krti_str_free(&prefix);
    return st;
}

krt_status krti_store_add_object(krti_store *s, const char *path, krti_role role)
{
    const char *copy = NULL;
    krt_status st = KRT_OK;

    TRY(krti_store_spend(s, sizeof *s->objects + 4 * strlen(path)));
    copy = krti_arena_strdup(&s->arena, path);
    if (copy == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_grow(s->k, &s->objects, &s->objects_capacity, s->num_objects + 1, sizeof *s->objects));
    s->objects[s->num_objects++] =
        (krti_store_object){.path = copy, .role = role, .first = s->num_arrays};
    if (!krti_map_has(s->by_path, path))
        TRY(krti_map_set(s->by_path, path, (void *)(uintptr_t)s->num_objects));
    TRY(note_groups(s, path));

done:
    return st;
}

/* bfloat16 has no HDF5 type: h5py writes two opaque bytes, Keras 3 adds the attribute, tf-keras
 * does not. The attribute on anything else is a file Keras cannot read either. */
static krt_status two_bytes_dtype(krti_h5 *h5, krti_h5_object header, const krti_h5_type *t,
                                  krt_ctx *k, krt_dtype *dtype)
{
    char *text = NULL;
    size_t length = 0;
    bool found = false;
    const krt_status st = krti_h5_attribute_text(h5, header, "dtype", &text, &length, &found);
    const bool says_bfloat16 = st == KRT_OK && found && strcmp(text, "bfloat16") == 0;

    krti_free(k, text);
    if (st != KRT_OK)
        return st;
    if (t->cls == KRTI_H5_OPAQUE)
        *dtype = KRT_BFLOAT16;
    else if (says_bfloat16 && *dtype != KRT_BFLOAT16)
        *dtype = KRT_DTYPE_NONE;
    return KRT_OK;
}

/* Keras's dtype of an HDF5 type, by its class and the logarithm of its size. */
static krt_dtype plain_dtype(const krti_h5_type *t)
{
    static const krt_dtype floats[] = {KRT_DTYPE_NONE, KRT_FLOAT16, KRT_FLOAT32, KRT_FLOAT64};
    static const krt_dtype ints[] = {KRT_INT8, KRT_INT16, KRT_INT32, KRT_INT64};
    static const krt_dtype uints[] = {KRT_UINT8, KRT_UINT16, KRT_UINT32, KRT_UINT64};
    size_t log = 0;

    while (log < 3 && (1u << log) < t->size)
        log++;
    if ((1u << log) != t->size)
        return KRT_DTYPE_NONE;
    switch (t->cls) {
    case KRTI_H5_FLOAT:
        return t->is_bfloat16 ? KRT_BFLOAT16 : floats[log];
    case KRTI_H5_INTEGER:
        return t->is_signed ? ints[log] : uints[log];
    case KRTI_H5_ENUM_BOOL:
        return t->size == 1 ? KRT_BOOL : KRT_DTYPE_NONE;
    default:
        return KRT_DTYPE_NONE;
    }
}

static krt_status dtype_of(krt_ctx *k, krti_h5 *h5, krti_h5_object header, const krti_h5_type *t,
                           krt_dtype *dtype)
{
    *dtype = plain_dtype(t);
    return t->size == 2 ? two_bytes_dtype(h5, header, t, k, dtype) : KRT_OK;
}

krt_status krti_store_dtype(krt_ctx *k, krti_h5 *h5, krti_h5_object header, krt_dtype *dtype)
{
    krti_h5_dataset d;
    const krt_status st = krti_h5_dataset_open(h5, header, &d);

    return st == KRT_OK ? dtype_of(k, h5, header, &d.type, dtype) : st;
}

static krt_shape shape_of(const krti_h5_type *t)
{
    krt_shape shape = {.rank = t->rank};

    if (t->rank > KRT_MAX_RANK || t->is_null)
        return (krt_shape){.rank = -1};
    for (int i = 0; i < t->rank; i++) {
        if (t->dim[i] > (uint64_t)INT64_MAX)
            return (krt_shape){.rank = -1};
        shape.dim[i] = (int64_t)t->dim[i];
    }
    return shape;
}

static krt_status describe(krti_store *s, krti_store_array *a)
{
    krti_h5 *h5 = s->files[a->file].h5;
    krti_h5_dataset d;
    krt_status st = krti_h5_dataset_open(h5, a->header, &d);

    if (st != KRT_OK)
        return st;
    st = dtype_of(s->k, h5, a->header, &d.type, &a->dtype);
    a->shape = shape_of(&d.type);
    if (a->shape.rank < 0)
        a->dtype = KRT_DTYPE_NONE;
    a->size_bytes = d.size_bytes;
    a->offset = d.is_contiguous && d.stored_bytes > 0 && d.offset <= INT64_MAX ? (int64_t)d.offset
                                                                               : KRT_NONE;
    return st;
}

/* Appends to the last object; what the file says of the array is there already. */
static krt_status add_array(krti_store *s, const krti_store_array *given, const char *entry,
                            const char *key)
{
    krti_store_array a = *given;
    krt_status st = KRT_OK;

    TRY(krti_store_spend(s, sizeof a + strlen(entry) + strlen(key)));
    a.object = s->num_objects - 1;
    a.entry = krti_arena_strdup(&s->arena, entry);
    a.key = krti_arena_strdup(&s->arena, key);
    if (a.entry == NULL || a.key == NULL)
        TRY(KRT_E_NOMEM);
    TRY(krti_grow(s->k, &s->arrays, &s->arrays_capacity, s->num_arrays + 1, sizeof *s->arrays));
    s->arrays[s->num_arrays++] = a;
    s->objects[s->num_objects - 1].num++;

done:
    return st;
}

krt_status krti_store_add_array(krti_store *s, size_t file, const char *entry, const char *key,
                                krti_h5_object header)
{
    krti_store_array a = {.file = file, .header = header};
    krt_status st = describe(s, &a);

    if (st == KRT_OK)
        st = add_array(s, &a, entry, key);
    return krti_fail_in_object(s->k, st, entry);
}

krt_status krti_store_add_raw(krti_store *s, const krti_store_array *array, const krti_raw *raw)
{
    krti_store_array a = *array;
    krti_raw *copy = krti_arena_alloc(&s->arena, sizeof *copy);

    if (copy == NULL)
        return KRT_E_NOMEM;
    *copy = *raw;
    a.raw = copy;
    return add_array(s, &a, array->entry, array->key);
}

int krti_natural_compare(const char *a, const char *b)
{
    while (*a != '\0' && *b != '\0') {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            while (*a == '0' && isdigit((unsigned char)a[1]))
                a++;
            while (*b == '0' && isdigit((unsigned char)b[1]))
                b++;
            const size_t n = strspn(a, "0123456789"), m = strspn(b, "0123456789");
            const int order = n != m ? (n < m ? -1 : 1) : strncmp(a, b, n);

            if (order != 0)
                return order;
            a += n;
            b += m;
        } else if (*a != *b) {
            return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
        } else {
            a++;
            b++;
        }
    }
    return *a != '\0' ? 1 : *b != '\0' ? -1 : 0;
}

static int by_key(const void *left, const void *right)
{
    const krti_store_array *a = left, *b = right;

    return krti_natural_compare(a->key, b->key);
}

krt_status krti_store_join(krti_str *s, const char *a, const char *b)
{
    krti_str_clear(s);
    return krti_str_addf(s, "%s%s%s", a, a[0] != '\0' && b[0] != '\0' ? "/" : "", b);
}

void krti_store_sort_arrays(krti_store *s)
{
    const krti_store_object *o = &s->objects[s->num_objects - 1];

    if (o->num > 1)
        qsort(s->arrays + o->first, o->num, sizeof *s->arrays, by_key);
}

/* The files hold what is read where it lies, and a deflated array is at most 1032 times what is
 * stored of it. Arrays that lie over one another, or many that were never written, would make more of
 * a small file than it can hold. */
krt_status krti_store_check_declared(const krti_store *s)
{
    enum { UNWRITTEN = 64 << 20, RATIO = 1100 };
    uint64_t held = 0, in_place = 0, made = 0;

    for (size_t i = 0; i < s->num_files; i++)
        held += s->files[i].bytes->size;
    for (size_t i = 0; i < s->num_arrays; i++) {
        const krti_store_array *a = &s->arrays[i];
        const bool lies_there = a->offset != KRT_NONE || (a->raw != NULL && a->raw->num_pieces > 0);
        uint64_t *sum = lies_there ? &in_place : &made;

        *sum = a->size_bytes > UINT64_MAX - *sum ? UINT64_MAX : *sum + a->size_bytes;
    }
    if (in_place > held)
        return krti_fail(s->k, KRT_E_UNSAFE, NULL,
                         "Not allowed: arrays of %llu bytes that lie over one another in %llu",
                         (unsigned long long)in_place, (unsigned long long)held);
    if (made > UNWRITTEN && made / RATIO > held)
        return krti_fail(s->k, KRT_E_UNSAFE, NULL,
                         "Not allowed: arrays that declare %llu bytes in a file of %llu; refusing "
                         "to load a potential decompression/shape bomb",
                         (unsigned long long)made, (unsigned long long)held);
    return KRT_OK;
}

/* An array known by name: the rules may be about all of it, or about what its layer is called. */
static krt_status rename_array(krti_store *s, krti_store_array *a, const krt_names *rules,
                               const char *old_path, const char *new_path)
{
    const size_t n = strlen(old_path);
    krti_str name = KRTI_STR_INIT(s->k);
    krt_status st = krti_rename(&name, rules, a->entry);

    if (st == KRT_OK && strcmp(name.ptr, a->entry) == 0 && n > 0 &&
        strncmp(a->entry, old_path, n) == 0 && a->entry[n] == '/')
        st = krti_store_join(&name, new_path, a->entry + n + 1);
    if (st == KRT_OK && (a->name = krti_arena_strdup(&s->arena, name.ptr)) == NULL)
        st = KRT_E_NOMEM;
    krti_str_free(&name);
    return st;
}

/* Whether the rule, by itself, is about anything. */
static krt_status fits_any(const krti_store *s, const char *rule, bool *fits)
{
    const krt_names alone = {1, &rule};
    krti_str name = KRTI_STR_INIT(s->k);
    krt_status st = KRT_OK;

    *fits = false;
    for (size_t i = 0; !*fits && i < s->num_objects + (s->has_paths ? s->num_arrays : 0); i++) {
        const char *const own =
            i < s->num_objects ? s->objects[i].path : s->arrays[i - s->num_objects].entry;

        TRY(krti_rename(&name, &alone, own));
        *fits = strcmp(name.ptr, own) != 0;
    }

done:
    krti_str_free(&name);
    return st;
}

static krt_status warn_of_idle(const krti_store *s, const krt_names *rules)
{
    krt_status st = KRT_OK;

    for (size_t i = 0; st == KRT_OK && i < rules->n; i++) {
        bool fits = false;

        st = fits_any(s, rules->items[i], &fits);
        if (st == KRT_OK && !fits)
            krti_warn(s->k, "the rule %s renames nothing in the file", rules->items[i]);
    }
    return st;
}

krt_status krti_store_rename(krti_store *s, const krt_names *rules)
{
    krti_str name = KRTI_STR_INIT(s->k);
    krt_status st = warn_of_idle(s, rules);

    TRY(st);
    krti_map_free(s->by_path);
    krti_map_free(s->groups);
    s->by_path = krti_map_new(s->k);
    s->groups = krti_map_new(s->k);
    if (s->by_path == NULL || s->groups == NULL)
        TRY(KRT_E_NOMEM);
    for (size_t i = 0; i < s->num_objects; i++) {
        krti_store_object *o = &s->objects[i];
        const char *const old_path = o->path;

        TRY(krti_rename(&name, rules, old_path));
        o->path = krti_arena_strdup(&s->arena, name.ptr);
        if (o->path == NULL)
            TRY(KRT_E_NOMEM);
        for (size_t j = o->first; s->has_paths && j < o->first + o->num; j++)
            TRY(rename_array(s, &s->arrays[j], rules, old_path, o->path));
        if (!krti_map_has(s->by_path, o->path))
            TRY(krti_map_set(s->by_path, o->path, (void *)(uintptr_t)(i + 1)));
        TRY(note_groups(s, o->path));
    }

done:
    krti_str_free(&name);
    return st;
}

/* ------------------------------------------------------------------------------- finding */

static const char OLD_LAYERS[] = "_layer_checkpoint_dependencies";

/* The path with every "layers" replaced, as Keras's own fallback does it. */
static const krti_store_object *find_old_spelling(const krti_store *s, const char *path)
{
    krti_str old = KRTI_STR_INIT(s->k);
    uintptr_t found = 0;

    for (const char *hit; (hit = strstr(path, "layers")) != NULL; path = hit + strlen("layers")) {
        krti_str_add_n(&old, path, (size_t)(hit - path));
        krti_str_add(&old, OLD_LAYERS);
    }
    if (krti_str_add(&old, path) == KRT_OK)
        found = (uintptr_t)krti_map_get(s->by_path, old.ptr);
    krti_str_free(&old);
    return found > 0 ? &s->objects[found - 1] : NULL;
}

const krti_store_object *krti_store_find(const krti_store *s, const char *path)
{
    const uintptr_t found = (uintptr_t)krti_map_get(s->by_path, path);

    if (found > 0)
        return &s->objects[found - 1];
    return krti_map_has(s->groups, OLD_LAYERS) ? find_old_spelling(s, path) : NULL;
}

bool krti_store_has_group(const krti_store *s, const char *path)
{
    return krti_map_has(s->groups, path);
}
