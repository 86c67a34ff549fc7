# Guest tests: each tests/guests/NAME.c (with NAME.S beside it, if there is one) is an image that vtsim runs twice; lines
# "expect: ..." in it say what must come of it (tests/guests/run.sh). NAME.expect does the same for an example of that name.
# tests/digests has the digest of each one's statistics.
# With "guest-bits: 32" in it, it is a 32-bit program that uses the conformance suite's lab.h.
set(VTSIM_LAB ${PROJECT_SOURCE_DIR}/tests/core/conformance/common)
set(VTSIM_GUEST_SHARED tests/guests/common/trap.c tests/guests/common/trap.S ${VTSIM_GUEST_VMX})

# The compiler that made the image: another one makes another image, whose digest is not recorded.
function(vtsim_guest_test name image expectations label)
  add_test(NAME ${name}
           COMMAND bash ${PROJECT_SOURCE_DIR}/tests/guests/run.sh $<TARGET_FILE:vtsim> ${image} ${expectations}
                   ${PROJECT_SOURCE_DIR}/tests/digests/${name} ${CMAKE_C_COMPILER_ID}-${CMAKE_C_COMPILER_VERSION})
  set_tests_properties(${name} PROPERTIES TIMEOUT 120 LABELS "guest;${label}")
endfunction()

file(GLOB VTSIM_GUEST_TESTS CONFIGURE_DEPENDS tests/guests/*.c)
foreach(source ${VTSIM_GUEST_TESTS})
  get_filename_component(name ${source} NAME_WE)
  set(sources ${source} ${VTSIM_GUEST_SHARED})
  if(EXISTS ${PROJECT_SOURCE_DIR}/tests/guests/${name}.S)
    list(APPEND sources tests/guests/${name}.S)
  endif()
  file(STRINGS ${source} bits REGEX "guest-bits: 32")
  if(bits)
    vtsim_guest(guest.${name} BITS32 OUTPUT tests/guests SOURCES ${source} ${VTSIM_LAB}/lab.c ${VTSIM_LAB}/print.c
                ${VTSIM_LAB}/lab32.S)
    target_include_directories(guest.${name} PRIVATE ${VTSIM_LAB})
  else()
    vtsim_guest(guest.${name} OUTPUT tests/guests SOURCES ${sources})
    target_include_directories(guest.${name} PRIVATE tests/guests/common)
  endif()
  set_target_properties(guest.${name} PROPERTIES OUTPUT_NAME ${name})
  vtsim_guest_test(guest.${name} $<TARGET_FILE:guest.${name}> ${source} programs)
endforeach()

file(GLOB VTSIM_EXAMPLE_TESTS CONFIGURE_DEPENDS tests/guests/*.expect)
foreach(expectations ${VTSIM_EXAMPLE_TESTS})
  get_filename_component(name ${expectations} NAME_WE)
  vtsim_guest_test(guest.${name} $<TARGET_FILE:${name}> ${expectations} examples)
endforeach()

# No processor with VT-x has AMD-V.
add_test(NAME guest.no_svm_on_all
         COMMAND vtsim run --cpu all --mem 64M --max-cycles 1000000000 --quiet $<TARGET_FILE:guest.no_svm>)
set_tests_properties(guest.no_svm_on_all PROPERTIES TIMEOUT 120 LABELS guest)

# examples/probe on every processor: tests/guests/probe/CPU.expect says what it must find.
file(GLOB VTSIM_PROBE_TESTS CONFIGURE_DEPENDS tests/guests/probe/*.expect)
foreach(expectations ${VTSIM_PROBE_TESTS})
  get_filename_component(name ${expectations} NAME_WE)
  vtsim_guest_test(guest.probe_${name} $<TARGET_FILE:probe> ${expectations} examples)
endforeach()
add_test(NAME guest.published_figures COMMAND bench_profiles)
set_tests_properties(guest.published_figures PROPERTIES TIMEOUT 120 LABELS guest)

# The core conformance suite: tests/core/conformance/ROOM/ITEM.c (with ITEM.S beside it).
file(GLOB VTSIM_CONFORMANCE_ITEMS CONFIGURE_DEPENDS tests/core/conformance/*/*.c)
list(FILTER VTSIM_CONFORMANCE_ITEMS EXCLUDE REGEX "conformance/common/")
foreach(source ${VTSIM_CONFORMANCE_ITEMS})
  get_filename_component(name ${source} NAME_WE)
  get_filename_component(room ${source} DIRECTORY)
  file(STRINGS ${source} bits REGEX "conformance-bits: 32")
  set(sources ${source} ${VTSIM_LAB}/lab.c ${VTSIM_LAB}/print.c)
  if(EXISTS ${room}/${name}.S)
    list(APPEND sources ${room}/${name}.S)
  endif()
  if(bits)
    vtsim_guest(conformance.${name} BITS32 OUTPUT tests/conformance SOURCES ${sources} ${VTSIM_LAB}/lab32.S)
  else()
    vtsim_guest(conformance.${name} OUTPUT tests/conformance SOURCES ${sources} ${VTSIM_LAB}/lab64.S)
  endif()
  target_include_directories(conformance.${name} PRIVATE ${VTSIM_LAB})
  set_target_properties(conformance.${name} PROPERTIES OUTPUT_NAME ${name})
  vtsim_guest_test(conformance.${name} $<TARGET_FILE:conformance.${name}> ${source} conformance)
endforeach()

# Which test makes which rule, exit reason, error and control of VT-x happen: tests/coverage/README.md. `./x coverage` makes
# the table anew by the target.
if(VTSIM_WITNESSES)
  list(TRANSFORM VTSIM_WITNESSES REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE VTSIM_WITNESS_FILES)
  add_test(NAME coverage.witness
           COMMAND bash ${PROJECT_SOURCE_DIR}/tests/coverage/witness.sh check $<TARGET_FILE:vtsim> ${VTSIM_WITNESS_FILES})
  set_tests_properties(coverage.witness PROPERTIES TIMEOUT 120 LABELS unit)
  add_custom_target(coverage_table
                    COMMAND bash ${PROJECT_SOURCE_DIR}/tests/coverage/witness.sh make $<TARGET_FILE:vtsim> ${VTSIM_WITNESS_FILES}
                    DEPENDS vtsim ${VTSIM_WITNESSES} VERBATIM)
endif()

# docs/coverage.md is what docs/coverage/ makes.
add_test(NAME docs.coverage COMMAND bash ${PROJECT_SOURCE_DIR}/docs/coverage/generate.sh $<TARGET_FILE:vtsim> --check)
set_tests_properties(docs.coverage PROPERTIES TIMEOUT 60 LABELS cli)
