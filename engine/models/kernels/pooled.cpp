// Convolution, 2 x 2 max pool and ReLU in one pass over the images, and its gradient. See pooled.py for what it is.
//
// Images have their channels last, so the K pixels of a filter's row are K * channels consecutive numbers, here called
// a patch row. Forward, SIMD output channels are computed at a time. Backward, only the winner of each pool window has
// a gradient, so one patch of four is multiplied, and vectors run along patch rows.

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#if defined(__AVX512VL__)
#define MASKED_STORES 1  // there are also 32 registers rather than 16
#include <immintrin.h>
#else
#define MASKED_STORES 0
#endif

namespace {

constexpr int SIMD = 8;
constexpr int CHUNK = 8;          // images that a thread takes at a time; chunks are summed in a fixed order
constexpr std::uint8_t NONE = 4;  // winner of a window that ReLU sets to zero: no gradient

typedef float Vector __attribute__((vector_size(SIMD * sizeof(float)), aligned(sizeof(float))));
typedef std::int32_t IntVector __attribute__((vector_size(SIMD * sizeof(float))));

template <int N>
using Constant = std::integral_constant<int, N>;

struct Shape {
    int count, rows, columns, channels, width, padding;  // width: number of output channels

    int framed_rows() const { return rows + 2 * padding; }
    int framed_line() const { return (columns + 2 * padding) * channels; }
};

inline Vector& at(float* place) { return *reinterpret_cast<Vector*>(place); }
inline const Vector& at(const float* place) { return *reinterpret_cast<const Vector*>(place); }
inline int vectors(int n) { return (n + SIMD - 1) / SIMD; }

// One image in a frame of zeros, and space behind it: whole vectors are read at its end.
struct Frame {
    std::vector<float> numbers;

    explicit Frame(const Shape& s) : numbers(std::size_t(s.framed_rows()) * s.framed_line() + SIMD * SIMD) {}

    void load(const Shape& s, const float* image) {
        for (int row = 0; row < s.rows; ++row)
            std::memcpy(line(s, row), image + std::size_t(row) * s.columns * s.channels, bytes(s));
    }
    void store(const Shape& s, float* image) {
        for (int row = 0; row < s.rows; ++row)
            std::memcpy(image + std::size_t(row) * s.columns * s.channels, line(s, row), bytes(s));
    }

  private:
    float* line(const Shape& s, int row) {
        return numbers.data() + std::size_t(row + s.padding) * s.framed_line() + s.padding * s.channels;
    }
    static std::size_t bytes(const Shape& s) { return std::size_t(s.columns) * s.channels * sizeof(float); }
};

// Results of T pool windows beside each other, each for Q * SIMD output channels of which `left` exist.
template <int K, int T, int Q>
void windows(const Shape& s, const float* image, const float* weight, int stride, const float* bias, int left,
             float* result, std::uint8_t* winner) {
    const int run = K * s.channels, line = s.framed_line(), step = s.channels;
    Vector sum[2][2 * T][Q] = {};
    for (int row = 0; row < K; ++row) {
        const float* upper = image + row * line;
        const float* lower = upper + line;
        for (int n = 0; n < run; ++n, weight += stride) {
#pragma GCC unroll 8
            for (int x = 0; x < 2 * T; ++x)
#pragma GCC unroll 2
                for (int q = 0; q < Q; ++q) {
                    sum[0][x][q] += at(weight + q * SIMD) * upper[n + x * step];
                    sum[1][x][q] += at(weight + q * SIMD) * lower[n + x * step];
                }
        }
    }
    for (int t = 0; t < T; ++t)
        for (int q = 0; q < Q; ++q) {
            Vector best = sum[0][2 * t][q];
            IntVector which = {};
            for (int n = 1; n < 4; ++n) {
                const Vector other = sum[n / 2][2 * t + n % 2][q];
                const IntVector larger = ~(other <= best);  // not a number wins, as in torch
                best = larger ? other : best;
                which = larger ? IntVector{} + n : which;
            }
            best += at(bias + q * SIMD);
            const IntVector inactive = best <= Vector{};
            best = inactive ? Vector{} : best;
            which = inactive ? IntVector{} + NONE : which;
            const int stored = left - q * SIMD < SIMD ? left - q * SIMD : SIMD;
            float* to = result + t * s.width + q * SIMD;
            std::uint8_t* mark = winner + t * s.width + q * SIMD;
#if MASKED_STORES
            const __mmask8 these = __mmask8((1 << stored) - 1);
            _mm256_mask_storeu_ps(to, these, (__m256)best);
            _mm256_mask_cvtepi32_storeu_epi8(mark, these, (__m256i)which);
#else
            for (int n = 0; n < stored; ++n) {
                to[n] = best[n];
                mark[n] = std::uint8_t(which[n]);
            }
#endif
        }
}

template <int K>
void forward(const Shape& s, const float* images, const float* weight, const float* bias, float* results,
             std::uint8_t* winners) {
    const int down = (s.framed_rows() - K + 1) / 2, across = (s.columns + 2 * s.padding - K + 1) / 2;
    const int stride = vectors(s.width) * SIMD, run = K * s.channels;
    std::vector<float> transposed(K * run * stride), biases(stride);  // output channels last, padded to SIMD
    for (int o = 0; o < s.width; ++o) {
        biases[o] = bias[o];
        for (int n = 0; n < K * run; ++n) transposed[n * stride + o] = weight[o * K * run + n];
    }
#pragma omp parallel
    {
        Frame frame(s);
#pragma omp for schedule(dynamic, CHUNK)  // another process may delay one of the threads
        for (int n = 0; n < s.count; ++n) {
            frame.load(s, images + std::size_t(n) * s.rows * s.columns * s.channels);
            for (int y = 0; y < down; ++y)
                for (int o = 0, n_vectors; o < s.width; o += n_vectors * SIMD) {
                    n_vectors = s.width - o > SIMD ? 2 : 1;
                    for (int x = 0, n_windows; x < across; x += n_windows) {
                        const int left = across - x;
                        // as many as fit the registers
                        n_windows = MASKED_STORES && left > 3 && n_vectors == 1 ? 4 : left > 1 ? 2 : 1;
                        const float* image = frame.numbers.data() + 2 * y * s.framed_line() + 2 * x * s.channels;
                        const std::size_t place = ((std::size_t(n) * down + y) * across + x) * s.width + o;
                        const auto of = [&](auto t, auto q) {
                            windows<K, t, q>(s, image, transposed.data() + o, stride, biases.data() + o, s.width - o,
                                             results + place, winners + place);
                        };
                        if (n_windows == 4) of(Constant<4>(), Constant<1>());
                        else if (n_windows == 2 && n_vectors == 2) of(Constant<2>(), Constant<2>());
                        else if (n_windows == 2) of(Constant<2>(), Constant<1>());
                        else if (n_vectors == 2) of(Constant<1>(), Constant<2>());
                        else of(Constant<1>(), Constant<1>());
                    }
                }
        }
    }
}

// R: vectors of a patch row.
template <int K, int R>
void backward(const Shape& s, const float* images, const float* weight, const float* result_grads,
              const std::uint8_t* winners, float* weight_grads, float* bias_grads, float* image_grads) {
    const int down = (s.framed_rows() - K + 1) / 2, across = (s.columns + 2 * s.padding - K + 1) / 2;
    const int n_windows = down * across, run = K * s.channels, line = s.framed_line();
    const int patch = K * R * SIMD, chunks = (s.count + CHUNK - 1) / CHUNK;
    const std::size_t image_size = std::size_t(s.rows) * s.columns * s.channels;
    std::vector<float> sums(std::size_t(chunks) * s.width * (patch + 1));  // by chunk: [width][patch], then [width]
    std::vector<float> filters(image_grads ? std::size_t(s.width) * patch : 0);
    for (std::size_t o = 0; o < filters.size() / patch; ++o)
        for (int row = 0; row < K; ++row)
            std::memcpy(&filters[o * patch + row * R * SIMD], weight + (o * K + row) * run, run * sizeof(float));
    const int corner[5] = {0, s.channels, line, line + s.channels, 0};  // where in its window a winner's patch begins

#pragma omp parallel
    {
        Frame frame(s), framed_grads(s);
        std::vector<float> grad(std::size_t(n_windows) * s.width), corner_grads(4 * patch);  // by corner
        std::vector<int> start(grad.size()), end_of(s.width);  // patches of the gradients that are not zero, by channel
#pragma omp for schedule(dynamic)
        for (int chunk = 0; chunk < chunks; ++chunk) {
            float* sum = sums.data() + std::size_t(chunk) * s.width * (patch + 1);
            const int end = (chunk + 1) * CHUNK < s.count ? (chunk + 1) * CHUNK : s.count;
            for (int n = chunk * CHUNK; n < end; ++n) {
                const float* image_result_grads = result_grads + std::size_t(n) * n_windows * s.width;
                const std::uint8_t* image_winners = winners + std::size_t(n) * n_windows * s.width;
                for (int o = 0; o < s.width; ++o) end_of[o] = o * n_windows;
                for (int p = 0; p < n_windows; ++p) {
                    const int window = 2 * (p / across) * line + 2 * (p % across) * s.channels;
                    for (int o = 0; o < s.width; ++o) {
                        const int which = image_winners[p * s.width + o];
                        grad[end_of[o]] = image_result_grads[p * s.width + o];
                        start[end_of[o]] = window + corner[which];
                        end_of[o] += which != NONE;
                    }
                }

                frame.load(s, images + n * image_size);
                for (int o = 0; o < s.width; ++o) {
                    Vector weight_grad[K][R] = {};
                    float bias_grad = 0;
                    for (int p = o * n_windows; p < end_of[o]; ++p) {
                        const float* place = frame.numbers.data() + start[p];
                        bias_grad += grad[p];
#pragma GCC unroll 5
                        for (int row = 0; row < K; ++row)
#pragma GCC unroll 8
                            for (int r = 0; r < R; ++r)
                                weight_grad[row][r] += at(place + row * line + r * SIMD) * grad[p];
                    }
                    for (int row = 0; row < K; ++row)
                        for (int r = 0; r < R; ++r) at(sum + o * patch + (row * R + r) * SIMD) += weight_grad[row][r];
                    sum[s.width * patch + o] += bias_grad;
                }

                if (!image_grads) continue;
                std::memset(framed_grads.numbers.data(), 0, framed_grads.numbers.size() * sizeof(float));
                for (int p = 0; p < n_windows; ++p) {
                    std::memset(corner_grads.data(), 0, corner_grads.size() * sizeof(float));
                    for (int o = 0; o < s.width; ++o) {
                        const int which = image_winners[p * s.width + o];
                        if (which == NONE) continue;
                        const float grad = image_result_grads[p * s.width + o];
                        float* to = corner_grads.data() + which * patch;
                        const float* filter = filters.data() + o * patch;
#pragma GCC unroll 5
                        for (int r = 0; r < K * R; ++r) at(to + r * SIMD) += at(filter + r * SIMD) * grad;
                    }
                    const int window = 2 * (p / across) * line + 2 * (p % across) * s.channels;
                    float* place = framed_grads.numbers.data() + window;
                    for (int mark = 0; mark < 4; ++mark)
                        for (int row = 0; row < K; ++row)
                            for (int r = 0; r < R; ++r)
                                at(place + corner[mark] + row * line + r * SIMD) +=
                                    at(corner_grads.data() + mark * patch + (row * R + r) * SIMD);
                }
                framed_grads.store(s, image_grads + n * image_size);
            }
        }
    }
    std::memset(weight_grads, 0, std::size_t(s.width) * K * run * sizeof(float));
    std::memset(bias_grads, 0, s.width * sizeof(float));
    for (int chunk = 0; chunk < chunks; ++chunk) {
        const float* sum = sums.data() + std::size_t(chunk) * s.width * (patch + 1);
        for (int o = 0; o < s.width; ++o) {
            bias_grads[o] += sum[s.width * patch + o];
            for (int row = 0; row < K; ++row)
                for (int n = 0; n < run; ++n)
                    weight_grads[(o * K + row) * run + n] += sum[o * patch + row * R * SIMD + n];
        }
    }
}

template <int K>
int backward_of(const Shape& s, const float* images, const float* weight, const float* result_grads,
                const std::uint8_t* winners, float* weight_grads, float* bias_grads, float* image_grads) {
    const auto of = [&](auto kernel) {
        kernel(s, images, weight, result_grads, winners, weight_grads, bias_grads, image_grads);
        return 0;
    };
    switch (vectors(K * s.channels)) {
        case 1: return of(backward<K, 1>);
        case 2: return of(backward<K, 2>);
        case 3: return of(backward<K, 3>);
        case 4: return of(backward<K, 4>);
        case 5: return K == 3 ? of(backward<K, 5>) : 1;
        case 6: return K == 3 ? of(backward<K, 6>) : 1;
        default: return 1;
    }
}

}  // namespace

// Arrays are contiguous float32, channels last: images (count, rows, columns, channels), weight (width, K, K,
// channels), bias (width), results and result_grads (count, down, across, width); winners are uint8 in the shape of the
// results. Both functions return 0, or 1 where there is no code for the shape.

extern "C" int pooled_forward(int count, int rows, int columns, int channels, int width, int kernel, int padding,
                              const float* images, const float* weight, const float* bias, float* results,
                              std::uint8_t* winners) {
    const Shape s{count, rows, columns, channels, width, padding};
    if (kernel == 3) forward<3>(s, images, weight, bias, results, winners);
    else if (kernel == 5) forward<5>(s, images, weight, bias, results, winners);
    else return 1;
    return 0;
}

extern "C" int pooled_backward(int count, int rows, int columns, int channels, int width, int kernel, int padding,
                               const float* images, const float* weight, const float* result_grads,
                               const std::uint8_t* winners, float* weight_grads, float* bias_grads,
                               float* image_grads) {
    const Shape s{count, rows, columns, channels, width, padding};
    const auto of = [&](auto k) {
        return backward_of<k>(s, images, weight, result_grads, winners, weight_grads, bias_grads, image_grads);
    };
    return kernel == 3 ? of(Constant<3>()) : kernel == 5 ? of(Constant<5>()) : 1;
}
