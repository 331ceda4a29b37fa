/* The inner loops for AVX-512; flags are CMake's. See isa.h. */
#define KRTI_ISA      krti_isa_avx512
#define KRTI_ISA_NAME "avx512"
#include "ops/native/isa.inc"
