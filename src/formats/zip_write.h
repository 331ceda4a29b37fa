/* ZIP archives for writing, as Python's zipfile writes those of Keras: stored members, no extra
 * fields but what aligns data, ZIP64 from the sizes on where Python begins with it.
 *
 * Members stream: their size is known before, their checksum after, so a member's local header is
 * written once its data is through. The sink takes positions in any order, and so does a member's
 * own sink: the HDF5 image, which ends with its beginning, goes straight into the archive. Page:
 * docs/formats/zip.md. */
#ifndef KRTI_FORMATS_ZIP_WRITE_H
#define KRTI_FORMATS_ZIP_WRITE_H

#include "base/transaction.h"

typedef struct krti_zip_writer krti_zip_writer;

typedef struct krti_zip_entry {
    const char *name;
    uint64_t size;
    unsigned alignment;          /* of the data in the archive; 0 or 1: none */
    bool has_room;               /* for long sizes in the local header, whatever the size is */
    uint16_t dos_date, dos_time; /* krti_zip_now(), or KRTI_ZIP_1980 and 0 */
    unsigned mode;               /* POSIX permissions: 0600; with 0100000 for a file from disk */
} krti_zip_entry;
enum { KRTI_ZIP_1980 = 0x0021 }; /* the first of January */

/* The local time as archives hold it, in steps of two seconds. */
void krti_zip_now(uint16_t *dos_date, uint16_t *dos_time);

krt_status krti_zip_writer_new(krt_ctx *k, krti_zip_writer **out, const krti_sink *sink);
void krti_zip_writer_free(krti_zip_writer *z); /* NULL allowed */

/* Starts a member; what goes to *member until the next call has positions 0 to size - 1, each once.
 * Fails: E_INVALID for a name no archive should hold. */
krt_status krti_zip_begin(krti_zip_writer *z, const krti_zip_entry *entry, krti_sink *member);
/* Ends it. Fails: E_INVALID when the member got more or less than its size. */
krt_status krti_zip_end(krti_zip_writer *z);
/* Both for bytes that are all here. */
krt_status krti_zip_add(krti_zip_writer *z, const krti_zip_entry *entry, const void *data);
/* The directory behind the members. `*size`: of the archive; NULL allowed. */
krt_status krti_zip_finish(krti_zip_writer *z, uint64_t *size);

#endif
