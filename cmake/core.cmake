# The seam to Unicorn. The static library of the package is linked, and the linker sends the library's own calls of these
# functions to ours (--wrap): no interposition at run time, and other users of Unicorn in the process are not disturbed.
set(VTSIM_WRAPPED_FUNCTIONS
    unicorn_fill_tlb gen_intermediate_code tcg_func_start tcg_emit_op cpu_loop_exit_noexc x86_cpu_exec_interrupt
    memory_map_ptr tb_invalidate_phys_page_fast helper_idivl_EAX helper_cpuid helper_fxrstor helper_bnd_jmp tcg_gen_qemu_ld_i32
    tcg_gen_qemu_ld_i64 tcg_gen_qemu_st_i32 tcg_gen_qemu_st_i64 tcg_gen_callN tcg_gen_lookup_and_goto_ptr
    tcg_gen_goto_tb tcg_gen_exit_tb
    helper_ldmxcsr helper_clgi helper_stgi helper_rcpps helper_rcpss helper_rsqrtps helper_rsqrtss
    helper_roundps_xmm helper_roundpd_xmm helper_roundss_xmm helper_roundsd_xmm)
foreach(name xchg fetch_add fetch_and fetch_or fetch_xor add_fetch and_fetch or_fetch xor_fetch cmpxchg) # guard.c
  list(APPEND VTSIM_WRAPPED_FUNCTIONS tcg_gen_atomic_${name}_i64)
endforeach()
foreach(name add sub mul div min max sqrt cmpeq cmplt cmple cmpunord cmpneq cmpnlt cmpnle cmpord) # simd_operands.c
  list(APPEND VTSIM_WRAPPED_FUNCTIONS helper_${name}ps helper_${name}ss helper_${name}pd helper_${name}sd)
endforeach()
foreach(name fadd fmul fsub fsubr fdiv fdivr) # from here on the x87 unit: x87_*.c
  list(APPEND VTSIM_WRAPPED_FUNCTIONS helper_${name}_ST0_FT0 helper_${name}_STN_ST0)
endforeach()
foreach(name flds_FT0 fldl_FT0 fildl_FT0 fmov_FT0_STN fldz_FT0 flds_ST0 fldl_ST0 fildl_ST0 fildll_ST0 fpush fld1_ST0
        fldl2t_ST0 fldl2e_ST0 fldpi_ST0 fldlg2_ST0 fldln2_ST0 fldz_ST0 fmov_ST0_STN fmov_STN_ST0 fxchg_ST0_STN fsts_ST0
        fstl_ST0 fist_ST0 fistl_ST0 fistll_ST0 fistt_ST0 fisttl_ST0 fisttll_ST0 fcom_ST0_FT0 fucom_ST0_FT0 fcomi_ST0_FT0
        fucomi_ST0_FT0 fxam_ST0 fchs_ST0 fabs_ST0 fsqrt frndint fscale fxtract fprem fprem1 f2xm1 fyl2x fyl2xp1 fpatan fsin fcos
        fsincos fptan fldt_ST0 fstt_ST0 fbld_ST0
        fbst_ST0 fninit fldcw fstenv fldenv fsave frstor fxsave fwait vmload enter_mmx)
  list(APPEND VTSIM_WRAPPED_FUNCTIONS helper_${name})
endforeach()
foreach(name addsubps addsubpd haddps haddpd hsubps hsubpd cvtps2pd cvtss2sd cvtpd2ps cvtsd2ss ucomiss comiss ucomisd comisd
        dpps_xmm dppd_xmm)
  list(APPEND VTSIM_WRAPPED_FUNCTIONS helper_${name})
endforeach()
file(GLOB VTSIM_CORE_SOURCES CONFIGURE_DEPENDS sim/core/*.c sim/core/x87/*.c sim/*.c)
list(FILTER VTSIM_CORE_SOURCES EXCLUDE REGEX "insn_[a-z]+\\.c$")
add_library(vtsim_core STATIC ${VTSIM_CORE_SOURCES})
target_link_libraries(vtsim_core PUBLIC vtsim_model PkgConfig::CAPSTONE unicorn_static)
foreach(function ${VTSIM_WRAPPED_FUNCTIONS})
  target_link_options(vtsim_core INTERFACE -Wl,--wrap=${function}_x86_64
                      -Wl,--undefined=__wrap_${function}_x86_64) # else a file of replacements alone is not linked in
endforeach()
if(VTSIM_SANITIZE MATCHES address)
  target_sources(vtsim_core INTERFACE ${PROJECT_SOURCE_DIR}/tests/leaks_of_unicorn.c)
endif()
