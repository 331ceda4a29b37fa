/* The oneDNN kernels, in the order they are asked. */
#include "ops/onednn/table.h"

const krti_kernel *const krti_kernels_onednn[] = {&krti_onednn_conv,
                                                  &krti_onednn_conv_transpose,
                                                  &krti_onednn_conv_grad_input,
                                                  &krti_onednn_conv_grad_kernel,
                                                  &krti_onednn_matmul,
                                                  NULL};
