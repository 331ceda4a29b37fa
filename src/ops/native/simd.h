/* Vectors of floats, as wide as the file that includes this is compiled for: AVX-512, AVX2, or one
 * float at a time. Included by isa_*.c only, through the *.inc files; see isa.h. */
#ifndef KRTI_OPS_NATIVE_SIMD_H
#define KRTI_OPS_NATIVE_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Subnormal numbers cost a hundred times as much as others and mean nothing here: inside the inner
 * loops they count as zero, as in the runtimes of Keras's backends. The caller's mode comes back. */
#if defined(__SSE__)
#include <xmmintrin.h>
typedef unsigned v_mode;
static inline v_mode v_flush_begin(void)
{
    const unsigned mode = _mm_getcsr();

    _mm_setcsr(mode | 0x8040u); /* flush to zero, denormals are zero */
    return mode;
}
static inline void v_flush_end(v_mode mode)
{
    _mm_setcsr(mode);
}
#else
typedef int v_mode;
static inline v_mode v_flush_begin(void)
{
    return 0;
}
static inline void v_flush_end(v_mode mode)
{
    (void)mode;
}
#endif

#if defined(__AVX512F__)

#include <immintrin.h>
enum { VL = 16, V_REGISTERS = 32 };
typedef __m512 vf;
#define v_set1(x)               _mm512_set1_ps(x)
#define v_load(p)               _mm512_loadu_ps(p)
#define v_store(p, v)           _mm512_storeu_ps(p, v)
#define v_fma(a, b, c)          _mm512_fmadd_ps(a, b, c)
#define v_add(a, b)             _mm512_add_ps(a, b)
#define v_sub(a, b)             _mm512_sub_ps(a, b)
#define v_mul(a, b)             _mm512_mul_ps(a, b)
#define v_div(a, b)             _mm512_div_ps(a, b)
#define v_max(a, b)             _mm512_max_ps(a, b)
#define v_min(a, b)             _mm512_min_ps(a, b)
#define v_sqrt(a)               _mm512_sqrt_ps(a)
#define v_round(a)              _mm512_roundscale_ps(a, 8)
#define v_abs(a)                _mm512_abs_ps(a)
#define v_select_gt(a, b, t, f) _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GT_OQ), f, t)
#define v_select_ge(a, b, t, f) _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_GE_OQ), f, t)
#define v_select_eq(a, b, t, f) _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), f, t)
#define v_floor(a)              _mm512_roundscale_ps(a, 9)
static inline vf v_load_n(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
}
static inline void v_store_n(float *p, vf v, size_t n)
{
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), v);
}
/* x * 2^n for integral n in [-126, 127] */
static inline vf v_scale2(vf x, vf n)
{
    return _mm512_scalef_ps(x, n);
}
/* x = m * 2^e with m in [1, 2), for normal positive x */
static inline vf v_split(vf x, vf *e)
{
    *e = _mm512_getexp_ps(x);
    return _mm512_getmant_ps(x, _MM_MANT_NORM_1_2, _MM_MANT_SIGN_src);
}
static inline float v_sum(vf v)
{
    return _mm512_reduce_add_ps(v);
}
/* 1 / x for finite normal x: an estimate of 14 bits and one step of Newton's */
static inline vf v_reciprocal(vf x)
{
    const vf r = _mm512_rcp14_ps(x);

    return v_mul(r, _mm512_fnmadd_ps(x, r, v_set1(2.0f)));
}

#elif defined(__AVX2__) && defined(__FMA__)

#include <immintrin.h>
enum { VL = 8, V_REGISTERS = 16 };
typedef __m256 vf;
#define v_set1(x)               _mm256_set1_ps(x)
#define v_load(p)               _mm256_loadu_ps(p)
#define v_store(p, v)           _mm256_storeu_ps(p, v)
#define v_fma(a, b, c)          _mm256_fmadd_ps(a, b, c)
#define v_add(a, b)             _mm256_add_ps(a, b)
#define v_sub(a, b)             _mm256_sub_ps(a, b)
#define v_mul(a, b)             _mm256_mul_ps(a, b)
#define v_div(a, b)             _mm256_div_ps(a, b)
#define v_max(a, b)             _mm256_max_ps(a, b)
#define v_min(a, b)             _mm256_min_ps(a, b)
#define v_sqrt(a)               _mm256_sqrt_ps(a)
#define v_round(a)              _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define v_abs(a)                _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a)
#define v_select_gt(a, b, t, f) _mm256_blendv_ps(f, t, _mm256_cmp_ps(a, b, _CMP_GT_OQ))
#define v_select_ge(a, b, t, f) _mm256_blendv_ps(f, t, _mm256_cmp_ps(a, b, _CMP_GE_OQ))
#define v_select_eq(a, b, t, f) _mm256_blendv_ps(f, t, _mm256_cmp_ps(a, b, _CMP_EQ_OQ))
#define v_floor(a)              _mm256_round_ps(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)
static inline __m256i v_mask(size_t n)
{
    static const int32_t bits[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};

    return _mm256_loadu_si256((const __m256i *)(const void *)(bits + 8 - n));
}
static inline vf v_load_n(const float *p, size_t n)
{
    return _mm256_maskload_ps(p, v_mask(n));
}
static inline void v_store_n(float *p, vf v, size_t n)
{
    _mm256_maskstore_ps(p, v_mask(n), v);
}
static inline vf v_scale2(vf x, vf n)
{
    const __m256i e = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));

    return _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(e, 23)));
}
static inline vf v_split(vf x, vf *e)
{
    const __m256i bits = _mm256_castps_si256(x);

    *e = _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_srli_epi32(bits, 23), _mm256_set1_epi32(127)));
    return _mm256_castsi256_ps(_mm256_or_si256(_mm256_and_si256(bits, _mm256_set1_epi32(0x7FFFFF)),
                                               _mm256_set1_epi32(0x3F800000)));
}
static inline float v_sum(vf v)
{
    const __m128 h = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 q = _mm_add_ps(h, _mm_movehl_ps(h, h));

    return _mm_cvtss_f32(_mm_add_ss(q, _mm_shuffle_ps(q, q, 1)));
}
static inline vf v_reciprocal(vf x)
{
    return v_div(v_set1(1.0f), x);
}

#else

enum { VL = 1, V_REGISTERS = 16 };
typedef float vf;
#define v_set1(x)               (x)
#define v_load(p)               (*(p))
#define v_store(p, v)           (*(p) = (v))
#define v_fma(a, b, c)          ((a) * (b) + (c))
#define v_add(a, b)             ((a) + (b))
#define v_sub(a, b)             ((a) - (b))
#define v_mul(a, b)             ((a) * (b))
#define v_div(a, b)             ((a) / (b))
#define v_max(a, b)             ((a) > (b) ? (a) : (b))
#define v_min(a, b)             ((a) < (b) ? (a) : (b))
#define v_sqrt(a)               sqrtf(a)
#define v_round(a)              nearbyintf(a)
#define v_abs(a)                fabsf(a)
#define v_select_gt(a, b, t, f) ((a) > (b) ? (t) : (f))
#define v_select_ge(a, b, t, f) ((a) >= (b) ? (t) : (f))
#define v_select_eq(a, b, t, f) ((a) == (b) ? (t) : (f))
#define v_floor(a)              floorf(a)
static inline vf v_load_n(const float *p, size_t n)
{
    return n > 0 ? *p : 0;
}
static inline void v_store_n(float *p, vf v, size_t n)
{
    if (n > 0)
        *p = v;
}
static inline vf v_scale2(vf x, vf n)
{
    return ldexpf(x, (int)n);
}
static inline vf v_split(vf x, vf *e)
{
    int exponent = 0;
    const vf m = frexpf(x, &exponent);

    *e = (vf)(exponent - 1);
    return 2 * m;
}
static inline float v_sum(vf v)
{
    return v;
}
static inline vf v_reciprocal(vf x)
{
    return 1.0f / x;
}

#endif

#endif
