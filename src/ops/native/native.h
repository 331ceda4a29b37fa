/* What the native kernels share: the fused tail in the form of isa.h, and splitting work. */
#ifndef KRTI_OPS_NATIVE_NATIVE_H
#define KRTI_OPS_NATIVE_NATIVE_H

#include "base/fs.h"
#include "base/tasks.h"
#include "ops/kernel.h"
#include "ops/native/isa.h"

/* The vector form of a fused activation; false where there is none. */
bool krti_native_act(krti_activation f, krti_act *out);

/* Whether in[i] exists. */
static inline bool krti_has_input(const krti_node *n, int i)
{
    return i < n->num_in && n->in[i] != NULL;
}
/* A float32 input of a step, NULL when absent. */
static inline const float *krti_input_ptr(const krti_step *s, void *const *ptr, int i)
{
    return i < s->num_in && s->in[i] >= 0 ? ptr[s->in[i]] : NULL;
}
static inline int krti_smaller(int a, int b)
{
    return a < b ? a : b;
}
static inline size_t krti_smaller_size(size_t a, size_t b)
{
    return a < b ? a : b;
}
/* Everything is float32 and nothing is empty. */
bool krti_all_float(const krti_node *n);
size_t krti_size(krt_shape shape);
/* How many threads `work` floating-point operations are worth, at most the step's. */
int krti_share(const krti_step *s, double work);

/* conv.c: of depth, height or width; the axes that a window has not are 1 long. */
enum { KRTI_DEPTH = -1, KRTI_HEIGHT, KRTI_WIDTH };
int krti_native_axis(const krti_window *w, const int64_t *list, int i, int fallback);
int krti_native_dim(krt_shape s, int i);

/* native.c: for kernels whose state is one block. */
void krti_native_release(krt_ctx *k, krti_step *s);

/* conv.c: the job of a convolution, of its first group, without the run's pointers. */
void krti_native_describe(krti_conv_job *c, const krti_node *n);
bool krti_native_window(const krti_node *n); /* whether it is one */
/* Moves a job from the first group to another; weights: floats from one group's to the next. */
void krti_native_to_group(krti_conv_job *c, int group, size_t weights);
int krti_native_groups(const krti_node *n);
krti_depthwise_job krti_native_describe_depthwise(const krti_node *n);

/* conv_grad.c: one axis of a class of the input's pixels, those `at` beyond a multiple of the step,
 * which meet the same taps: first + j * step. */
typedef struct krti_class_axis {
    int pixels, first, taps, pad;
} krti_class_axis;
krti_class_axis krti_native_class(const krti_node *n, int axis, int at);
enum { KRTI_MAX_CLASSES = 27 };

/* --- weights (pack.c) ------------------------------------------------------------------------ */
/* An input in a form of the kernel's own. What is known before the run is packed once and its slot
 * taken away; else, and where the form is larger and soon made, each run packs it into the first bytes of
 * its scratch. */
typedef struct krti_packing {
    int input;
    bool each_run;
    size_t size_bytes;
    void (*fill)(void *dst, const void *src, void *user);
    void *user; /* must outlive the step */
    const void *packed;
    size_t scratch_bytes; /* what other scratch stands behind */
} krti_packing;
/* Adds to s->scratch_bytes; to be called before any other scratch is. */
krt_status krti_native_pack(krti_build *b, krti_step *s, krti_packing *p, const char *key);
const float *krti_native_packed(const krti_packing *p, const krti_step *s, void *const *ptr,
                                void *scratch);

/* A matrix cut into panels of `panel` columns, row-major inside, the last one rounded up to whole
 * vectors. Its rows are `inner` for each tap; element (i, j) of tap t lies at
 * taps[t] + i * row_step + j * column_step of the source. The matrices of groups follow each other,
 * each group_step further on in the source. */
typedef struct krti_panels {
    size_t inner, n, row_step, column_step;
    size_t num_groups, group_step;
    size_t num_taps;
    const size_t *taps;
    int panel, vector;
    int threads; /* that may fill them; 0: one */
} krti_panels;
/* Of a plain (k, n) matrix, as wide as the instruction set's. */
krti_panels krti_native_panels(size_t k, size_t n, const krti_isa *isa);
size_t krti_native_panels_size(const krti_panels *f); /* floats of one group */
/* conv.c: makes a job narrow where that pays, and the form of its weights with it. */
void krti_native_narrow(krti_conv_job *c, krti_panels *f, const krti_isa *isa);
void krti_native_fill_panels(void *dst, const void *src, void *user);
/* One tap at 0; `panels` must outlive the step. */
krt_status krti_native_pack_panels(krti_build *b, krti_step *s, int input, krti_panels *panels,
                                   krti_packing *out);

extern const krti_kernel krti_native_expand, krti_native_fused;
extern const krti_kernel krti_native_winograd, krti_native_winograd_grad;
extern const krti_kernel krti_native_conv_grad_input, krti_native_conv_grad_kernel;
extern const krti_kernel krti_native_conv_transpose;
extern const krti_kernel krti_native_depthwise_grad_input, krti_native_depthwise_grad_kernel;
extern const krti_kernel krti_native_matmul_outer;
extern const krti_kernel krti_native_moments, krti_native_norm_sums;
extern const krti_kernel krti_native_max_pool_grad, krti_native_avg_pool_grad;
extern const krti_kernel krti_native_conv, krti_native_depthwise, krti_native_matmul;
extern const krti_kernel krti_native_layer_norm_grad, krti_native_random[4];
extern const krti_kernel krti_native_scale_shift, krti_native_softmax, krti_native_layer_norm;
extern const krti_kernel krti_native_mean, krti_native_sum, krti_native_max;
extern const krti_kernel krti_native_max_pool, krti_native_avg_pool;
extern const krti_kernel krti_native_concat, krti_native_pad, krti_native_transpose;
extern const krti_kernel krti_native_repeat;
extern const krti_kernel krti_native_rnn, krti_native_rnn_grad;
extern const krti_kernel krti_native_unary[], krti_native_binary[]; /* ended by op NULL */

#endif
