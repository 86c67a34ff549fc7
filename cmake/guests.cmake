# Programs that run on vtsim, not on the host: freestanding 64-bit code behind examples/common/boot.S, or, with BITS32,
# 32-bit code behind tests/core/conformance/common/boot32.S.
function(vtsim_guest name)
  cmake_parse_arguments(GUEST "BITS32" "OUTPUT" "SOURCES" ${ARGN})
  set(common ${PROJECT_SOURCE_DIR}/examples/common)
  if(GUEST_BITS32)
    set(bits32 ${PROJECT_SOURCE_DIR}/tests/core/conformance/common)
    set(boot ${bits32}/boot32.S)
    set(script ${bits32}/image32.lds)
    set(compile -m32)
    if(CMAKE_C_COMPILER_ID MATCHES Clang) # divides 64 bits by calling its run-time library, of which there is none here
      list(APPEND GUEST_SOURCES ${bits32}/division.c)
    endif()
    set(link -m32)
  else()
    set(boot ${common}/boot.S)
    set(script ${common}/image.lds)
    set(compile -mno-red-zone -mcmodel=small)
    set(link "")
  endif()
  add_executable(${name} ${boot} ${common}/machine.c ${GUEST_SOURCES})
  target_include_directories(${name} PRIVATE ${common})
  target_compile_options(${name} PRIVATE -ffreestanding -fno-pic -fno-pie -mgeneral-regs-only -fno-stack-protector
                         -fno-asynchronous-unwind-tables -O2 -g0 -Wall -Wextra ${compile})
  target_link_options(${name} PRIVATE ${link} -nostdlib -static -Wl,--build-id=none -Wl,-z,max-page-size=4096
                      -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -T ${script})
  set_target_properties(${name} PROPERTIES SUFFIX .elf POSITION_INDEPENDENT_CODE OFF LINK_DEPENDS ${script}
                        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${GUEST_OUTPUT})
endfunction()

set(VTSIM_GUEST_VMX ${PROJECT_SOURCE_DIR}/examples/common/vmx.c ${PROJECT_SOURCE_DIR}/examples/common/vmx_run.S)
vtsim_guest(three_guests OUTPUT examples
            SOURCES examples/three_guests/main.c examples/three_guests/guests.S ${VTSIM_GUEST_VMX})
vtsim_guest(probe OUTPUT examples
            SOURCES examples/probe/main.c examples/probe/processor.c examples/probe/capabilities.c examples/probe/timing.c
                    examples/probe/timing.S ${VTSIM_GUEST_VMX})
