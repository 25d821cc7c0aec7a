/* emulated_tool.cpp - the `weft` command with the CUDA backend on the emulator linked in, where it would open the
 * module. WEFT_TEST_PLANT="linear:no_third" plants a bug into a kernel of the device. Whatever the emulator reports
 * makes the process fail. */
#include <cstdio>
#include <cstdlib>
#include <cuda_runtime_api.h>
#include <unistd.h>
#include <weft/weft.h>
#include "emulator.h"

extern "C" {
#include "engine/registry.h"
#include "planted.h"
extern const weft__backend weft__cuda_backend;
}

namespace
{

constexpr int failed = 70;

struct Register {
    Register()
    {
        setenv("WEFT_CUBLASLT", "self", 0); /* the stand-in, not what may be installed here */
        setenv("WEFT_CUDNN", "none", 0);    /* the real ones would find no GPU */
        setenv("WEFT_CUFFT", "none", 0);
        setenv("WEFT_CUSOLVER", "none", 0);
        simt_reset();
        const char *bug = getenv("WEFT_TEST_PLANT");
        const weft__backend *backend = bug ? planted_named(&weft__cuda_backend, bug) : &weft__cuda_backend;
        if (!backend) {
            fprintf(stderr, "WEFT_TEST_PLANT names no bug: %s\n", bug);
            _exit(failed);
        }
        weft__backend_register(backend);
    }

    ~Register()
    {
        cudaDeviceSynchronize();
        if (simt_reports_total() > 0 || simt_device_bytes() > 0) {
            fprintf(stderr, "emulator: %zu bytes of device memory are left; reports: %s\n", simt_device_bytes(),
                    simt_last_report());
            fflush(nullptr);
            _exit(failed);
        }
    }
} registered;

} /* namespace */
