/* TFRecord: the framing of TensorBoard's event files. A record is its length, the masked CRC-32C of
 * the length, the data, the masked CRC-32C of the data. TensorFlow: lib/io/record_writer.h. */
#ifndef KRTI_FORMATS_TFRECORD_H
#define KRTI_FORMATS_TFRECORD_H

#include "base/str.h"

enum { KRTI_TFRECORD_HEADER = 12, KRTI_TFRECORD_FOOTER = 4 };

/* Appends one record; the caller appends the text to its file. */
krt_status krti_tfrecord_put(krti_str *s, const void *data, size_t size);

#endif
