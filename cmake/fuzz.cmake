# Every tests/fuzz/fuzz_NAME.c, twice over: with VTSIM_FUZZ (clang) a libFuzzer program, which tests/fuzz/run.sh runs; else a
# plain program that feeds it a fixed sequence of inputs (driver.c), run by ctest. Seeds: tests/fuzz/seeds/NAME/*.
file(GLOB VTSIM_FUZZ_TARGETS CONFIGURE_DEPENDS tests/fuzz/fuzz_*.c)
set(VTSIM_FUZZ_DIR ${PROJECT_BINARY_DIR}/fuzz)
add_custom_target(fuzz) # builds them all
foreach(source ${VTSIM_FUZZ_TARGETS})
  get_filename_component(target ${source} NAME_WE)
  string(REGEX REPLACE "^fuzz_" "" name ${target})
  file(MAKE_DIRECTORY ${VTSIM_FUZZ_DIR}/seeds/${name})
  file(GLOB seeds CONFIGURE_DEPENDS tests/fuzz/seeds/${name}/*)
  if(seeds)
    file(COPY ${seeds} DESTINATION ${VTSIM_FUZZ_DIR}/seeds/${name})
  endif()
  add_executable(${target} ${source})
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${VTSIM_FUZZ_DIR})
  add_dependencies(fuzz ${target})
  file(GLOB parts CONFIGURE_DEPENDS tests/fuzz/${name}/*.c) # what a target has in a folder of its name goes with the core
  if(parts)
    target_sources(${target} PRIVATE ${parts})
    target_link_libraries(${target} PRIVATE vtsim_core)
    target_compile_definitions(${target} PRIVATE FUZZ_INPUTS=200)
  else()
    target_link_libraries(${target} PRIVATE vtsim_model)
  endif()
  if(VTSIM_FUZZ)
    target_link_options(${target} PRIVATE -fsanitize=fuzzer)
  else()
    target_sources(${target} PRIVATE tests/fuzz/driver.c)
    add_test(NAME fuzz.${name} COMMAND ${target} ${VTSIM_FUZZ_DIR}/seeds/${name})
    set_tests_properties(fuzz.${name} PROPERTIES TIMEOUT 120 LABELS unit)
  endif()
endforeach()

# The loader's seed is an image that loads: random bytes never would.
if(TARGET fuzz_multiboot AND TARGET guest.hello)
  add_dependencies(fuzz_multiboot guest.hello)
  add_custom_command(TARGET fuzz_multiboot POST_BUILD
                     COMMAND ${CMAKE_COMMAND} -E copy_if_different $<TARGET_FILE:guest.hello> ${VTSIM_FUZZ_DIR}/seeds/multiboot)
endif()
