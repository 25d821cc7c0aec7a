# weft_cuda_host_sources(<result> <definitions> <include folder>): the files of the CUDA backend's host side, without those
# that need cublasLt.h where the folder has none; the definitions say so to the others.
function(weft_cuda_host_sources result definitions folder)
    file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../src/cuda/*.c)
    set(defined WEFT__CUBLASLT)
    if(NOT EXISTS ${folder}/cublasLt.h)
        set(defined)
        list(FILTER sources EXCLUDE REGEX "/(blas|plan|choice|timing|trial)[.]c$")
        message(STATUS "Weft: no cublasLt.h in ${folder}: matrix products on CUDA by the project's own kernels alone")
    endif()
    set(${result} ${sources} PARENT_SCOPE)
    set(${definitions} ${defined} PARENT_SCOPE)
endfunction()
