/* graph.h - carries out cuDNN's operation graphs in plain loops, node by node: what the nodes say and not what the
 * whole is meant to be. Tensors have four dims. */
#ifndef WEFT_TESTS_EMULATOR_CUDNN_GRAPH_H
#define WEFT_TESTS_EMULATOR_CUDNN_GRAPH_H

#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <stdexcept>
#include <vector>

namespace cudnn
{

/* A descriptor: attributes are kept as the bytes that they were set to. Asking for one that is missing throws. */
struct Descriptor {
    int kind = 0, engine = 0;
    bool finalized = false;
    std::map<int, std::vector<unsigned char>> attributes;

    bool has(int attribute) const
    {
        return attributes.count(attribute) != 0;
    }
    template <class T> std::vector<T> all(int attribute) const
    {
        const std::vector<unsigned char> &bytes = attributes.at(attribute);
        std::vector<T> values(bytes.size() / sizeof(T));
        memcpy(values.data(), bytes.data(), bytes.size());
        return values;
    }
    template <class T> T one(int attribute) const
    {
        return all<T>(attribute).at(0);
    }
    const Descriptor &part(int attribute) const
    {
        return *static_cast<const Descriptor *>(one<void *>(attribute));
    }
};

struct Place {
    int64_t at[4];
};

struct Tensor {
    int64_t id = 0, alignment = 1;
    int64_t shape[4] = {}, strides[4] = {};
    int type = 0;
    bool is_virtual = false, is_scalar = false; /* a scalar is in host memory */
    bool is_written = false;
    char *data = nullptr;
    std::vector<double> values; /* row-major, as rounded to type; empty until read or computed */

    Tensor() = default;
    explicit Tensor(const Descriptor &d);

    int64_t count() const;
    size_t bytes() const; /* of an element */
    size_t span() const;  /* of memory, in bytes */
    int64_t offset(const Place &p) const;
    /* Dims of one element stand for all. */
    double &value(const Place &p);
    void load();  /* values = data */
    void store(); /* data = values */
    void round(); /* values to what type can hold */
};

/* Calls each(place) in row-major order. */
void for_each_place(const int64_t shape[4], const std::function<void(const Place &)> &each);

/* Throws what a graph, or a run of one, is refused for. */
[[noreturn]] void refuse(const char *why);

class Graph
{
  public:
    /* From a GRAPH descriptor; throws if the shapes do not fit each other. */
    explicit Graph(const Descriptor &d);

    /* Tensors that a run has to bring. */
    std::vector<Tensor *> outside();
    /* What is written lies neither in another tensor nor in the work space. */
    bool has_room(const char *workspace, size_t bytes);
    void carry_out();

    /* Properties by which the stand-in refuses or fails graphs. */
    bool dilated() const;
    bool has_step(int64_t step) const;          /* of a convolution */
    bool has_product_over(int64_t terms) const; /* of a matrix product */

  private:
    struct Node {
        int kind = 0, mode = 0;
        int64_t axis = -1;
        std::vector<int64_t> stride, padding, behind, dilation; /* convolutions; padding: before the image */
        std::map<int, int64_t> tensors;                         /* attribute -> id */
    };

    Tensor &of(const Node &n, int attribute);
    Tensor *maybe(const Node &n, int attribute);
    void link(Node &n, const Descriptor &operation, std::initializer_list<int> attributes);
    void add(const Descriptor &operation);
    static void add_convolution(Node &n, const Descriptor &convolution);
    void check(const Node &n);
    void run(Node &n);

    void check_convolution(const Node &n, const int roles[3]);
    void convolve(const Node &n, const int roles[3], int result);
    void pointwise(const Node &n);
    void multiply(const Node &n);
    void reduce(const Node &n);
    void reshape(const Node &n);

    std::map<int64_t, Tensor> tensors;
    std::vector<Node> nodes;
};

} /* namespace cudnn */

#endif
