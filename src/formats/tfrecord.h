/* TFRecord: the framing of TensorBoard's event files. A record is its length, the masked CRC-32C of
 * the length, the data, the masked CRC-32C of the data. TensorFlow: lib/io/record_writer.h. */
#ifndef KRTI_FORMATS_TFRECORD_H
#define KRTI_FORMATS_TFRECORD_H

#include "base/str.h"

enum { KRTI_TFRECORD_HEADER = 12, KRTI_TFRECORD_FOOTER = 4 };

/* Appends one record; the caller appends the text to its file. */
krt_status krti_tfrecord_put(krti_str *s, const void *data, size_t size);

/* The record at *at of a file's bytes, which is moved behind it. False at the end and where the rest
 * is not a whole record yet, as in a file that is still being written. *is_damaged: a checksum
 * disagrees. */
bool krti_tfrecord_next(const unsigned char *bytes, size_t size, size_t *at,
                        const unsigned char **data, size_t *data_size, bool *is_damaged);

#endif
