/* products.h - what tests of matrix products share: the stand-in for cuBLASLt, and operands whose sums are exact. */
#ifndef WEFT_HOST_PRODUCTS_H
#define WEFT_HOST_PRODUCTS_H

#include "host_test.h"

/* Takes the variable WEFT_CUBLASLT for the life of a test. */
class Library
{
  public:
    explicit Library(const char *where)
    {
        setenv("WEFT_CUBLASLT", where, 1);
    }
    ~Library()
    {
        unsetenv("WEFT_CUBLASLT");
    }
};

/* Tests with the library that the program itself holds. */
class Products : public Streams
{
    Library library{"self"};
};

inline weft_tensor *numbers(weft_ctx *ctx, std::vector<int64_t> shape, int seed, weft_dtype dtype = WEFT_F32)
{
    int64_t count = 1;
    for (int64_t size : shape)
        count *= size;
    std::vector<float> values(static_cast<size_t>(count));
    for (size_t k = 0; k < values.size(); k++) /* small integers: every sum is exact, in any order */
        values[k] = static_cast<float>(static_cast<int>((k * 7 + static_cast<size_t>(seed) * 5) % 11) - 5);
    return weft_cast(weft_from_data(ctx, WEFT_F32, shape.data(), static_cast<int>(shape.size()), values.data()), dtype);
}

#endif
