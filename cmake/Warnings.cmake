# Warnings for our own code; sanitizers and coverage for everything that links it.
add_library(keratin_warnings INTERFACE)
target_compile_options(keratin_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
  $<$<BOOL:${KERATIN_WERROR}>:-Werror>)
if(NOT KERATIN_HAVE_OPENMP)
  # Nobody reads the pragmas then, nor the variables that only they name.
  target_compile_options(keratin_warnings INTERFACE -Wno-unknown-pragmas -Wno-unused-variable)
endif()
if(KERATIN_SANITIZE)
  add_compile_options(-fsanitize=${KERATIN_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${KERATIN_SANITIZE})
endif()
if(KERATIN_COVERAGE)
  add_compile_options(--coverage -O0 -g)
  add_link_options(--coverage)
endif()
