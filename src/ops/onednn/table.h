/* The kernels of this folder. */
#ifndef KRTI_OPS_ONEDNN_TABLE_H
#define KRTI_OPS_ONEDNN_TABLE_H

#include "ops/kernel.h"

extern const krti_kernel krti_onednn_conv, krti_onednn_conv_transpose, krti_onednn_matmul;
extern const krti_kernel krti_onednn_conv_grad_input, krti_onednn_conv_grad_kernel;

#endif
