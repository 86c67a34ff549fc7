# bench/core: vtsim against bare Unicorn. Measured by hand or by ./x bench, never by a test.
vtsim_guest(round_trip OUTPUT bench/images
            SOURCES bench/round_trip/main.c bench/round_trip/round_trip.S ${VTSIM_GUEST_VMX})
add_executable(bench_core bench/core.c bench/bare.c bench/simulated.c bench/kernels.S)
target_link_libraries(bench_core PRIVATE vtsim_core)
target_compile_definitions(bench_core PRIVATE BENCH_ROUND_TRIP_IMAGE="${PROJECT_BINARY_DIR}/bench/images/round_trip.elf")
add_dependencies(bench_core round_trip)
set_target_properties(bench_core PROPERTIES OUTPUT_NAME core RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)

# bench/memory: host memory above the guest's RAM.
vtsim_guest(memory OUTPUT bench/images SOURCES bench/memory/main.c)
add_executable(bench_memory bench/memory.c)
target_link_libraries(bench_memory PRIVATE vtsim_core)
target_compile_definitions(bench_memory PRIVATE BENCH_MEMORY_IMAGE="${PROJECT_BINARY_DIR}/bench/images/memory.elf")
add_dependencies(bench_memory memory)
set_target_properties(bench_memory PROPERTIES OUTPUT_NAME memory RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)

# bench/profiles: examples/probe against published figures. In simulated cycles, so it is a test too (cmake/guest_tests.cmake).
add_executable(bench_profiles bench/profiles.c)
target_link_libraries(bench_profiles PRIVATE vtsim_core)
target_compile_definitions(bench_profiles PRIVATE BENCH_PROBE_IMAGE="${PROJECT_BINARY_DIR}/examples/probe.elf")
add_dependencies(bench_profiles probe)
set_target_properties(bench_profiles PROPERTIES OUTPUT_NAME profiles RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
