# Warnings and instrumentation for every target of ours.
add_library(vtsim_flags INTERFACE)
target_include_directories(vtsim_flags INTERFACE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
target_compile_options(vtsim_flags INTERFACE -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes)
if(VTSIM_WERROR)
  target_compile_options(vtsim_flags INTERFACE -Werror)
endif()
# Outcomes and VM exits are structures of a few cache lines that are passed by value. gcc fills and copies such with string
# instructions, whose start costs more than the whole copy.
if(CMAKE_C_COMPILER_ID STREQUAL GNU AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_options(vtsim_flags INTERFACE -mmemset-strategy=unrolled_loop:512:noalign,libcall:-1:noalign
                                               -mmemcpy-strategy=unrolled_loop:512:noalign,libcall:-1:noalign)
endif()
if(VTSIM_SANITIZE)
  target_compile_options(vtsim_flags INTERFACE -fsanitize=${VTSIM_SANITIZE} -fno-sanitize-recover=undefined
                                               -fno-omit-frame-pointer)
  target_link_options(vtsim_flags INTERFACE -fsanitize=${VTSIM_SANITIZE})
endif()
if(VTSIM_COVERAGE)
  target_compile_options(vtsim_flags INTERFACE --coverage)
  target_link_options(vtsim_flags INTERFACE --coverage)
endif()
if(VTSIM_FUZZ)
  if(NOT CMAKE_C_COMPILER_ID MATCHES Clang)
    message(FATAL_ERROR "VTSIM_FUZZ needs clang: -DCMAKE_C_COMPILER=clang, or the preset fuzz")
  endif()
  target_compile_options(vtsim_flags INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(vtsim_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
