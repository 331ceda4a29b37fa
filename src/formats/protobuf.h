/* Protocol Buffers on the wire: reading fields one after the other, and appending them.
 *
 * The messages are small, known and from files, so a reader walks over the bytes and allocates nothing.
 * protobuf-c was measured and left out: it makes structs of 57 times the size of a hostile message, and
 * ends strings at their first zero byte. Wire format: protobuf.dev/programming-guides/encoding. */
#ifndef KRTI_FORMATS_PROTOBUF_H
#define KRTI_FORMATS_PROTOBUF_H

#include "base/str.h"

typedef enum krti_pb_type {
    KRTI_PB_VARINT = 0,
    KRTI_PB_FIXED64 = 1,
    KRTI_PB_BYTES = 2, /* strings, messages, packed numbers */
    KRTI_PB_FIXED32 = 5
} krti_pb_type;

/* A message being read. */
typedef struct krti_pb {
    const unsigned char *p, *end;
    bool is_bad; /* the bytes are no message: seen when krti_pb_next() gives false */
} krti_pb;

typedef struct krti_pb_field {
    uint32_t number;
    krti_pb_type type;
    uint64_t value;            /* of a number */
    const unsigned char *data; /* of bytes; inside the message */
    size_t size;
} krti_pb_field;

krti_pb krti_pb_open(const void *data, size_t size);
/* The message in a field. */
krti_pb krti_pb_inner(const krti_pb_field *f);
/* The next field; false at the end, and where the message is damaged. Unknown fields are given too:
 * whoever does not know them goes on. */
bool krti_pb_next(krti_pb *r, krti_pb_field *f);
/* Whether a field has this number and this type; one of a wrong type is as good as unknown. */
bool krti_pb_is(const krti_pb_field *f, uint32_t number, krti_pb_type type);
/* LEB128, at most ten bytes; false when it does not end before `end`. */
bool krti_varint_read(const unsigned char **p, const unsigned char *end, uint64_t *value);

/* Appending. The krti_str keeps the first failure. A number that is zero and a text that is empty are
 * left out, as proto3 does; use the _always forms inside `repeated`. */
void krti_varint_put(krti_str *s, uint64_t value);
void krti_fixed32_put(krti_str *s, uint32_t value);
void krti_fixed64_put(krti_str *s, uint64_t value);
void krti_pb_put_number(krti_str *s, uint32_t number, uint64_t value);
void krti_pb_put_fixed32(krti_str *s, uint32_t number, uint32_t value);
void krti_pb_put_double(krti_str *s, uint32_t number, double value);
void krti_pb_put_text(krti_str *s, uint32_t number, const char *text);
/* Written even when empty: messages, elements of repeated fields. */
void krti_pb_put_bytes(krti_str *s, uint32_t number, const void *data, size_t size);
void krti_pb_put_message(krti_str *s, uint32_t number, const krti_str *message);

#endif
