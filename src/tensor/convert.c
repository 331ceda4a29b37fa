/* krti_convert(): elements of one dtype into another, as NumPy's astype.
 *
 * Every pair goes through the widest of its kind: floats through double, integers through int64
 * (uint64 through itself), a few hundred elements at a time, so that 13 loaders and 13 storers make
 * 169 conversions. The pairs that whole models and images go through have loops of their own.
 * Elements are moved with memcpy(), which costs nothing and asks for no alignment. */
#include "tensor/tensor.h"

#include "base/f16.h"

enum { CHUNK = 256 };

typedef union chunk {
    double real[CHUNK];
    int64_t integer[CHUNK];
    uint64_t natural[CHUNK];
} chunk;

typedef void (*mover)(void *dst, const void *src, size_t n);

#define MOVER(name, D, S, expression)                               \
    static void name(void *dst, const void *src, size_t n)          \
    {                                                               \
        for (size_t i = 0; i < n; i++) {                            \
            S s;                                                    \
            memcpy(&s, (const char *)src + i * sizeof s, sizeof s); \
            const D d = (expression);                               \
            memcpy((char *)dst + i * sizeof d, &d, sizeof d);       \
        }                                                           \
    }

/* A double as an integer: towards zero; what no int64 or uint64 holds, NaN too, is INT64_MIN, and
 * narrower integers keep the low bits, as on most machines. C itself leaves all that undefined. */
static int64_t truncated(double v)
{
    if (v >= -9223372036854775808.0 && v < 9223372036854775808.0)
        return (int64_t)v;
    if (v >= 9223372036854775808.0 && v < 18446744073709551616.0)
        return (int64_t)(uint64_t)v;
    return INT64_MIN;
}

/* The float next to v with an odd last bit unless v is a float: rounding that once more, to a
 * half, is as good as rounding v itself. */
static float odd_float(double v)
{
    float f = (float)v;
    uint32_t bits = krti_bits_from_f32(f);

    if (!(fabs(v) < 65536.0) || (double)f == v || (bits & 1u) != 0)
        return f;
    bits = fabs((double)f) > fabs(v) ? bits - 1 : bits + 1;
    return krti_f32_from_bits(bits);
}

/* clang-format off */
MOVER(f32_to_f64, double, float, (double)s)
MOVER(f16_to_f64, double, uint16_t, (double)krti_f32_from_f16(s))
MOVER(bf16_to_f64, double, uint16_t, (double)krti_f32_from_bf16(s))
MOVER(f64_to_f32, float, double, (float)s)
MOVER(f64_to_f16, uint16_t, double, krti_f16_from_f32(odd_float(s)))
MOVER(f64_to_bf16, uint16_t, double, krti_bf16_from_f32((float)s))
MOVER(f64_to_i64, int64_t, double, truncated(s))
MOVER(f64_to_bool, uint8_t, double, s != 0)

MOVER(i8_to_i64, int64_t, int8_t, s)
MOVER(i16_to_i64, int64_t, int16_t, s)
MOVER(i32_to_i64, int64_t, int32_t, s)
MOVER(u8_to_i64, int64_t, uint8_t, s)
MOVER(u16_to_i64, int64_t, uint16_t, s)
MOVER(u32_to_i64, int64_t, uint32_t, s)
MOVER(i64_to_8, uint8_t, uint64_t, (uint8_t)s)
MOVER(i64_to_16, uint16_t, uint64_t, (uint16_t)s)
MOVER(i64_to_32, uint32_t, uint64_t, (uint32_t)s)
MOVER(i64_to_bool, uint8_t, uint64_t, s != 0)
MOVER(i64_to_f32, float, int64_t, (float)s)
MOVER(i64_to_f64, double, int64_t, (double)s)
MOVER(i64_to_f16, uint16_t, int64_t, krti_f16_from_f32((float)s))
MOVER(i64_to_bf16, uint16_t, int64_t, krti_bf16_from_f32((float)s))
MOVER(u64_to_f32, float, uint64_t, (float)s)
MOVER(u64_to_f64, double, uint64_t, (double)s)
MOVER(u64_to_f16, uint16_t, uint64_t, krti_f16_from_f32((float)s))
MOVER(u64_to_bf16, uint16_t, uint64_t, krti_bf16_from_f32((float)s))

MOVER(f16_to_f32, float, uint16_t, krti_f32_from_f16(s))
MOVER(bf16_to_f32, float, uint16_t, krti_f32_from_bf16(s))
MOVER(f32_to_f16, uint16_t, float, krti_f16_from_f32(s))
MOVER(f32_to_bf16, uint16_t, float, krti_bf16_from_f32(s))
MOVER(u8_to_f32, float, uint8_t, (float)s)
MOVER(i32_to_f32, float, int32_t, (float)s)
/* clang-format on */

static void copy_8(void *dst, const void *src, size_t n)
{
    memcpy(dst, src, n * 8);
}

/* Into double, int64 or uint64, whichever holds the dtype. */
static const mover loaders[] = {
    [KRT_FLOAT32] = f32_to_f64,   [KRT_FLOAT64] = copy_8,    [KRT_FLOAT16] = f16_to_f64,
    [KRT_BFLOAT16] = bf16_to_f64, [KRT_INT8] = i8_to_i64,    [KRT_INT16] = i16_to_i64,
    [KRT_INT32] = i32_to_i64,     [KRT_INT64] = copy_8,      [KRT_UINT8] = u8_to_i64,
    [KRT_UINT16] = u16_to_i64,    [KRT_UINT32] = u32_to_i64, [KRT_UINT64] = copy_8,
    [KRT_BOOL] = u8_to_i64,
};

/* Out of int64; for integers out of uint64 as well, the bits being the same. */
static const mover integer_storers[] = {
    [KRT_FLOAT32] = i64_to_f32,   [KRT_FLOAT64] = i64_to_f64, [KRT_FLOAT16] = i64_to_f16,
    [KRT_BFLOAT16] = i64_to_bf16, [KRT_INT8] = i64_to_8,      [KRT_INT16] = i64_to_16,
    [KRT_INT32] = i64_to_32,      [KRT_INT64] = copy_8,       [KRT_UINT8] = i64_to_8,
    [KRT_UINT16] = i64_to_16,     [KRT_UINT32] = i64_to_32,   [KRT_UINT64] = copy_8,
    [KRT_BOOL] = i64_to_bool,
};

static const mover float_storers_of_uint64[] = {
    [KRT_FLOAT32] = u64_to_f32,
    [KRT_FLOAT64] = u64_to_f64,
    [KRT_FLOAT16] = u64_to_f16,
    [KRT_BFLOAT16] = u64_to_bf16,
};

/* Out of double; integers other than bool take the step through int64. */
static const mover real_storers[] = {
    [KRT_FLOAT32] = f64_to_f32,   [KRT_FLOAT64] = copy_8,   [KRT_FLOAT16] = f64_to_f16,
    [KRT_BFLOAT16] = f64_to_bf16, [KRT_BOOL] = f64_to_bool,
};

static mover direct_mover(krt_dtype to, krt_dtype from)
{
    static const struct {
        krt_dtype from, to;
        mover move;
    } pairs[] = {
        {KRT_FLOAT16, KRT_FLOAT32, f16_to_f32}, {KRT_BFLOAT16, KRT_FLOAT32, bf16_to_f32},
        {KRT_FLOAT32, KRT_FLOAT16, f32_to_f16}, {KRT_FLOAT32, KRT_BFLOAT16, f32_to_bf16},
        {KRT_FLOAT64, KRT_FLOAT32, f64_to_f32}, {KRT_FLOAT32, KRT_FLOAT64, f32_to_f64},
        {KRT_UINT8, KRT_FLOAT32, u8_to_f32},    {KRT_INT32, KRT_FLOAT32, i32_to_f32},
        {KRT_INT64, KRT_FLOAT32, i64_to_f32},   {KRT_INT32, KRT_INT64, i32_to_i64},
        {KRT_INT64, KRT_INT32, i64_to_32},
    };

    for (size_t i = 0; i < KRTI_COUNT(pairs); i++)
        if (pairs[i].from == from && pairs[i].to == to)
            return pairs[i].move;
    return NULL;
}

static void store(void *dst, krt_dtype to, chunk *c, krt_dtype from, size_t n)
{
    if (krti_dtype_is_float(from) && (krti_dtype_is_float(to) || to == KRT_BOOL)) {
        real_storers[to](dst, c->real, n);
        return;
    }
    if (krti_dtype_is_float(from))
        f64_to_i64(c->integer, c->real, n);
    if (from == KRT_UINT64 && krti_dtype_is_float(to))
        float_storers_of_uint64[to](dst, c->natural, n);
    else
        integer_storers[to](dst, c->integer, n);
}

void krti_convert(void *dst, krt_dtype to, const void *src, krt_dtype from, size_t n)
{
    const size_t to_size = krt_dtype_size(to), from_size = krt_dtype_size(from);
    const mover direct = direct_mover(to, from);
    chunk c;

    KRTI_ASSERT(to_size != 0 && from_size != 0);
    if (n == 0)
        return;
    if (to == from) {
        memmove(dst, src, n * to_size);
        return;
    }
    if (direct != NULL) {
        direct(dst, src, n);
        return;
    }
    for (size_t done = 0; done < n; done += CHUNK) {
        const size_t some = n - done < CHUNK ? n - done : CHUNK;

        loaders[from](&c, (const char *)src + done * from_size, some);
        store((char *)dst + done * to_size, to, &c, from, some);
    }
}
