# The model: everything that is tested without an emulator.
file(GLOB_RECURSE VTSIM_MODEL_SOURCES CONFIGURE_DEPENDS
     tlb/*.c vmx_model/*.c sim/cpu/*.c sim/platform/*.c sim/boot/*.c sim/sanitize/*.c traces/*.c sim/core/insn_*.c)
add_library(vtsim_model STATIC ${VTSIM_MODEL_SOURCES})
target_link_libraries(vtsim_model PUBLIC vtsim_flags PkgConfig::CAPSTONE PkgConfig::SQLITE3 m)
