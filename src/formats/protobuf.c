/* Fields read one by one, and appended. See protobuf.h. */
#include "formats/protobuf.h"

#include "base/f16.h"

/* ------------------------------------------------------------------------------- reading */

krti_pb krti_pb_open(const void *data, size_t size)
{
    const unsigned char *p = data;

    return (krti_pb){.p = p, .end = size > 0 ? p + size : p};
}

krti_pb krti_pb_inner(const krti_pb_field *f)
{
    return krti_pb_open(f->data, f->size);
}

bool krti_varint_read(const unsigned char **p, const unsigned char *end, uint64_t *value)
{
    uint64_t v = 0;

    for (unsigned shift = 0; *p < end && shift < 70; shift += 7) {
        const unsigned char byte = *(*p)++;

        if (shift == 63 && byte > 1)
            return false;
        v |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80) {
            *value = v;
            return true;
        }
    }
    return false;
}

static bool read_bytes(krti_pb *r, krti_pb_field *f)
{
    uint64_t size = 0;

    if (!krti_varint_read(&r->p, r->end, &size) || size > (uint64_t)(r->end - r->p))
        return false;
    f->data = r->p;
    f->size = (size_t)size;
    r->p += size;
    return true;
}

static bool read_fixed(krti_pb *r, krti_pb_field *f, size_t size)
{
    if ((size_t)(r->end - r->p) < size)
        return false;
    f->value = size == 4 ? krti_le32(r->p) : krti_le64(r->p);
    r->p += size;
    return true;
}

static bool read_field(krti_pb *r, krti_pb_field *f)
{
    uint64_t tag = 0;

    *f = (krti_pb_field){0};
    if (!krti_varint_read(&r->p, r->end, &tag) || tag >> 3 == 0 || tag >> 3 > UINT32_MAX >> 3)
        return false;
    f->number = (uint32_t)(tag >> 3);
    f->type = (krti_pb_type)(tag & 7);
    switch (f->type) {
    case KRTI_PB_VARINT:
        return krti_varint_read(&r->p, r->end, &f->value);
    case KRTI_PB_FIXED64:
        return read_fixed(r, f, 8);
    case KRTI_PB_FIXED32:
        return read_fixed(r, f, 4);
    case KRTI_PB_BYTES:
        return read_bytes(r, f);
    default: /* groups, which proto3 does not have */
        return false;
    }
}

bool krti_pb_next(krti_pb *r, krti_pb_field *f)
{
    if (r->is_bad || r->p == r->end)
        return false;
    r->is_bad = !read_field(r, f);
    return !r->is_bad;
}

bool krti_pb_is(const krti_pb_field *f, uint32_t number, krti_pb_type type)
{
    return f->number == number && f->type == type;
}

/* ------------------------------------------------------------------------------- writing */

static void put_little(krti_str *s, uint64_t value, size_t n)
{
    char bytes[8];

    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(value >> (8 * i) & 0xFF);
    krti_str_add_n(s, bytes, n);
}

void krti_varint_put(krti_str *s, uint64_t value)
{
    char bytes[10];
    size_t n = 0;

    for (; value >= 0x80; value >>= 7)
        bytes[n++] = (char)((value & 0x7F) | 0x80);
    bytes[n++] = (char)value;
    krti_str_add_n(s, bytes, n);
}

void krti_fixed32_put(krti_str *s, uint32_t value)
{
    put_little(s, value, 4);
}

void krti_fixed64_put(krti_str *s, uint64_t value)
{
    put_little(s, value, 8);
}

static void put_tag(krti_str *s, uint32_t number, krti_pb_type type)
{
    krti_varint_put(s, (uint64_t)number << 3 | (uint64_t)type);
}

void krti_pb_put_number(krti_str *s, uint32_t number, uint64_t value)
{
    if (value == 0)
        return;
    put_tag(s, number, KRTI_PB_VARINT);
    krti_varint_put(s, value);
}

void krti_pb_put_fixed32(krti_str *s, uint32_t number, uint32_t value)
{
    if (value == 0)
        return;
    put_tag(s, number, KRTI_PB_FIXED32);
    krti_fixed32_put(s, value);
}

void krti_pb_put_double(krti_str *s, uint32_t number, double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    if (bits == 0)
        return;
    put_tag(s, number, KRTI_PB_FIXED64);
    krti_fixed64_put(s, bits);
}

void krti_pb_put_bytes(krti_str *s, uint32_t number, const void *data, size_t size)
{
    put_tag(s, number, KRTI_PB_BYTES);
    krti_varint_put(s, size);
    krti_str_add_n(s, data, size);
}

void krti_pb_put_text(krti_str *s, uint32_t number, const char *text)
{
    if (text != NULL && text[0] != '\0')
        krti_pb_put_bytes(s, number, text, strlen(text));
}

void krti_pb_put_message(krti_str *s, uint32_t number, const krti_str *message)
{
    krti_pb_put_bytes(s, number, krti_str_text(message), message->length);
    if (message->status != KRT_OK && s->status == KRT_OK)
        s->status = message->status;
}
