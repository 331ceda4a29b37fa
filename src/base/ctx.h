/* The context and what every other file needs first: failing, allocating, owning.
 *
 * Status and message live in the context, not in a thread-local: they follow the object that
 * failed, and two contexts on two threads never meet. A run (models.h) carries a small context of
 * its own, made by krti_ctx_child(), so that many threads can run one model. */
#ifndef KRTI_BASE_CTX_H
#define KRTI_BASE_CTX_H

#include <keratin/base.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#if defined(__GNUC__)
#define KRTI_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define KRTI_PRINTF(fmt, args)
#endif

/* Sets `st` and leaves for the one cleanup label of the function. */
#define TRY(call)         \
    do {                  \
        st = (call);      \
        if (st != KRT_OK) \
            goto done;    \
    } while (0)

/* Our own mistakes only; never what a file or a caller may contain. */
#ifdef NDEBUG
#define KRTI_ASSERT(condition) ((void)sizeof(condition))
#else
#define KRTI_ASSERT(condition) \
    ((condition) ? (void)0 : krti_assert_failed(#condition, __FILE__, __LINE__))
#endif
void krti_assert_failed(const char *condition, const char *file, int line);

#define KRTI_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Something a context frees at its end. The first member of every object it owns. */
typedef struct krti_owned {
    krt_ctx *k;
    struct krti_owned *prev, *next;
    void (*destroy)(void *self); /* frees the whole object, this member included */
} krti_owned;

enum { KRTI_MESSAGE_MAX = 1024, KRTI_OBJECT_MAX = 512, KRTI_PATH_MAX = 4096 };

struct krt_ctx {
    krt_allocator allocator;
    krt_error error;
    char message[KRTI_MESSAGE_MAX];
    char object[KRTI_OBJECT_MAX];
    char filepath[KRTI_PATH_MAX];
    void (*log)(void *user, int level, const char *text);
    void *user;
    const struct krti_sys *sys; /* how this context changes files; sys.h */
    int threads;
    uint64_t seed;
    uint64_t draws;            /* random streams handed out so far; see rng.h */
    int file_generation;       /* Keras 1, 2 or 3 while its file is read; 0: 3. Set by the loader */
    int file_trains_as;        /* the same for krt_layer.trains_as; 0: the file's generation */
    bool is_closing;           /* krt_ctx_free() is under way: it frees every object itself */
    krti_owned *owned;         /* newest first, so that users go before what they use */
    struct krti_map *classes;  /* registered layer classes by "package>Name"; see layers */
    struct krti_map *counters; /* automatic names: "dense" -> how many so far; see layers */
    struct krti_map *losses, *metrics; /* registered, likewise; see training */
};

/* Records a failure and returns `status`. `object` is a layer or variable path, or NULL.
 * The message is one line without a full stop: what was expected, what was found. */
krt_status krti_fail(krt_ctx *k, krt_status status, const char *object, const char *format, ...)
    KRTI_PRINTF(4, 5);

/* The same for a failed system call: keeps errno and appends its text to the message. */
krt_status krti_fail_errno(krt_ctx *k, krt_status status, const char *format, ...)
    KRTI_PRINTF(3, 4);

/* Names the file the last failure is about, unless a deeper call already did. Returns the status
 * it is given, so that a function can end with it. */
krt_status krti_fail_in_file(krt_ctx *k, krt_status status, const char *filepath);

/* Names the object, likewise. */
krt_status krti_fail_in_object(krt_ctx *k, krt_status status, const char *object);

/* Copies the last failure of one context into another (a run's into its model's). */
void krti_fail_copy(krt_ctx *to, const krt_ctx *from);

/* A warning for the host's log. */
void krti_warn(krt_ctx *k, const char *format, ...) KRTI_PRINTF(2, 3);

/* Zeroed memory, aligned to 64 bytes, up to 256 bytes of it to 16; NULL and a recorded E_NOMEM when there
 * is none. A size of 0 gives a pointer that may be freed. */
void *krti_alloc(krt_ctx *k, size_t size);
/* The same without the zeros, for what is filled at once. */
void *krti_alloc_raw(krt_ctx *k, size_t size);
/* n elements of `size` bytes, zeroed; the product is checked. */
void *krti_array(krt_ctx *k, size_t n, size_t size);
/* Grows or shrinks; new bytes are not zeroed; on failure `p` is untouched. p may be NULL. */
void *krti_resize(krt_ctx *k, void *p, size_t size);
void krti_free(krt_ctx *k, void *p);
char *krti_strdup(krt_ctx *k, const char *text);
char *krti_strndup(krt_ctx *k, const char *text, size_t length);
/* Grows *items (elements of `size` bytes, *capacity of them) until it holds `need`. Doubles. */
krt_status krti_grow(krt_ctx *k, void *items, size_t *capacity, size_t need, size_t size);

/* Hands an object to its context. destroy(object) is called by krt_ctx_free() or by the object's
 * own free function through krti_disown(). */
void krti_own(krt_ctx *k, krti_owned *object, void (*destroy)(void *self));
/* Takes the object out of the context's list; the caller then frees it. */
void krti_disown(krti_owned *object);

/* A context with the same allocator, threads and log, owned by nobody, for one run. */
krt_status krti_ctx_child(krt_ctx **out, krt_ctx *parent);

/* What every function with args does first: lays what the caller knows over our defaults.
 * `defaults` has `size` bytes; struct_size is the first member of them all. */
krt_status krti_args_import(krt_ctx *k, void *dst, const void *defaults, size_t size,
                            const void *src);

/* Checked arithmetic on sizes that come from files or callers: false when it would overflow. */
bool krti_mul_size(size_t a, size_t b, size_t *product);
bool krti_add_size(size_t a, size_t b, size_t *sum);
bool krti_mul_i64(int64_t a, int64_t b, int64_t *product);

#endif
