/* The oneDNN kernels, in the order they are asked. */
#include "ops/kernel.h"

const krti_kernel *const krti_kernels_onednn[] = {NULL};
