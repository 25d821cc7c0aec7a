# Decides whether the CUDA module is built: sets WEFT_CUDA_MODULE, and then enables the language and finds the toolkit. A
# machine without CUDA configures and builds the same libweft.
#
#   WEFT_CUDA=ON     build it; without nvcc that is an error
#   WEFT_CUDA=AUTO   build it if nvcc is there
#   WEFT_CUDA_ARCHS  compute capabilities as CMAKE_CUDA_ARCHITECTURES takes them. Default: 90, one for development.
#                    Releases: "80-real;90-real;100-real;120"
set(WEFT_CUDA_MODULE OFF)
set(WEFT_CUDA_ARCHS 90 CACHE STRING "Compute capabilities that the CUDA kernels are built for")
if(WEFT_CUDA STREQUAL "OFF")
    message(STATUS "Weft: CUDA off")
    return()
endif()
find_program(WEFT_NVCC nvcc HINTS $ENV{CUDACXX} $ENV{CUDA_PATH}/bin $ENV{CUDA_HOME}/bin /usr/local/cuda/bin)
mark_as_advanced(WEFT_NVCC)
if(NOT WEFT_NVCC)
    if(WEFT_CUDA STREQUAL "ON")
        message(FATAL_ERROR "Weft: WEFT_CUDA is ON but nvcc was not found; put it on the PATH or set CUDA_HOME")
    endif()
    message(STATUS "Weft: nvcc not found, no CUDA module")
    return()
endif()
# The architectures must be known before the compiler is tried, which otherwise takes some of its own.
if(NOT CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_COMPILER ${WEFT_NVCC} CACHE FILEPATH "CUDA compiler")
endif()
set(CMAKE_CUDA_ARCHITECTURES ${WEFT_CUDA_ARCHS})
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
    if(WEFT_CUDA STREQUAL "ON")
        message(FATAL_ERROR "Weft: ${WEFT_NVCC} does not compile; is its host compiler supported?")
    endif()
    message(WARNING "Weft: ${WEFT_NVCC} does not compile, no CUDA module")
    return()
endif()
enable_language(CUDA)
enable_language(CXX) # its host compiler
find_package(CUDAToolkit REQUIRED)
set(WEFT_CUDA_MODULE ON)
list(LENGTH WEFT_CUDA_ARCHS n)
set(WEFT_CUDA_COMPRESS OFF) # several architectures: their code is large
if(n GREATER 1 AND CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.8)
    set(WEFT_CUDA_COMPRESS ON)
endif()
message(STATUS "Weft: CUDA ${CMAKE_CUDA_COMPILER_VERSION}, kernels for ${WEFT_CUDA_ARCHS}")
