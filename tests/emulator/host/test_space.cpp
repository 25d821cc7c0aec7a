/* test_space.cpp - kernels/space.h on the host: a space cut in two, as for more elements than 32-bit indices count. */
#include <array>
#include <set>
#include <gtest/gtest.h>

#include "space.h"

namespace
{

using Element = std::array<int64_t, 2>;
using Space = weft_space<2>;

weft__array array_of(std::initializer_list<int64_t> shape, std::initializer_list<int64_t> strides)
{
    weft__array a = {};
    a.count = 1;
    for (size_t d = 0; d < shape.size(); d++) {
        a.shape[d] = shape.begin()[d];
        a.strides[d] = strides.begin()[d];
        a.count *= a.shape[d];
    }
    a.ndim = static_cast<int32_t>(shape.size());
    return a;
}

/* Where the elements of s lie, the arrays themselves beginning at first; each is found once. */
void add_elements(const Space &s, const Element &first, std::set<Element> &elements)
{
    for (uint32_t i = 0; i < s.count; i++) {
        Element at;
        int64_t offset[2];
        weft_space_offsets(s, i, offset);
        for (size_t k = 0; k < 2; k++)
            at[k] = first[k] + offset[k];
        EXPECT_TRUE(elements.insert(at).second);
    }
}

/* The same from parts of 100 elements at most. */
void add_parts(const Space &s, const Element &first, std::set<Element> &elements)
{
    if (s.count <= 100) {
        add_elements(s, first, elements);
        return;
    }
    Space low, high;
    int64_t begin[2];
    weft_space_halve(s, low, high, begin);
    EXPECT_LT(low.count, s.count);
    EXPECT_LT(high.count, s.count);
    add_parts(low, first, elements);
    add_parts(high, {first[0] + begin[0], first[1] + begin[1]}, elements);
}

void expect_parts_cover(const weft__array &y, const weft__array &x)
{
    const Space s = weft_make_space<2>({&y, &x});
    std::set<Element> whole, parts;
    add_elements(s, {0, 0}, whole);
    add_parts(s, {0, 0}, parts);
    EXPECT_EQ(whole, parts);
}

TEST(Space, PartsCoverADenseArray)
{
    expect_parts_cover(array_of({1003}, {1}), array_of({1003}, {1}));
}

TEST(Space, PartsCoverARepeatedRow)
{
    expect_parts_cover(array_of({9, 7, 11}, {77, 11, 1}), array_of({9, 7, 11}, {0, 0, 1}));
}

TEST(Space, PartsCoverATransposedAndAReversedArray)
{
    expect_parts_cover(array_of({40, 30}, {30, 1}), array_of({40, 30}, {-1, 40}));
}

TEST(Space, PartsKeepVectorsAligned)
{
    const weft__array y = array_of({1000}, {1});
    const Space s = weft_make_space<2>({&y, &y});
    Space low, high;
    int64_t first[2];
    weft_space_halve(s, low, high, first);
    EXPECT_EQ(first[0], 448);
    EXPECT_EQ(low.count, 448);
    EXPECT_EQ(high.count, 552);
}

} /* namespace */
