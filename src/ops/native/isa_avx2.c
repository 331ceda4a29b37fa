/* The inner loops for AVX2 with FMA; flags are CMake's. See isa.h. */
#define KRTI_ISA      krti_isa_avx2
#define KRTI_ISA_NAME "avx2"
#include "ops/native/isa.inc"
