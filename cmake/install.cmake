# cmake --install: the command, its manual page, the documents and the examples.
include(GNUInstallDirs)
install(TARGETS vtsim RUNTIME)
install(FILES docs/vtsim.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs examples DESTINATION ${CMAKE_INSTALL_DOCDIR} PATTERN vtsim.1 EXCLUDE)
install(FILES $<TARGET_FILE:three_guests> DESTINATION ${CMAKE_INSTALL_DOCDIR}/examples)
