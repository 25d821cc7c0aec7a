/* launch.h - the typed launch: arguments become bytes that travel with the queued work. */
#ifndef WEFT_TESTS_SIMT_LAUNCH_H
#define WEFT_TESTS_SIMT_LAUNCH_H

#include <driver_types.h>
#include <cstring>
#include <new>
#include <tuple>
#include <type_traits>
#include <vector>
#include "core.h"

namespace simt
{

/* A kernel with its arguments. invoke(kernel, arguments) calls it once, for the running thread. */
struct Launch {
    const void *kernel;
    void (*invoke)(const void *kernel, const void *arguments);
    dim3 grid, block;
    size_t shared_bytes;
    std::vector<unsigned char> arguments;
    size_t granted_shared = 0; /* what cudaFuncSetAttribute had allowed at the launch; 0: nothing was asked for */
};

/* Checks the configuration and queues the launch on stream. */
cudaError_t queue_launch(Launch &&launch, cudaStream_t stream);

/* Each thread works on its own copy of the parameters, as on a GPU. */
template <class... Params> SIMT_UNCHECKED void invoke_kernel(const void *kernel, const void *arguments)
{
    using Arguments = std::tuple<Params...>;
    alignas(Arguments) unsigned char bytes[sizeof(Arguments)];
    std::memcpy(bytes, arguments, sizeof(Arguments));
    std::apply(reinterpret_cast<void (*)(Params...)>(const_cast<void *>(kernel)),
               *std::launder(reinterpret_cast<Arguments *>(bytes)));
}

template <class... Params>
inline cudaError_t launch(void (*kernel)(Params...), dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                          Params... args)
{
    using Arguments = std::tuple<Params...>;
    static_assert(sizeof(Arguments) <= 32764, "CUDA's limit for kernel parameters");
    const Arguments packed(args...);
    Launch work{reinterpret_cast<const void *>(kernel), invoke_kernel<Params...>, grid, block, shared_bytes, {}, 0};
    work.arguments.resize(sizeof packed);
    std::memcpy(work.arguments.data(), static_cast<const void *>(&packed), sizeof packed);
    return queue_launch(static_cast<Launch &&>(work), stream);
}

} /* namespace simt */

#endif
