# Compiler and linker flags, as interface targets that only this project's own targets link to.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)

find_package(Threads REQUIRED)

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

# Every C file of the project, and the C++ of its tests.
add_library(weft_warnings INTERFACE)
target_compile_options(
    weft_warnings
    INTERFACE -Wall -Wextra $<$<COMPILE_LANGUAGE:C>:-Wpedantic>
              $<$<COMPILE_LANGUAGE:C>:-Wconversion> $<$<COMPILE_LANGUAGE:C>:-Wdouble-promotion>
              $<$<BOOL:${WEFT_WERROR}>:-Werror>)

# Counts of the lines that run, for gcov, in what links to this: src/ and the emulated kernels. Counts that two threads raise
# at once may be lost, which is of no matter to whether a line ran.
add_library(weft_coverage INTERFACE)
if(WEFT_COVERAGE)
    target_compile_options(weft_coverage INTERFACE --coverage)
    add_link_options(--coverage)
endif()

# The library: kernels round where the source says so, on every machine alike; -fwrapv because integer tensors wrap.
add_library(weft_library_flags INTERFACE)
target_compile_options(
    weft_library_flags INTERFACE -fvisibility=hidden -ffp-contract=off -fno-math-errno -fno-trapping-math
                                 -fno-strict-aliasing -fwrapv -ffunction-sections -fdata-sections)
target_include_directories(weft_library_flags INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_link_libraries(weft_library_flags INTERFACE weft_warnings weft_coverage)

if(WEFT_SANITIZE)
    add_compile_options(-fsanitize=${WEFT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${WEFT_SANITIZE})
endif()

# No undefined symbols and none of a static archive's symbols exported, where the linker can see to it. (A sanitizer's
# runtime may be found only at run time.)
set(WEFT_SHARED_LINK_OPTIONS)
foreach(flag IN ITEMS -Wl,-z,defs -Wl,--exclude-libs,ALL)
    string(MAKE_C_IDENTIFIER "WEFT_LINKER_HAS${flag}" known)
    check_linker_flag(C ${flag} ${known})
    if(${known} AND NOT (WEFT_SANITIZE AND flag MATCHES "defs"))
        list(APPEND WEFT_SHARED_LINK_OPTIONS ${flag})
    endif()
endforeach()

# Instruction sets: WEFT_ISA_LIST holds those to build, WEFT_ISA_FLAGS_<isa> their compiler flags.
set(WEFT_ISA_FLAGS_avx512 -march=skylake-avx512 -mprefer-vector-width=512)
set(WEFT_ISA_FLAGS_avx2 -mavx2 -mfma -mf16c -mbmi2)
set(WEFT_ISA_FLAGS_plain)
set(WEFT_ISA_LIST plain)
foreach(isa IN ITEMS avx2 avx512)
    if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$")
        continue()
    endif()
    if(NOT WEFT_ISAS STREQUAL "auto" AND NOT isa IN_LIST WEFT_ISAS)
        continue()
    endif()
    string(JOIN " " flags ${WEFT_ISA_FLAGS_${isa}})
    check_c_compiler_flag("${flags}" WEFT_COMPILER_HAS_${isa})
    if(WEFT_COMPILER_HAS_${isa})
        list(APPEND WEFT_ISA_LIST ${isa})
    endif()
endforeach()
message(STATUS "Weft: CPU kernels for ${WEFT_ISA_LIST}")
