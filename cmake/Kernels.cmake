# The inner loops of src/ops/native, and a digest's, are compiled once for each instruction set, with
# flags of its own; which one runs is decided by the processor at run time (isa.c, digest.c).
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set_source_files_properties(src/ops/native/isa_avx2.c PROPERTIES
    COMPILE_OPTIONS "-mavx2;-mfma")
  set_source_files_properties(src/ops/native/isa_avx512.c PROPERTIES
    COMPILE_OPTIONS "-mavx2;-mfma;-mavx512f;-mavx512vl;-mavx512dq;-mprefer-vector-width=512")
  set_source_files_properties(src/ops/native/isa_base.c PROPERTIES # for processors before 2013
    COMPILE_OPTIONS "$<$<CONFIG:Release>:-O2>")
  if(KERATIN_FUZZ) # no parsing here, and clang would spend minutes on the unrolled loops
    set_property(SOURCE src/ops/native/isa_avx2.c src/ops/native/isa_avx512.c
                 APPEND PROPERTY COMPILE_OPTIONS "-fno-sanitize=all")
  endif()
  set_property(SOURCE src/base/digest_avx2.c APPEND PROPERTY COMPILE_OPTIONS "-mavx2")
  target_compile_definitions(keratin_dependencies INTERFACE KERATIN_HAVE_X86_ISAS=1)
else()
  list(FILTER KERATIN_SOURCES EXCLUDE REGEX "/(ops/native/isa|base/digest)_avx[0-9]*\\.c$")
endif()
