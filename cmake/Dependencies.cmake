# Everything the library links, as one interface target. All come from the system's packages;
# oneDNN and OpenMP may be absent, the library is slower then.
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
  message(STATUS "without OpenMP: a run uses one thread")
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

# Drops what is never called and names only libraries that are used, so that the loader has less
# to do: a process that predicts once is mostly the loader's work.
set(KERATIN_LEAN_LINK "")
if(CMAKE_SYSTEM_NAME STREQUAL "Linux")
  set(KERATIN_LEAN_LINK -Wl,--as-needed -Wl,--gc-sections)
endif()
