/**
 * @file inspect.h
 * Proving, comparing and judging files without running them: what the tool's verify, diff, explain
 * and scan do. Nothing here prints; every call gives a list of findings.
 * Keras: saving/file_editor.py has compare(); the rest has no counterpart.
 */
#ifndef KERATIN_INSPECT_H
#define KERATIN_INSPECT_H

#include "saving.h"

#ifdef __cplusplus
extern "C" {
#endif

/* --- findings -------------------------------------------------------------------------------- */

/** What was found, in the order in which it was found. */
typedef struct krt_findings krt_findings;

/** One of them. */
typedef struct krt_finding {
    size_t      struct_size;
    const char *code;       /**< one word for programs: "altered", "missing", "link" */
    bool        is_problem; /**< false: worth knowing, and no reason to say no */
    const char *file;       /**< shard or archive member it lies in, NULL: the file itself */
    const char *object;     /**< array, layer or place in the config; NULL: the file as a whole */
    const char *text;       /**< the sentence, without a full stop */
    double      max_abs;    /**< krt_diff(), for values: the largest difference; else NaN */
    double      max_rel;    /**< the largest of them by the size of the first file's value */
} krt_finding;

/** Their number, and of those the problems: 0 where all is well. */
KRT_API size_t             krt_findings_size(const krt_findings *f);
KRT_API size_t             krt_findings_num_problems(const krt_findings *f);
KRT_API const krt_finding *krt_findings_at(const krt_findings *f, size_t i);
/** One line about what was looked at: "12 arrays, 34,912 bytes, 12 digests checked". Never NULL. */
KRT_API const char *krt_findings_summary(const krt_findings *f);
KRT_API void        krt_findings_free(krt_findings *f); /**< NULL: allowed */

/* --- verify ---------------------------------------------------------------------------------- */

/** The arguments of krt_verify(). */
typedef struct krt_verify_args {
    size_t      struct_size;
    const char *config;  /**< architecture for weights-only files; NULL: in the file, or none */
    const char *against; /**< digests kept aside, see krt_write_digests(); NULL: none */
} krt_verify_args;
#define KRT_VERIFY(...) KRT_ARGS(krt_verify_args, .against = NULL, __VA_ARGS__)

/** Reads everything in a file and says what is wrong: structure, sizes, checksums of containers and
 *  arrays, shards that are missing or of another save, arrays that the architecture wants and the
 *  file lacks, or that differ from `against`. A file that is damaged is no failure of the call.
 *  Owns: *out, krt_findings_free() it. Fails: E_NOT_FOUND, E_IO, E_FORMAT (no model file), E_NOMEM. */
KRT_API krt_status krt_verify(krt_ctx *k, krt_findings **out, const char *filepath,
                              const krt_verify_args *args);

/** The arguments of krt_write_digests(). */
typedef struct krt_write_digests_args {
    size_t     struct_size;
    krt_digest digest; /**< KRT_DIGEST_SHA256 */
} krt_write_digests_args;
#define KRT_WRITE_DIGESTS(...) \
    KRT_ARGS(krt_write_digests_args, .digest = KRT_DIGEST_SHA256, __VA_ARGS__)

/** Writes the digest of every array of a file, and of its architecture, as JSON: to be kept where
 *  whoever could change the file cannot. Fails: what krt_file_open() fails with, E_IO. */
KRT_API krt_status krt_write_digests(krt_ctx *k, const char *filepath, const char *out_filepath,
                                     const krt_write_digests_args *args);

/* --- scan ------------------------------------------------------------------------------------ */

/** Says what a file would do to whoever opens it with less care: Python bytecode, classes and
 *  functions whose code lies elsewhere, links, data in other files, bombs, paths that lead out,
 *  pickles and programs, numbers that ask for more memory than there is. Nothing is run and nothing
 *  outside the file is opened. Owns: *out, krt_findings_free() it. Fails: as krt_verify(). */
KRT_API krt_status krt_scan(krt_ctx *k, krt_findings **out, const char *filepath);

/* --- diff and explain ------------------------------------------------------------------------ */

/** The arguments of krt_diff(). */
typedef struct krt_diff_args {
    size_t      struct_size;
    double      atol;   /**< 0: a value may differ by atol + rtol * |the second file's value| */
    double      rtol;   /**< 0 */
    const char *config; /**< architecture for files that have none; NULL: none */
} krt_diff_args;
#define KRT_DIFF(...) KRT_ARGS(krt_diff_args, .config = NULL, __VA_ARGS__)

/** Compares the architectures and the weights of two files, of any two formats. One finding for the
 *  first place where the architectures differ ("config": its path), one for each array that one
 *  file lacks ("missing", "added") or that differs ("shape", "dtype", "values").
 *  Owns: *out, krt_findings_free() it. Fails: what krt_file_open() fails with, E_CORRUPT. */
KRT_API krt_status krt_diff(krt_ctx *k, krt_findings **out, const char *a_filepath,
                            const char *b_filepath, const krt_diff_args *args);

/** Says whether a file's weights fit a model's architecture, and if not: what a load would say
 *  ("load"), where the two part by shape and order ("divergence"), the likely cause ("cause") and
 *  the command that helps ("command"). Owns: *out, krt_findings_free() it.
 *  Fails: what krt_file_open() fails with, E_FORMAT (`model_filepath` has no architecture). */
KRT_API krt_status krt_explain(krt_ctx *k, krt_findings **out, const char *weights_filepath,
                               const char *model_filepath);

#ifdef __cplusplus
}
#endif

#endif
