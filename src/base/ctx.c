/* Contexts, errors and memory. See ctx.h for why the error lives here.
 *
 * Every block carries its size before what the caller gets, so that a host allocator gets the sized free
 * it is promised. The prefix is as long as the alignment: 64 bytes, aligned for any vector load, or 16 for
 * the many small blocks, which a libc hands out faster and closer together. */
#include "base/ctx.h"
#include "base/fs.h"
#include "base/map.h"
#include "base/sys.h"
#include "base/tasks.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

enum { ALIGN = 64, SMALL_ALIGN = 16, SMALL = 256, LARGE = 4 << 20 };

/* ------------------------------------------------------------------------------- memory */

static void *libc_alloc(void *user, size_t size, size_t align)
{
    (void)user;
    if (align <= _Alignof(max_align_t))
        return malloc(size);
    const size_t rounded = (size + align - 1) / align * align;
    void *p = aligned_alloc(align, rounded);

    if (p != NULL && size >= LARGE)
        krti_advise_pages(p, size, true);
    return p;
}

static void libc_free(void *user, void *p, size_t size)
{
    (void)user;
    (void)size;
    free(p);
}

static void *libc_resize(void *user, void *p, size_t old_size, size_t size, size_t align)
{
    if (align <= _Alignof(max_align_t))
        return realloc(p, size);
    void *q = libc_alloc(user, size, align);

    if (q == NULL)
        return NULL;
    if (p != NULL)
        memcpy(q, p, old_size < size ? old_size : size);
    free(p);
    return q;
}

static const krt_allocator libc_allocator = {libc_alloc, libc_resize, libc_free, NULL};

static size_t align_for(size_t size)
{
    return size <= SMALL ? SMALL_ALIGN : ALIGN;
}

/* The size of the whole block lies right before what the caller got. */
static size_t total_of(const void *p)
{
    return ((const size_t *)p)[-1];
}

/* As align_for(): the total of a small block is less than that of any other. */
static size_t align_of(const void *p)
{
    return total_of(p) <= SMALL + SMALL_ALIGN ? SMALL_ALIGN : ALIGN;
}

static void *take(krt_ctx *k, char *block, size_t total, size_t align)
{
    if (block == NULL) {
        krti_fail(k, KRT_E_NOMEM, NULL, "out of memory: %zu bytes wanted", total - align);
        return NULL;
    }
    char *const p = block + align;
    ((size_t *)(void *)p)[-1] = total;
    return p;
}

void *krti_alloc_raw(krt_ctx *k, size_t size)
{
    const size_t align = align_for(size);
    char *block = NULL;
    size_t total = 0;

    if (krti_add_size(size, align, &total))
        block = k->allocator.alloc(k->allocator.user, total, align);
    return take(k, block, size + align, align);
}

void *krti_alloc(krt_ctx *k, size_t size)
{
    void *p = krti_alloc_raw(k, size);

    if (p != NULL)
        memset(p, 0, size);
    return p;
}

void *krti_array(krt_ctx *k, size_t n, size_t size)
{
    size_t bytes = 0;

    if (!krti_mul_size(n, size, &bytes)) {
        krti_fail(k, KRT_E_NOMEM, NULL, "out of memory: %zu elements of %zu bytes wanted", n, size);
        return NULL;
    }
    return krti_alloc(k, bytes);
}

/* To or from a small block. */
static void *move(krt_ctx *k, void *p, size_t size)
{
    const size_t had = total_of(p) - align_of(p);
    void *q = krti_alloc_raw(k, size);

    if (q != NULL) {
        memcpy(q, p, had < size ? had : size);
        krti_free(k, p);
    }
    return q;
}

void *krti_resize(krt_ctx *k, void *p, size_t size)
{
    const size_t align = align_for(size);
    char *block = NULL;
    size_t total = 0;

    if (p == NULL)
        return krti_alloc_raw(k, size);
    if (align != align_of(p))
        return move(k, p, size);
    if (krti_add_size(size, align, &total))
        block =
            k->allocator.resize(k->allocator.user, (char *)p - align, total_of(p), total, align);
    return take(k, block, size + align, align);
}

void krti_free(krt_ctx *k, void *p)
{
    if (p != NULL)
        k->allocator.free(k->allocator.user, (char *)p - align_of(p), total_of(p));
}

void krt_free(krt_ctx *k, void *p)
{
    krti_free(k, p);
}

char *krti_strndup(krt_ctx *k, const char *text, size_t length)
{
    char *copy = krti_alloc_raw(k, length + 1);

    if (copy != NULL) {
        memcpy(copy, text, length);
        copy[length] = '\0';
    }
    return copy;
}

char *krti_strdup(krt_ctx *k, const char *text)
{
    return krti_strndup(k, text, strlen(text));
}

krt_status krti_grow(krt_ctx *k, void *items, size_t *capacity, size_t need, size_t size)
{
    void *old = NULL;
    size_t wanted = *capacity < 8 ? 8 : *capacity;
    size_t bytes = 0;

    if (need <= *capacity)
        return KRT_OK;
    while (wanted < need) {
        if (!krti_mul_size(wanted, 2, &wanted))
            return krti_fail(k, KRT_E_NOMEM, NULL, "out of memory: %zu elements wanted", need);
    }
    if (!krti_mul_size(wanted, size, &bytes))
        return krti_fail(k, KRT_E_NOMEM, NULL, "out of memory: %zu elements wanted", need);
    memcpy(&old, items, sizeof old);
    old = krti_resize(k, old, bytes);
    if (old == NULL)
        return KRT_E_NOMEM;
    memcpy(items, &old, sizeof old);
    *capacity = wanted;
    return KRT_OK;
}

bool krti_mul_size(size_t a, size_t b, size_t *product)
{
    if (b != 0 && a > SIZE_MAX / b)
        return false;
    *product = a * b;
    return true;
}

bool krti_add_size(size_t a, size_t b, size_t *sum)
{
    if (a > SIZE_MAX - b)
        return false;
    *sum = a + b;
    return true;
}

bool krti_mul_i64(int64_t a, int64_t b, int64_t *product)
{
    if (a < 0 || b < 0 || (b != 0 && a > INT64_MAX / b))
        return false;
    *product = a * b;
    return true;
}

/* ------------------------------------------------------------------------------- errors */

const char *krt_status_name(krt_status status)
{
    switch (status) {
    case KRT_OK:
        return "KRT_OK";
#define X(name, value, text) \
    case KRT_##name:         \
        return "KRT_" #name;
        KRT_STATUS_MAP(X)
#undef X
    }
    return "KRT_E_UNKNOWN";
}

const char *krt_status_text(krt_status status)
{
    switch (status) {
    case KRT_OK:
        return "done";
#define X(name, value, text) \
    case KRT_##name:         \
        return text;
        KRT_STATUS_MAP(X)
#undef X
    }
    return "unknown status";
}

const char *krt_version(void)
{
    return KRT_VERSION;
}

const krt_error *krt_ctx_error(const krt_ctx *k)
{
    return &k->error;
}

/* Copies what fits, cutting at a whole UTF-8 character. */
static void copy_text(char *dst, size_t size, const char *src)
{
    size_t n = strlen(src);

    if (n >= size) {
        n = size - 1;
        while (n > 0 && ((unsigned char)src[n] & 0xC0) == 0x80)
            n--;
    }
    memmove(dst, src, n);
    dst[n] = '\0';
}

/* A message is one line: whatever a file put into a name must not break it. */
static void flatten(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = ' ';
}

static void record(krt_ctx *k, krt_status status, const char *object, int sys_errno)
{
    flatten(k->message);
    k->error.status = status;
    k->error.sys_errno = sys_errno;
    k->error.message = k->message;
    k->error.object = NULL;
    k->error.filepath = NULL;
    if (object != NULL)
        krti_fail_in_object(k, status, object);
}

krt_status krti_fail(krt_ctx *k, krt_status status, const char *object, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(k->message, sizeof k->message, format, args);
    va_end(args);
    record(k, status, object, 0);
    return status;
}

krt_status krti_fail_errno(krt_ctx *k, krt_status status, const char *format, ...)
{
    const int saved = errno;
    va_list args;

    va_start(args, format);
    vsnprintf(k->message, sizeof k->message, format, args);
    va_end(args);
    const size_t n = strlen(k->message);
    snprintf(k->message + n, sizeof k->message - n, ": %s", strerror(saved));
    record(k, status, NULL, saved);
    return status;
}

krt_status krti_fail_in_file(krt_ctx *k, krt_status status, const char *filepath)
{
    if (k->error.status != KRT_OK && k->error.filepath == NULL && filepath != NULL) {
        copy_text(k->filepath, sizeof k->filepath, filepath);
        k->error.filepath = k->filepath;
    }
    return status;
}

krt_status krti_fail_in_object(krt_ctx *k, krt_status status, const char *object)
{
    if (k->error.object == NULL && object != NULL) {
        copy_text(k->object, sizeof k->object, object);
        flatten(k->object);
        k->error.object = k->object;
    }
    return status;
}

void krti_fail_copy(krt_ctx *to, const krt_ctx *from)
{
    const krt_error *e = &from->error;

    krti_fail(to, e->status, e->object, "%s", e->message);
    krti_fail_in_file(to, e->status, e->filepath);
}

void krti_warn(krt_ctx *k, const char *format, ...)
{
    char text[KRTI_MESSAGE_MAX];
    va_list args;

    if (k->log == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    k->log(k->user, KRT_LOG_WARNING, text);
}

void krti_assert_failed(const char *condition, const char *file, int line)
{
    fprintf(stderr, "%s:%d: this cannot be: %s\n", file, line, condition);
    abort();
}

/* ------------------------------------------------------------------------------- contexts */

krt_status krti_args_import(krt_ctx *k, void *dst, const void *defaults, size_t size,
                            const void *src)
{
    size_t given = 0;

    memcpy(dst, defaults, size);
    if (src == NULL)
        return KRT_OK;
    memcpy(&given, src, sizeof given);
    if (given < sizeof given || given > size)
        return krti_fail(k, KRT_E_UNSUPPORTED, NULL, "args of %zu bytes, at most %zu known", given,
                         size);
    memcpy(dst, src, given);
    return KRT_OK;
}

static krt_ctx *ctx_alloc(const krt_allocator *a)
{
    krt_ctx *k = a->alloc(a->user, sizeof *k, ALIGN);

    if (k == NULL)
        return NULL;
    memset(k, 0, sizeof *k);
    k->allocator = *a;
    k->error.struct_size = sizeof k->error;
    k->error.message = k->message;
    k->sys = &krti_sys_posix;
    krti_tasks_use();
    return k;
}

static bool allocator_is_valid(const krt_allocator *a)
{
    const int given = (a->alloc != NULL) + (a->resize != NULL) + (a->free != NULL);

    return given == 0 || given == 3;
}

krt_status krt_ctx_new(krt_ctx **out, const krt_ctx_args *args)
{
    static const krt_ctx_args defaults = {.struct_size = sizeof defaults, .seed = KRT_NONE};
    krt_ctx_args a = defaults;

    *out = NULL;
    if (args != NULL) {
        if (args->struct_size < sizeof(size_t) || args->struct_size > sizeof a)
            return KRT_E_UNSUPPORTED;
        memcpy(&a, args, args->struct_size);
    }
    if (a.threads < 0 || !allocator_is_valid(&a.allocator))
        return KRT_E_INVALID;
    krt_ctx *k = ctx_alloc(a.allocator.alloc != NULL ? &a.allocator : &libc_allocator);
    if (k == NULL)
        return KRT_E_NOMEM;
    k->threads = a.threads;
    k->seed = a.seed == KRT_NONE ? (uint64_t)time(NULL) * 2654435761u : (uint64_t)a.seed;
    k->log = a.log;
    k->user = a.user;
    *out = k;
    return KRT_OK;
}

krt_status krti_ctx_child(krt_ctx **out, krt_ctx *parent)
{
    krt_ctx *k = ctx_alloc(&parent->allocator);

    *out = k;
    if (k == NULL)
        return krti_fail(parent, KRT_E_NOMEM, NULL, "out of memory");
    k->threads = parent->threads;
    k->seed = parent->seed;
    k->log = parent->log;
    k->user = parent->user;
    k->sys = parent->sys;
    return KRT_OK;
}

void krt_ctx_free(krt_ctx *k)
{
    if (k == NULL)
        return;
    k->is_closing = true;
    while (k->owned != NULL) {
        krti_owned *object = k->owned;

        krti_disown(object);
        object->destroy(object);
    }
    krti_map_free(k->classes);
    krti_map_free(k->losses);
    krti_map_free(k->metrics);
    krti_map_free(k->counters);
    const krt_allocator a = k->allocator;
    a.free(a.user, k, sizeof *k);
    krti_tasks_drop();
}

krt_status krt_ctx_set_threads(krt_ctx *k, int threads)
{
    if (threads < 0)
        return krti_fail(k, KRT_E_INVALID, NULL, "threads is %d, expected 0 or more", threads);
    k->threads = threads;
    return KRT_OK;
}

void krti_own(krt_ctx *k, krti_owned *object, void (*destroy)(void *self))
{
    object->k = k;
    object->destroy = destroy;
    object->prev = NULL;
    object->next = k->owned;
    if (k->owned != NULL)
        k->owned->prev = object;
    k->owned = object;
}

void krti_disown(krti_owned *object)
{
    if (object->prev != NULL)
        object->prev->next = object->next;
    else if (object->k->owned == object)
        object->k->owned = object->next;
    if (object->next != NULL)
        object->next->prev = object->prev;
    object->prev = NULL;
    object->next = NULL;
}
