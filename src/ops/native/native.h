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

/* native.c: for kernels whose state is one block. */
void krti_native_release(krt_ctx *k, krti_step *s);

/* conv.c: the job of a convolution of one or two spatial axes, without the run's pointers. */
void krti_native_describe(krti_conv_job *c, const krti_node *n);
bool krti_native_window(const krti_node *n); /* whether it is one */
krti_depthwise_job krti_native_describe_depthwise(const krti_node *n);

/* conv.c: packs in[1], (k, n) row major, into the panels of isa.h, and takes its slot away. */
krt_status krti_native_pack(krti_build *b, krti_step *s, size_t k, size_t n, const krti_isa *isa,
                            const void **out);
/* The same for another input, and panels of another width. */
typedef struct krti_panels {
    size_t k, n;
    int panel, vector;
} krti_panels;
krt_status krti_native_pack_panels(krti_build *b, krti_step *s, int input, krti_panels panels,
                                   const void **out);

extern const krti_kernel krti_native_expand, krti_native_fused;
extern const krti_kernel krti_native_winograd;
extern const krti_kernel krti_native_conv, krti_native_depthwise, krti_native_matmul;
extern const krti_kernel krti_native_scale_shift, krti_native_softmax, krti_native_layer_norm;
extern const krti_kernel krti_native_mean, krti_native_sum, krti_native_max;
extern const krti_kernel krti_native_max_pool, krti_native_avg_pool;
extern const krti_kernel krti_native_concat, krti_native_pad, krti_native_transpose;
extern const krti_kernel krti_native_unary[], krti_native_binary[]; /* ended by op NULL */

#endif
