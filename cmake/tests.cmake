# tests/<room>/test_*.c: one cmocka program each, linked with the model.
# Those of tests/vmx_model and tests/cpu can tell what they make happen: tests/coverage/README.md.
if(CMOCKA_FOUND)
  file(STRINGS tests/coverage/witness_calls.def VTSIM_COVERED REGEX "^COVER")
  list(TRANSFORM VTSIM_COVERED REPLACE "^COVER[_VOID]*\\(([a-z0-9_]+),.*" "\\1")
  list(APPEND VTSIM_COVERED vmx_check_prepare vmx_check_first vmx_check_all vmx_fail vmx_fail_valid
       _cmocka_run_group_tests)
  list(TRANSFORM VTSIM_COVERED PREPEND "LINKER:--wrap=")
  add_library(witness OBJECT tests/coverage/witness.c tests/coverage/witness_calls.c)
  target_link_libraries(witness PUBLIC vtsim_flags PkgConfig::CMOCKA PRIVATE PkgConfig::CAPSTONE)
  file(GLOB_RECURSE VTSIM_UNIT_TESTS CONFIGURE_DEPENDS
       tests/tlb/test_*.c tests/vmx_model/test_*.c tests/cpu/test_*.c tests/platform/test_*.c
       tests/boot/test_*.c tests/traces/test_*.c)
  foreach(source ${VTSIM_UNIT_TESTS})
    file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR}/tests ${source})
    string(REGEX REPLACE "\\.c$" "" name ${name})
    string(REPLACE "/" "." name ${name})
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE vtsim_model PkgConfig::CMOCKA)
    if(name MATCHES "^(vmx_model|cpu)\\.")
      target_link_libraries(${name} PRIVATE witness)
      target_link_options(${name} PRIVATE ${VTSIM_COVERED})
      list(APPEND VTSIM_WITNESSES ${name})
    endif()
    add_test(NAME ${name} COMMAND ${name})
    set_tests_properties(${name} PROPERTIES TIMEOUT 120 LABELS unit)
  endforeach()
endif()

# tests/core/test_*.c: the same, with the core.
if(CMOCKA_FOUND)
  file(GLOB VTSIM_CORE_TESTS CONFIGURE_DEPENDS tests/core/test_*.c)
  foreach(source ${VTSIM_CORE_TESTS})
    get_filename_component(name ${source} NAME_WE)
    add_executable(core.${name} ${source})
    target_link_libraries(core.${name} PRIVATE vtsim_core PkgConfig::CMOCKA)
    add_test(NAME core.${name} COMMAND core.${name})
    set_tests_properties(core.${name} PROPERTIES TIMEOUT 120 LABELS core)
  endforeach()
  target_compile_definitions(core.test_flush_guests PRIVATE GUEST_IMAGES="${PROJECT_BINARY_DIR}/tests/guests")
  add_dependencies(core.test_flush_guests guest.flushes_vpid guest.flushes_ept)
  target_compile_definitions(core.test_probe_outcomes PRIVATE PROBE_IMAGE="${PROJECT_BINARY_DIR}/examples/probe.elf"
                             OUTCOMES="${PROJECT_SOURCE_DIR}/docs/outcomes.md")
  add_dependencies(core.test_probe_outcomes probe)
endif()

# Dependencies run one way.
add_test(NAME dependencies COMMAND bash ${PROJECT_SOURCE_DIR}/tests/dependencies.sh ${PROJECT_SOURCE_DIR})
set_tests_properties(dependencies PROPERTIES LABELS unit)
