# Warnings for our own code; sanitizers and coverage for everything that links it.
add_library(keratin_warnings INTERFACE)
target_compile_options(keratin_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla
  $<$<BOOL:${KERATIN_WERROR}>:-Werror>)
if(KERATIN_SANITIZE)
  add_compile_options(-fsanitize=${KERATIN_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${KERATIN_SANITIZE})
endif()
if(KERATIN_COVERAGE)
  add_compile_options(--coverage -O0 -g)
  add_link_options(--coverage)
endif()
