# What `cmake --install` puts where, and how others find it: pkg-config and find_package(keratin).
include(CMakePackageConfigHelpers)

install(DIRECTORY include/keratin DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.h")
set(keratin_targets keratin_static)
if(BUILD_SHARED_LIBS)
  list(APPEND keratin_targets keratin)
endif()
install(TARGETS ${keratin_targets} EXPORT keratinTargets
        LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS keratin_tool RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(FILES docs/cli/keratin.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES README.md LICENSE CHANGELOG.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

# From where the file lies, as `cmake --install --prefix` may put it anywhere.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(KERATIN_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
else()
  file(RELATIVE_PATH KERATIN_PC_PREFIX "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" /)
  string(REGEX REPLACE "/$" "" KERATIN_PC_PREFIX "${KERATIN_PC_PREFIX}")
  set(KERATIN_PC_PREFIX "\${pcfiledir}/${KERATIN_PC_PREFIX}")
endif()
configure_file(cmake/keratin.pc.in keratin.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/keratin.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/keratin)
install(EXPORT keratinTargets NAMESPACE keratin:: DESTINATION ${package_dir})
configure_package_config_file(cmake/keratinConfig.cmake.in keratinConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(keratinConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/keratinConfig.cmake
              ${CMAKE_BINARY_DIR}/keratinConfigVersion.cmake DESTINATION ${package_dir})
