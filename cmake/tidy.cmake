# clang-tidy beside the compiler, on what is shipped: the model, the core and the command (./x tidy). Checks: .clang-tidy.
option(VTSIM_TIDY "Run clang-tidy while compiling" OFF)
if(VTSIM_TIDY)
  find_program(VTSIM_CLANG_TIDY clang-tidy REQUIRED)
  set_target_properties(vtsim_model vtsim_core vtsim PROPERTIES C_CLANG_TIDY "${VTSIM_CLANG_TIDY};--quiet")
endif()
