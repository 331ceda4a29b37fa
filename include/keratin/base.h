/**
 * @file base.h
 * The ground everything stands on: status, errors, contexts, and the argument machinery.
 *
 * What holds for the whole library: a fallible call returns krt_status and leaves the detail in
 * krt_ctx_error(). A context, and all that was made through it, is used by one thread at a time
 * (krt_run is the exception, see models.h). What a function hands out through `**out` is yours to
 * free early; what is left is freed with the context. A pointer it returns is borrowed, and lives as
 * long as what it was asked of. An index past the last is no failure: it gives NULL, a shape of rank
 * -1 or KRT_DTYPE_NONE. An argument may be NULL only where it says so; `args` always may.
 */
#ifndef KERATIN_BASE_H
#define KERATIN_BASE_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KRT_VERSION_MAJOR 0
#define KRT_VERSION_MINOR 1
#define KRT_VERSION_PATCH 0
#define KRT_VERSION       "0.1.0"

#if defined(_WIN32)
#define KRT_API
#else
#define KRT_API __attribute__((visibility("default")))
#endif

/* ---------------------------------------------------------------------------------------------- */
/* Argument machinery: designated initializers over defaults. The later initializer wins (C17      */
/* 6.7.9p19), which both compilers remark on; that one remark is switched off here.                */

/* clang-format off */
#if defined(__clang__)
# define KRT_QUIET   _Pragma("clang diagnostic push") \
                     _Pragma("clang diagnostic ignored \"-Winitializer-overrides\"")
# define KRT_UNQUIET _Pragma("clang diagnostic pop")
#else
# define KRT_QUIET
# define KRT_UNQUIET
# if defined(__GNUC__) && !defined(__cplusplus) && !defined(KRT_KEEP_OVERRIDE_INIT)
#  pragma GCC diagnostic ignored "-Woverride-init"
# endif
#endif
#define KRT_ARGS(type, ...) \
    KRT_QUIET (&(const type){ .struct_size = sizeof(type), __VA_ARGS__ }) KRT_UNQUIET
#define KRT_SPEC(type, cls, ...) \
    KRT_QUIET (&((const type){ .spec = { sizeof(type), cls }, __VA_ARGS__ }).spec) KRT_UNQUIET
#define KRT_LIST(list, item, ...) \
    ((list){ sizeof((item[]){ __VA_ARGS__ }) / sizeof(item), (item[]){ __VA_ARGS__ } })
/* clang-format on */

#define KRT_NONE   INT64_MIN /**< Keras's None for an integer or a dimension */
#define KRT_NONE_F NAN       /**< Keras's None for a float; NULL is None for a pointer */

/** The description of a layer, initializer or other Keras object: the first member of every args
 *  struct, so one pointer type serves them all. Owns: nothing; the library copies what it keeps. */
typedef struct krt_spec {
    size_t      struct_size;
    const char *class_name; /**< Keras's class name, "Conv2D", or "package>Name" */
} krt_spec;

/** Keras's string identifier where an object is wanted: KRT_ID("he_normal"). */
#define KRT_ID(name) (&(const krt_spec){ sizeof(krt_spec), (name) })

/** A list of names by value. */
typedef struct krt_names {
    size_t             n;
    const char *const *items;
} krt_names;
/** KRT_NAMES("bias", "gamma"): a list of names, for one call. C only. */
#define KRT_NAMES(...) KRT_LIST(krt_names, const char *, __VA_ARGS__)

/** A list of descriptions by value. */
typedef struct krt_specs {
    size_t                 n;
    const krt_spec *const *items;
} krt_specs;
/** KRT_SPECS(KRT_ID("accuracy"), KRT_AUC()): a list of descriptions, for one call. C only. */
#define KRT_SPECS(...) KRT_LIST(krt_specs, const krt_spec *, __VA_ARGS__)

/* ---------------------------------------------------------------------------------------------- */
/* Status and error                                                                                */

/* clang-format off */
#define KRT_STATUS_MAP(X)                                                                          \
    X(E_NOMEM,          -1, "out of memory")                               /* MemoryError       */ \
    X(E_INVALID,        -2, "invalid argument")                            /* ValueError        */ \
    X(E_STATE,          -3, "model is not built")                          /* ValueError        */ \
    X(E_IO,             -4, "input/output error")                          /* OSError           */ \
    X(E_NOT_FOUND,      -5, "no such file, layer or weight")               /* FileNotFoundError */ \
    X(E_EXISTS,         -6, "file exists and overwrite is off")                                    \
    X(E_FORMAT,         -7, "not a file of this format")                   /* ValueError        */ \
    X(E_CORRUPT,        -8, "checksum or structure is wrong")                                      \
    X(E_MISMATCH,       -9, "weights do not fit the model")                /* ValueError        */ \
    X(E_UNKNOWN_CLASS, -10, "class is neither built in nor registered")    /* TypeError         */ \
    X(E_UNSAFE,        -11, "refused in safe mode")                        /* ValueError        */ \
    X(E_UNSUPPORTED,   -12, "not supported by this build")                                         \
    X(E_CANCELLED,     -13, "stopped by a callback")                                               \
    X(E_USER,          -14, "raised by user code")
/* clang-format on */

/** What a call came to. Negative values are failures; new ones may be added, none renumbered. */
typedef enum krt_status {
    KRT_OK = 0,
#define X(name, value, text) KRT_##name = value,
    KRT_STATUS_MAP(X)
#undef X
} krt_status;

typedef struct krt_ctx krt_ctx;

/** What went wrong, as of the last call on this context that failed.
 *  Owns: borrowed; valid until the next failing call or krt_ctx_free(). */
typedef struct krt_error {
    size_t      struct_size;
    krt_status  status;
    int         sys_errno; /**< errno behind KRT_E_IO, else 0 */
    const char *message;   /**< one line, UTF-8, no trailing newline */
    const char *object;    /**< layer or variable path, or NULL */
    const char *filepath;  /**< file being read or written, or NULL */
} krt_error;

/** How bytes are summed up so that a change shows. */
typedef enum krt_digest {
    KRT_DIGEST_NONE = 0, /**< not at all */
    KRT_DIGEST_XXH3_128, /**< against accidents, at the speed of memory */
    KRT_DIGEST_SHA256,   /**< against tampering too, where the digests are kept elsewhere */
    KRT_DIGEST_DEFAULT   /**< XXH3-128 in the forms that keep digests, none in the others */
} krt_digest;

/** Memory functions of the host program. All three or none. `align` is a power of two. */
typedef struct krt_allocator {
    void *(*alloc)(void *user, size_t size, size_t align);
    void *(*resize)(void *user, void *p, size_t old_size, size_t size, size_t align);
    void (*free)(void *user, void *p, size_t size); /**< p may be NULL */
    void *user;
} krt_allocator;

/** The `level` of what a context's log function is called with. */
enum krt_log_level { KRT_LOG_INFO = 0, KRT_LOG_WARNING = 1 };

/** The arguments of krt_ctx_new(). */
typedef struct krt_ctx_args {
    size_t        struct_size;
    int           threads;   /**< threads of one run; 0: one per processor this process may use */
    int64_t       seed;      /**< KRT_NONE: seeded from the system; else as set_random_seed() */
    krt_allocator allocator; /**< left out: the C library's */
    /** A krt_log_level and one line, valid for the call; NULL: warnings are dropped. */
    void (*log)(void *user, int level, const char *text);
    void *user; /**< handed to log */
} krt_ctx_args;
#define KRT_CTX(...) KRT_ARGS(krt_ctx_args, .seed = KRT_NONE, .user = NULL, __VA_ARGS__)

/** Makes a context: the owner of every model and tensor made through it, and of the last error.
 *  NULL: `args` may be NULL, which is KRT_CTX(). Fails: E_NOMEM, E_INVALID, E_UNSUPPORTED (args of
 *  a newer header); there is no context to say more. */
KRT_API krt_status krt_ctx_new(krt_ctx **out, const krt_ctx_args *args);

/** Frees the context and everything made through it that is still alive. NULL: allowed. */
KRT_API void krt_ctx_free(krt_ctx *k);

/** The last failure on this context. Never NULL; status KRT_OK while nothing has failed. */
KRT_API const krt_error *krt_ctx_error(const krt_ctx *k);

/** Sets the number of threads later runs use. 0: one per processor this process may use. Fails:
 *  E_INVALID (below 0). */
KRT_API krt_status krt_ctx_set_threads(krt_ctx *k, int threads);

/** Frees memory the library handed out as a plain pointer (texts, lists). NULL: allowed. */
KRT_API void krt_free(krt_ctx *k, void *p);

/** Writes a whole file beside the old one, syncs it and renames it over: afterwards the new one is
 *  there, or the old one still is. What is there and no regular file (a pipe, a terminal) is written
 *  to as it is. Fails: E_IO, E_NOT_FOUND (no directory). */
KRT_API krt_status krt_write_file(krt_ctx *k, const char *filepath, const void *data, size_t size);

/** "KRT_E_NOT_FOUND". Never NULL, also for a value this library does not know. */
KRT_API const char *krt_status_name(krt_status status);

/** "no such file, layer or weight". Never NULL. */
KRT_API const char *krt_status_text(krt_status status);

/** The library's version, "0.1.0", which may be newer than the header's KRT_VERSION. */
KRT_API const char *krt_version(void);

#ifdef __cplusplus
}
#endif

#endif
