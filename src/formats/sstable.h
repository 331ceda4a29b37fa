/* Sorted string tables: LevelDB's file of keys and values, as TensorFlow keeps the index of a checkpoint.
 *
 * A table is read whole, into one sorted array: an index holds a few bytes a variable. Every block's
 * checksum is compared. TensorFlow: lib/io/table*.cc. Page: docs/formats/tf_checkpoint.md. */
#ifndef KRTI_FORMATS_SSTABLE_H
#define KRTI_FORMATS_SSTABLE_H

#include "base/fs.h"

/* Keys may hold any byte; each has a zero behind it. Values lie in the file, or in a block that was
 * uncompressed. */
typedef struct krti_sstable_entry {
    const char *key;
    size_t key_size;
    const unsigned char *value;
    size_t value_size;
} krti_sstable_entry;

typedef struct krti_sstable krti_sstable;

bool krti_sstable_detect(const krti_bytes *bytes);

/* Keeps a use of `bytes`. Fails, in TensorFlow's words: E_FORMAT "not an sstable (bad magic number)",
 * E_CORRUPT, E_UNSAFE (keys that would take far more memory than the file), E_UNSUPPORTED (Snappy blocks
 * in a build without libsnappy). */
krt_status krti_sstable_read(krt_ctx *k, krti_sstable **out, krti_bytes *bytes);
void krti_sstable_free(krti_sstable *t); /* NULL allowed */

size_t krti_sstable_num(const krti_sstable *t);
const krti_sstable_entry *krti_sstable_at(const krti_sstable *t, size_t i);
/* By binary search; NULL when there is none. */
const krti_sstable_entry *krti_sstable_find(const krti_sstable *t, const void *key, size_t size);
/* Unsigned bytes, a prefix first: the order of a table. */
int krti_sstable_compare(const void *a, size_t a_size, const void *b, size_t b_size);

/* Puts a whole table into an empty text, as TensorFlow writes it (raw blocks). The entries are sorted
 * already, no key twice. */
krt_status krti_sstable_put(krti_str *s, const krti_sstable_entry *entries, size_t n);

#endif
