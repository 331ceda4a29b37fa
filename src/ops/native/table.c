/* The native kernels, in the order they are asked. */
#include "ops/native/native.h"

const krti_kernel *const krti_kernels_native[] = {
    &krti_native_expand,      &krti_native_fused,
    &krti_native_winograd,    &krti_native_depthwise,
    &krti_native_conv,        &krti_native_matmul,
    &krti_native_scale_shift, &krti_native_softmax,
    &krti_native_layer_norm,  &krti_native_mean,
    &krti_native_sum,         &krti_native_max,
    &krti_native_max_pool,    &krti_native_avg_pool,
    &krti_native_concat,      &krti_native_pad,
    &krti_native_transpose,   &krti_native_unary[0],
    &krti_native_unary[1],    &krti_native_unary[2],
    &krti_native_unary[3],    &krti_native_unary[4],
    &krti_native_unary[5],    &krti_native_unary[6],
    &krti_native_unary[7],    &krti_native_unary[8],
    &krti_native_unary[9],    &krti_native_unary[10],
    &krti_native_unary[11],   &krti_native_unary[12],
    &krti_native_unary[13],   &krti_native_unary[14],
    &krti_native_unary[15],   &krti_native_unary[16],
    &krti_native_unary[17],   &krti_native_unary[18],
    &krti_native_unary[19],   &krti_native_binary[0],
    &krti_native_binary[1],   &krti_native_binary[2],
    &krti_native_binary[3],   &krti_native_binary[4],
    &krti_native_binary[5],   NULL,
};
