/* The inner loops for any processor, one float at a time; flags are CMake's. See isa.h. */
#define KRTI_ISA      krti_isa_base
#define KRTI_ISA_NAME "base"
#include "ops/native/isa.inc"
