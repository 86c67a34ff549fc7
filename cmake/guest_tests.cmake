# Guest tests: each tests/guests/NAME.c (with NAME.S beside it, if there is one) is an image that vtsim runs twice; lines
# "expect: ..." in it say what must come of it (tests/guests/run.sh). NAME.expect does the same for an example of that name.
set(VTSIM_GUEST_SHARED tests/guests/common/trap.c tests/guests/common/trap.S ${VTSIM_GUEST_VMX})

function(vtsim_guest_test name image expectations)
  add_test(NAME guest.${name}
           COMMAND bash ${PROJECT_SOURCE_DIR}/tests/guests/run.sh $<TARGET_FILE:vtsim> ${image} ${expectations})
  set_tests_properties(guest.${name} PROPERTIES TIMEOUT 120 LABELS guest)
endfunction()

file(GLOB VTSIM_GUEST_TESTS CONFIGURE_DEPENDS tests/guests/*.c)
foreach(source ${VTSIM_GUEST_TESTS})
  get_filename_component(name ${source} NAME_WE)
  set(sources ${source} ${VTSIM_GUEST_SHARED})
  if(EXISTS ${PROJECT_SOURCE_DIR}/tests/guests/${name}.S)
    list(APPEND sources tests/guests/${name}.S)
  endif()
  vtsim_guest(guest.${name} OUTPUT tests/guests SOURCES ${sources})
  target_include_directories(guest.${name} PRIVATE tests/guests/common)
  set_target_properties(guest.${name} PROPERTIES OUTPUT_NAME ${name})
  vtsim_guest_test(${name} $<TARGET_FILE:guest.${name}> ${source})
endforeach()

file(GLOB VTSIM_EXAMPLE_TESTS CONFIGURE_DEPENDS tests/guests/*.expect)
foreach(expectations ${VTSIM_EXAMPLE_TESTS})
  get_filename_component(name ${expectations} NAME_WE)
  vtsim_guest_test(${name} $<TARGET_FILE:${name}> ${expectations})
endforeach()

# examples/probe on every processor: tests/guests/probe/CPU.expect says what it must find.
file(GLOB VTSIM_PROBE_TESTS CONFIGURE_DEPENDS tests/guests/probe/*.expect)
foreach(expectations ${VTSIM_PROBE_TESTS})
  get_filename_component(name ${expectations} NAME_WE)
  vtsim_guest_test(probe_${name} $<TARGET_FILE:probe> ${expectations})
endforeach()
add_test(NAME guest.published_figures COMMAND bench_profiles)
set_tests_properties(guest.published_figures PROPERTIES TIMEOUT 120 LABELS guest)
