# Programs that run on vtsim, not on the host: freestanding 64-bit code behind examples/common/boot.S.
function(vtsim_guest name)
  cmake_parse_arguments(GUEST "" "OUTPUT" "SOURCES" ${ARGN})
  add_executable(${name} ${PROJECT_SOURCE_DIR}/examples/common/boot.S ${PROJECT_SOURCE_DIR}/examples/common/machine.c
                         ${GUEST_SOURCES})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/examples/common)
  target_compile_options(${name} PRIVATE -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only -mcmodel=small
                         -fno-stack-protector -fno-asynchronous-unwind-tables -O2 -g0 -Wall -Wextra)
  target_link_options(${name} PRIVATE -nostdlib -static -Wl,--build-id=none -Wl,-z,max-page-size=4096
                      -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -T ${PROJECT_SOURCE_DIR}/examples/common/image.lds)
  set_target_properties(${name} PROPERTIES SUFFIX .elf POSITION_INDEPENDENT_CODE OFF
                        LINK_DEPENDS ${PROJECT_SOURCE_DIR}/examples/common/image.lds
                        RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/${GUEST_OUTPUT})
endfunction()

set(VTSIM_GUEST_VMX ${PROJECT_SOURCE_DIR}/examples/common/vmx.c ${PROJECT_SOURCE_DIR}/examples/common/vmx_run.S)
vtsim_guest(three_guests OUTPUT examples
            SOURCES examples/three_guests/main.c examples/three_guests/guests.S ${VTSIM_GUEST_VMX})
vtsim_guest(probe OUTPUT examples
            SOURCES examples/probe/main.c examples/probe/processor.c examples/probe/capabilities.c examples/probe/timing.c
                    examples/probe/timing.S ${VTSIM_GUEST_VMX})
