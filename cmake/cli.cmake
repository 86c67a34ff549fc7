# The vtsim command.
file(GLOB VTSIM_CLI_SOURCES CONFIGURE_DEPENDS sim/cli/*.c)
add_executable(vtsim ${VTSIM_CLI_SOURCES})
target_compile_definitions(vtsim PRIVATE VTSIM_VERSION="${PROJECT_VERSION}")
target_link_libraries(vtsim PRIVATE vtsim_core vtsim_model)

# tests/cli/*.sh: each gets the path of vtsim.
file(GLOB VTSIM_CLI_TESTS CONFIGURE_DEPENDS tests/cli/*.sh)
foreach(script ${VTSIM_CLI_TESTS})
  get_filename_component(name ${script} NAME_WE)
  add_test(NAME cli.${name} COMMAND bash ${script} $<TARGET_FILE:vtsim>)
  set_tests_properties(cli.${name} PROPERTIES TIMEOUT 120 LABELS cli)
endforeach()
