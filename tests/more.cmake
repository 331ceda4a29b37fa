# Tests that are no cmocka programs: source rules, headers, symbols, the tool, packaging.
add_test(NAME source COMMAND sh ${CMAKE_SOURCE_DIR}/tools/check_source.sh)
set_tests_properties(source PROPERTIES TIMEOUT 300)
add_test(NAME api_pages COMMAND sh ${CMAKE_SOURCE_DIR}/tools/make_api.sh --check)
set_tests_properties(source floors api_pages PROPERTIES LABELS source)

# Each public header alone, as C17 and C++17, and what must not compile. gcc and clang only read
# here, so this takes no object files.
add_test(NAME headers
         COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/headertest/run.sh ${CMAKE_C_COMPILER}
                 ${CMAKE_SOURCE_DIR}/include)
set_tests_properties(headers PROPERTIES TIMEOUT 120)

if(BUILD_SHARED_LIBS)
  add_test(NAME symbols
           COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/headertest/symbols.sh $<TARGET_FILE:keratin>
                   ${CMAKE_SOURCE_DIR}/include)
endif()

# Size and packaging mean something only for what is shipped.
if(BUILD_SHARED_LIBS AND CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT KERATIN_SANITIZE)
  add_test(NAME size
           COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/headertest/size.sh $<TARGET_FILE:keratin> 2097152)
  add_test(NAME packaging
           COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/headertest/packaging.sh ${CMAKE_COMMAND}
                   ${CMAKE_GENERATOR} ${CMAKE_BINARY_DIR} ${CMAKE_C_COMPILER}
                   ${CMAKE_SOURCE_DIR}/examples/predict.c)
  set_tests_properties(packaging PROPERTIES TIMEOUT 120)
  add_test(NAME readme
           COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/headertest/readme.sh ${CMAKE_C_COMPILER}
                   ${CMAKE_SOURCE_DIR}/README.md ${CMAKE_SOURCE_DIR}/include
                   $<TARGET_FILE:keratin> 20)
endif()

# The tool and the examples: each cli/<name>.sh with the transcript it must give beside it. The
# scripts use what is built, so they need no edit here.
file(GLOB cli_tests CONFIGURE_DEPENDS cli/*.sh)
list(FILTER cli_tests EXCLUDE REGEX "/run\\.sh$")
if(NOT KERATIN_EXAMPLES)
  list(FILTER cli_tests EXCLUDE REGEX "/example_[^/]*\\.sh$")
endif()
foreach(script ${cli_tests})
  get_filename_component(name ${script} NAME_WE)
  add_test(NAME cli/${name}
           COMMAND sh ${CMAKE_CURRENT_SOURCE_DIR}/cli/run.sh ${script} ${CMAKE_BINARY_DIR}
                   ${CMAKE_SOURCE_DIR})
  set_tests_properties(cli/${name} PROPERTIES TIMEOUT 600)
endforeach()

# cli/hostile.sh runs it.
add_executable(hostile hostile.c hostile_files.c)
target_link_libraries(hostile PRIVATE keratin_testing keratin_warnings)
set_target_properties(hostile PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
