/* ZIP archives as Keras writes and reads them, for reading. Stored and deflated members, ZIP64.
 *
 * The central directory is the truth; local headers are only checked against it. Everything is
 * validated at open, so that later lookups cannot fail half way. Members stay where they lie in
 * the mapping; a deflated one is inflated whole, never beyond its declared size. Page:
 * docs/formats/zip.md. */
#ifndef KRTI_FORMATS_ZIP_H
#define KRTI_FORMATS_ZIP_H

#include "base/fs.h"

typedef struct krti_zip krti_zip;

typedef struct krti_zip_member {
    const char *name;     /* terminated, checked: relative, no "..", no NUL, no backslash */
    uint64_t size;        /* inflated */
    uint64_t stored_size; /* in the file */
    uint64_t offset;      /* of its data in the archive */
    uint32_t crc32;
    bool is_deflated;
    bool is_dir; /* the name ends in '/' */
} krti_zip_member;

/* Whether the bytes look like an archive (an end record is found). */
bool krti_zip_detect(const krti_bytes *bytes);

/* Opens; keeps a use of `bytes`. Fails, naming the member: E_CORRUPT (cut short, overlaps, sizes
 * beyond the file, local header disagrees), E_UNSAFE (absolute or ".." names, two members of one
 * name, bombs: a member or all of them declare more than 1 MiB at over 1032 times the stored size),
 * E_UNSUPPORTED (encryption, other methods, several disks), E_FORMAT (no archive at all). */
krt_status krti_zip_open(krt_ctx *k, krti_zip **out, krti_bytes *bytes);
void krti_zip_close(krti_zip *z); /* NULL allowed; member data stays valid through its own use */

size_t krti_zip_num(const krti_zip *z);
const krti_zip_member *krti_zip_at(const krti_zip *z, size_t i);
const krti_zip_member *krti_zip_find(const krti_zip *z, const char *name); /* NULL: none */

/* Why a member may not be called this ("has an absolute name"), NULL when it may. */
const char *krti_zip_name_problem(const char *name, size_t length);

/* The member's bytes: stored ones in place in the mapping (a view), deflated ones inflated.
 * Owns: drop *out. `check_crc`: E_CORRUPT when the CRC-32 disagrees. */
krt_status krti_zip_read(krti_zip *z, krti_bytes **out, const krti_zip_member *m, bool check_crc);

#endif
