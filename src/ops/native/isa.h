/* The instruction sets: one table of inner loops for each, chosen once at run time.
 *
 * Every isa_*.c compiles the same *.inc files with other compiler flags; the rest of the folder is
 * ordinary C that prepares steps, splits work between threads and calls through the table. */
#ifndef KRTI_OPS_NATIVE_ISA_H
#define KRTI_OPS_NATIVE_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The elementwise functions that have a vector form. */
typedef enum krti_fn {
    KRTI_FN_NONE = 0,
    KRTI_FN_RELU,   /* a: slope below 0, c: max; threshold 0 */
    KRTI_FN_CLIP,   /* a, b */
    KRTI_FN_AFFINE, /* a * x + b */
    KRTI_FN_SIGMOID,
    KRTI_FN_TANH,
    KRTI_FN_SILU,
    KRTI_FN_GELU,
    KRTI_FN_GELU_TANH,
    KRTI_FN_ELU, /* a */
    KRTI_FN_SELU,
    KRTI_FN_EXP,
    KRTI_FN_HARD_SIGMOID,
    KRTI_FN_HARD_SILU,
    KRTI_FN_SQRT,
    KRTI_FN_RSQRT,
    KRTI_FN_SQUARE,
    KRTI_FN_ABS,
    KRTI_FN_NEGATIVE,
    KRTI_FN_RECIPROCAL,
    KRTI_FN_SOFTSIGN,
    KRTI_FN_LOG,
    KRTI_FN_SIGN,
    KRTI_FN_FLOOR,
    KRTI_FN_ERF,
    KRTI_FN_HARD_SIGMOID_V2 /* of Keras 1 and 2 */
} krti_fn;

typedef struct krti_act {
    krti_fn fn;
    float a, b, c;
} krti_act;

/* What is cheap enough to sit in a kernel's store; the rest is applied to whole rows behind it. */
static inline bool krti_act_is_quick(krti_act act)
{
    return act.fn == KRTI_FN_NONE || act.fn == KRTI_FN_RELU;
}

typedef enum krti_binary_fn {
    KRTI_BIN_ADD,
    KRTI_BIN_SUB,
    KRTI_BIN_MUL,
    KRTI_BIN_DIV,
    KRTI_BIN_MAX,
    KRTI_BIN_MIN,
    KRTI_BIN_SQUARED_DIFFERENCE,
    KRTI_BIN_WHERE_ABOVE, /* a where b > 0, else 0 */
    KRTI_BIN_GREATER,     /* these give 1 or 0 */
    KRTI_BIN_GREATER_EQUAL,
    KRTI_BIN_EQUAL,
    KRTI_BIN_NOT_EQUAL
} krti_binary_fn;

/* One operation of a group (fused.c) between registers, which are arrays of floats. */
typedef enum krti_group_kind {
    KRTI_GROUP_FUNCTION,
    KRTI_GROUP_BINARY,
    KRTI_GROUP_SELECT,    /* in[0] != 0 ? in[1] : in[2] */
    KRTI_GROUP_RELU_GRAD, /* in[0] where 0 < in[1] < act.c, act.a in[0] below */
    KRTI_GROUP_OTHER      /* has no vector form: not for the inner loops */
} krti_group_kind;

typedef struct krti_group_op {
    krti_group_kind kind;
    krti_act act;
    krti_binary_fn binary;
    short out, in[3];
} krti_group_op;

typedef struct krti_group_register {
    float *at;
    size_t step; /* 1 walks; 0: one number for all, in at least 16 copies */
} krti_group_register;

/* A block of a product: y[r][j] = sum_k a[r][k] * b[k][j], b packed by panels of `panel` columns
 * (krti_isa.panel), k-major inside. rows of a are `lda` floats apart, of y `ldy`. */
typedef struct krti_gemm_job {
    const float *a;
    const float *b; /* panels for columns [0, n) */
    float *y;
    size_t m, n, k, lda, ldy;
    size_t ldb; /* gemv: distance of the rows of b, which is not packed */
    const float *bias;
    const float *residual; /* with the leading dimension of y */
    const float *ahead;    /* what this thread reads after b, probably; NULL: unknown */
    krti_act act;
} krti_gemm_job;

/* A convolution over channels-last volumes; see conv.inc. Images have a depth of 1. A group has the
 * channels and filters of a group only, with the pointers at the first of them. */
typedef struct krti_conv_job {
    const float *x,
        *w; /* w packed by panels: (panel, kd, kh, kw, in, columns), or see narrow.inc */
    float *y;
    const float *bias, *residual;
    krti_act act;
    int in_d, in_h, in_w, in_c, out_d, out_h, out_w, out_c;
    int kernel_d, kernel_h, kernel_w, stride_d, stride_h, stride_w;
    int dilation_d, dilation_h, dilation_w, pad_d, pad_h, pad_w;
    size_t x_pixel, y_image, y_plane, y_row, y_pixel; /* floats from one to the next */
    const float *zeros;                               /* in_c of them: what padding reads */
    const float *ahead; /* what this thread reads after w, probably; NULL: unknown */
    bool is_narrow;     /* w is by channels; all of them are one panel */
} krti_conv_job;

enum { KRTI_MAX_TAPS = 343 }; /* 7 x 7 x 7; larger kernels go elsewhere */

/* Sums of outer products over the pixels of an image; see outer.inc. */
typedef struct krti_outer_job {
    const float *x, *b;
    size_t x_row, x_pixel, ldb; /* floats from one to the next */
    int height, width;
    const int *offsets;       /* a row's place in x; KRTI_OUTER_SPARE more than rows may be read */
    size_t num_rows, columns; /* columns: of one panel */
    float *y;
    size_t ldy;
    bool is_first; /* y is written, not added to */
} krti_outer_job;

enum { KRTI_OUTER_SPARE = 16 };

/* A depthwise convolution, one filter a channel; w is (kh, kw, channels). It may be of some of the
 * channels only: then the pointers are at the first of them. */
typedef struct krti_depthwise_job {
    const float *x, *w, *bias, *residual;
    float *y;
    krti_act act;
    int in_h, in_w, out_h, out_w, channels;
    int step_x, step_y, step_w; /* from one pixel of x to the next; of y and the residual; of w */
    size_t row_y, image_y;      /* floats from one to the next */
    int kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w;
} krti_depthwise_job;

/* A pass over one sample's step of a recurrent cell of n units; see rnn.inc. */
typedef enum krti_rnn_pass {
    KRTI_RNN_ROW_LSTM,
    KRTI_RNN_ROW_GRU,
    KRTI_RNN_ROW_RESET,
    KRTI_RNN_ROW_GRU_END,
    KRTI_RNN_ROW_SIMPLE_BACK,
    KRTI_RNN_ROW_LSTM_BACK,
    KRTI_RNN_ROW_GRU_BACK,
    KRTI_RNN_ROW_RESET_BACK
} krti_rnn_pass;

typedef struct krti_rnn_row {
    krti_rnn_pass pass;
    krti_act act, gate;
    size_t n;
    const float *h, *c;      /* the states before */
    float *y, *gates, *kept; /* what the step gives and keeps */
    float *other, *dx, *dh, *dc;
} krti_rnn_row;

typedef struct krti_isa {
    const char *name;
    int vector; /* floats in a register */
    int panel;  /* columns of a packed panel */
    int rows;   /* rows a micro-kernel computes at once */
    int narrow; /* channels up to which a convolution is a narrow one */
    void (*activate)(float *y, const float *x, size_t n, krti_act act);
    /* step 0 reads one element for all, 1 walks */
    void (*binary)(float *y, const float *a, size_t step_a, const float *b, size_t step_b, size_t n,
                   krti_binary_fn fn);
    /* runs a group's operations over n elements of its registers */
    void (*group)(const krti_group_op *ops, int num_ops, const krti_group_register *registers,
                  size_t n);
    /* y = act(x * scale + shift + residual) over rows of n channels; residual may be NULL */
    void (*scale_shift)(float *y, const float *x, const float *scale, const float *shift,
                        const float *residual, size_t rows, size_t n, krti_act act);
    void (*gemm)(const krti_gemm_job *g); /* all of it, one thread */
    void (*outer)(const krti_outer_job *g);
    void (*gemv)(const krti_gemm_job *g); /* few rows; b (k, n) row major, not packed */
    /* plane: of all volumes' planes of y, out_d each */
    void (*conv_rows)(const krti_conv_job *c, int plane, int first_row, int last_row,
                      int first_panel, int last_panel);
    /* 3 x 3, step 1, weights transformed: see winograd.inc */
    void (*winograd)(const krti_conv_job *c, int image, int first_tile, int last_tile,
                     int first_panel, int last_panel, float *scratch);
    void (*winograd_weights)(float *y, size_t point, const float *g, size_t tap, size_t n);
    void (*depthwise_rows)(const krti_depthwise_job *d, int image, int first_row, int last_row);
    /* adds to the filter's gradient dw what these rows of dy, which is y, have to do with x */
    void (*depthwise_grad_rows)(const krti_depthwise_job *d, int image, int first_row, int last_row,
                                float *dw);
    void (*softmax_rows)(float *y, const float *x, size_t rows, size_t n);
    /* y[c] = sum over rows of x[row][c] (add) or the largest; y is written, not added to */
    void (*sum_rows)(float *y, const float *x, size_t rows, size_t n);
    void (*max_rows)(float *y, const float *x, size_t rows, size_t n);
    /* element by element over `count` rows of n channels: y = max or sum * factor */
    void (*pool_max)(float *y, const float *const *rows, size_t count, size_t n);
    /* hands dy to the first of the rows that holds y; `add`: to what dx holds */
    void (*pool_max_grad)(float *const *dx, const float *const *rows, size_t count, const float *y,
                          const float *dy, size_t n, bool add);
    /* sums over rows: of a and of a * (x - mean); a NULL: of x - mean and of its square */
    void (*norm_sums)(float *sum, float *moment, const float *a, const float *x, const float *mean,
                      size_t rows, size_t n);
    void (*pool_avg)(float *y, const float *const *rows, size_t count, size_t n, float factor);
    /* (x - mean) / sqrt(variance + epsilon) * gamma + beta over each row; gamma, beta may be NULL */
    void (*layer_norm)(float *y, const float *x, const float *gamma, const float *beta, size_t rows,
                       size_t n, float epsilon);
    /* dx of the same, and to dgamma and dbeta is added; gamma may be NULL */
    void (*layer_norm_grad)(float *dx, float *dgamma, float *dbeta, const float *dy, const float *x,
                            const float *gamma, size_t rows, size_t n, float epsilon);
    void (*rnn_row)(const krti_rnn_row *r);
    /* the words of base/rng.h's krti_random_bits() from `first` on */
    void (*random_bits)(uint32_t *y, const uint32_t key[2], uint64_t first, size_t n);
} krti_isa;

/* The best table for this processor. */
const krti_isa *krti_isa_get(void);

extern const krti_isa krti_isa_base, krti_isa_avx2, krti_isa_avx512;

#endif
