# Everything the library links, as one interface target. All come from the system's packages;
# oneDNN may be absent, the library is slower then (OpenMP is what oneDNN is told its number of
# threads by); without libsnappy one rare form of checkpoint is refused.
find_path(LIBDEFLATE_INCLUDE libdeflate.h)
find_library(LIBDEFLATE_LIBRARY deflate)
if(NOT LIBDEFLATE_INCLUDE OR NOT LIBDEFLATE_LIBRARY)
  message(FATAL_ERROR "libdeflate was not found. On Debian and Ubuntu: apt-get install libdeflate-dev")
endif()

find_path(XXHASH_INCLUDE xxhash.h) # the header alone: it is inlined
if(NOT XXHASH_INCLUDE)
  message(FATAL_ERROR "xxhash.h was not found. On Debian and Ubuntu: apt-get install libxxhash-dev")
endif()

add_library(keratin_dependencies INTERFACE)
target_include_directories(keratin_dependencies INTERFACE ${LIBDEFLATE_INCLUDE} ${XXHASH_INCLUDE})
target_link_libraries(keratin_dependencies INTERFACE ${LIBDEFLATE_LIBRARY} m)
set(KERATIN_PC_LIBS "-ldeflate -lm")

set(KERATIN_HAVE_OPENMP OFF)
if(KERATIN_OPENMP)
  find_package(OpenMP COMPONENTS C)
  if(OpenMP_C_FOUND)
    set(KERATIN_HAVE_OPENMP ON)
    target_link_libraries(keratin_dependencies INTERFACE OpenMP::OpenMP_C)
    set(KERATIN_PC_LIBS "${KERATIN_PC_LIBS} ${OpenMP_C_FLAGS}")
  endif()
endif()
if(NOT KERATIN_HAVE_OPENMP)
  message(STATUS "without OpenMP: oneDNN chooses its number of threads itself")
endif()

set(KERATIN_HAVE_ONEDNN OFF)
if(KERATIN_ONEDNN)
  find_path(ONEDNN_INCLUDE oneapi/dnnl/dnnl.h)
  find_library(ONEDNN_LIBRARY dnnl)
  if(ONEDNN_INCLUDE AND ONEDNN_LIBRARY)
    set(KERATIN_HAVE_ONEDNN ON)
    target_include_directories(keratin_dependencies INTERFACE ${ONEDNN_INCLUDE})
    target_link_libraries(keratin_dependencies INTERFACE ${ONEDNN_LIBRARY})
    target_compile_definitions(keratin_dependencies INTERFACE KERATIN_HAVE_ONEDNN=1)
    set(KERATIN_PC_LIBS "-ldnnl ${KERATIN_PC_LIBS}")
  endif()
endif()
if(NOT KERATIN_HAVE_ONEDNN)
  message(STATUS "without oneDNN: convolutions and products use the portable kernels")
endif()

# Blocks of a checkpoint's index may be compressed with it; TensorFlow itself never writes such a block.
set(KERATIN_HAVE_SNAPPY OFF)
if(KERATIN_SNAPPY)
  find_path(SNAPPY_INCLUDE snappy-c.h)
  find_library(SNAPPY_LIBRARY snappy)
  if(SNAPPY_INCLUDE AND SNAPPY_LIBRARY)
    set(KERATIN_HAVE_SNAPPY ON)
    target_include_directories(keratin_dependencies INTERFACE ${SNAPPY_INCLUDE})
    target_link_libraries(keratin_dependencies INTERFACE ${SNAPPY_LIBRARY})
    target_compile_definitions(keratin_dependencies INTERFACE KERATIN_HAVE_SNAPPY=1)
    set(KERATIN_PC_LIBS "-lsnappy ${KERATIN_PC_LIBS}")
  endif()
endif()
if(NOT KERATIN_HAVE_SNAPPY)
  message(STATUS "without libsnappy: checkpoints whose index is compressed are refused")
endif()

# Drops what is never called and names only libraries that are used, so that the loader has less
# to do: a process that predicts once is mostly the loader's work.
set(KERATIN_LEAN_LINK "")
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  set(KERATIN_LEAN_LINK -Wl,--as-needed -Wl,--gc-sections)

  # Tables point to names: nine thousand pointers for the loader to mend, which take 24 bytes each, or
  # a bit each when packed (binutils 2.38, glibc 2.36). A program that has such pointers must run.
  if(NOT CMAKE_CROSSCOMPILING)
    include(CheckCSourceRuns)
    set(CMAKE_REQUIRED_FLAGS -fPIE)
    set(CMAKE_REQUIRED_LINK_OPTIONS -pie -Wl,-z,pack-relative-relocs -Wl,--fatal-warnings)
    check_c_source_runs("static const char *volatile names[] = {\"a\", \"b\"};
                         int main(void) { return names[1][0] != 'b'; }" KERATIN_PACKS_RELOCATIONS)
    unset(CMAKE_REQUIRED_FLAGS)
    unset(CMAKE_REQUIRED_LINK_OPTIONS)
    if(KERATIN_PACKS_RELOCATIONS)
      list(APPEND KERATIN_LEAN_LINK -Wl,-z,pack-relative-relocs)
    endif()
  endif()
endif()
