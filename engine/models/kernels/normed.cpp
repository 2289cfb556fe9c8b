// Batch norm, 2 x 2 max pool and ReLU of bfloat16 in two passes over memory each way, and the gradient of a
// convolution's weights. See normed.py for what it is.
//
// Arrays have their channels last, and a multiple of SIMD of them. Inputs and results are bfloat16 (the upper half of
// a float32); sums are float32 or double. Sums over images are taken over chunks of fixed size, so that they do not
// depend on the number of threads.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace {

constexpr int SIMD = 16;
constexpr int CHUNK = 8;          // images that are summed by one thread
constexpr std::uint8_t NONE = 4;  // winner of a window that ReLU sets to zero: no gradient

typedef std::uint16_t BFloat16;
typedef BFloat16 BFloat16s __attribute__((vector_size(SIMD * sizeof(BFloat16)), aligned(sizeof(BFloat16))));
typedef float Vector __attribute__((vector_size(SIMD * sizeof(float)), aligned(sizeof(float))));
typedef std::uint32_t UInts __attribute__((vector_size(SIMD * sizeof(float))));
typedef std::int32_t Ints __attribute__((vector_size(SIMD * sizeof(float))));
typedef std::uint8_t Bytes __attribute__((vector_size(SIMD), aligned(1)));

inline Vector& at(float* place) { return *reinterpret_cast<Vector*>(place); }
inline Vector at(const float* place) { return *reinterpret_cast<const Vector*>(place); }
inline Bytes& at(std::uint8_t* place) { return *reinterpret_cast<Bytes*>(place); }
inline Bytes at(const std::uint8_t* place) { return *reinterpret_cast<const Bytes*>(place); }

inline Vector load(const BFloat16* place) {
    return (Vector)(__builtin_convertvector(*reinterpret_cast<const BFloat16s*>(place), UInts) << 16);
}
inline void store(BFloat16* place, Vector x) {  // rounds to nearest even; not a number stays so
#ifdef __AVX512BF16__
    const __m256bh nearest = _mm512_cvtneps_pbh((__m512)x);
    std::memcpy(place, &nearest, sizeof nearest);
#else
    const UInts bits = (UInts)x, odd = bits >> 16 & 1;
    const UInts rounded = bits + 0x7fff + odd, kept = x == x ? rounded : UInts{} + 0x7fc00000;
    *reinterpret_cast<BFloat16s*>(place) = __builtin_convertvector(kept >> 16, BFloat16s);
#endif
}

// Of the input. `pool` is 2 where a 2 x 2 max pool follows, else 1.
template <int pool>
struct Shape {
    int count, rows, columns, channels;

    std::size_t size() const { return std::size_t(rows) * columns * channels; }
    int down() const { return rows / pool; }
    int across() const { return columns / pool; }
    int corner(int mark) const { return (mark / 2 * columns + mark % 2) * channels; }
    std::size_t place(int n, int y, int x) const { return ((std::size_t(n) * down() + y) * across() + x) * channels; }
    std::size_t window(int n, int y, int x) const {  // its first number
        return ((std::size_t(n) * rows + pool * y) * columns + pool * x) * channels;
    }
};

// Calls of(n, sums) for each image n, to add to its chunk's `n_sums` sums; returns those of all chunks, added in order.
template <class Of>
std::vector<double> sum_over_images(int count, int n_sums, Of of) {
    const int chunks = (count + CHUNK - 1) / CHUNK;
    std::vector<float> sums(std::size_t(chunks) * n_sums);
#pragma omp parallel for schedule(static)
    for (int chunk = 0; chunk < chunks; ++chunk)
        for (int n = chunk * CHUNK; n < (chunk + 1) * CHUNK && n < count; ++n)
            of(n, &sums[std::size_t(chunk) * n_sums]);
    std::vector<double> all(n_sums);
    for (int chunk = 0; chunk < chunks; ++chunk)
        for (int i = 0; i < n_sums; ++i) all[i] += sums[std::size_t(chunk) * n_sums + i];
    return all;
}

// relu of the largest number of a pool window, and which of its four places it is at, or NONE.
struct Largest {
    Vector value;
    Ints which;
};

template <int pool>
inline Largest largest(const Shape<pool>& s, const BFloat16* window, Vector scale, Vector shift) {
    Largest window_max{load(window) * scale + shift, Ints{}};
    for (int mark = 1; mark < pool * pool; ++mark) {
        const Vector other = load(window + s.corner(mark)) * scale + shift;
        const Ints larger = ~(other <= window_max.value);  // not a number wins, as in torch
        window_max.value = larger ? other : window_max.value;
        window_max.which = larger ? Ints{} + mark : window_max.which;
    }
    const Ints inactive = window_max.value <= Vector{};
    window_max.value = inactive ? Vector{} : window_max.value;
    window_max.which = inactive ? Ints{} + NONE : window_max.which;
    return window_max;
}

// results = relu(pool(x * scale + shift)), with a scale and shift for each channel; winners unless null.
template <int pool>
void apply(const Shape<pool>& s, const BFloat16* x, const float* scale, const float* shift, BFloat16* result,
             std::uint8_t* winners) {
#pragma omp parallel for schedule(static)
    for (int n = 0; n < s.count; ++n)
        for (int y = 0; y < s.down(); ++y)
            for (int z = 0; z < s.across(); ++z) {
                const BFloat16* window = x + s.window(n, y, z);
                const std::size_t place = s.place(n, y, z);
                for (int i = 0; i < s.channels; i += SIMD) {
                    const Largest window_max = largest(s, window + i, at(scale + i), at(shift + i));
                    store(result + place + i, window_max.value);
                    if (winners) at(winners + place + i) = __builtin_convertvector(window_max.which, Bytes);
                }
            }
}

template <int pool>
void forward(const Shape<pool>& s, const BFloat16* x, const float* weight, const float* bias, double eps,
             BFloat16* result, std::uint8_t* winners, float* mean, float* variance) {
    const int c = s.channels, places = s.rows * s.columns;
    if (winners) {
        const std::vector<double> sums = sum_over_images(s.count, 2 * c, [&](int n, float* sum) {
            for (int i = 0; i < c; i += SIMD) {
                Vector total = at(sum + i), squares = at(sum + c + i);
                const BFloat16* image = x + n * s.size() + i;
                for (int p = 0; p < places; ++p) {
                    const Vector value = load(image + std::size_t(p) * c);
                    total += value;
                    squares += value * value;
                }
                at(sum + i) = total;
                at(sum + c + i) = squares;
            }
        });
        const double many = double(s.count) * places;
        for (int i = 0; i < c; ++i) {
            const double center = sums[i] / many, square = sums[c + i] / many - center * center;
            mean[i] = float(center);
            variance[i] = float(square > 0 ? square : square == square ? 0 : square);
        }
    }
    std::vector<float> scale(c), shift(c);
    for (int i = 0; i < c; ++i) {
        scale[i] = float(weight[i] / std::sqrt(variance[i] + eps));
        shift[i] = float(bias[i] - mean[i] * scale[i]);
    }
    apply(s, x, scale.data(), shift.data(), result, winners);
}

// From the gradient of the result, `result_grads`, to those of x, weight and bias.
template <int pool>
void backward(const Shape<pool>& s, const BFloat16* x, const float* weight, const float* mean, const float* variance,
              double eps, const BFloat16* result_grads, const std::uint8_t* winners, BFloat16* x_grads,
              float* weight_grads, float* bias_grads) {
    const int c = s.channels;
    std::vector<float> inverse(c);
    for (int i = 0; i < c; ++i) inverse[i] = float(1 / std::sqrt(variance[i] + eps));
    const std::vector<double> sums = sum_over_images(s.count, 2 * c, [&](int n, float* sum) {
        for (int i = 0; i < c; i += SIMD) {
            Vector grad_sum = at(sum + i), product_sum = at(sum + c + i), center = at(mean + i);
            for (int y = 0; y < s.down(); ++y)
                for (int z = 0; z < s.across(); ++z) {
                    const std::size_t place = s.place(n, y, z) + i, window = s.window(n, y, z) + i;
                    const Ints mark = __builtin_convertvector(at(winners + place), Ints);
                    Vector value = load(x + window), grad = load(result_grads + place);
                    for (int other = 1; other < pool * pool; ++other)
                        value = mark == other ? load(x + window + s.corner(other)) : value;
                    grad = mark == NONE ? Vector{} : grad;
                    grad_sum += grad;
                    product_sum += grad * (value - center);
                }
            at(sum + i) = grad_sum;
            at(sum + c + i) = product_sum;
        }
    });
    // gradient of x = scale * (grad - mean(grad) - normalised x * mean(grad * normalised x)) = grad * a + x * b + d
    std::vector<float> a(c), b(c), d(c);
    const double many = double(s.count) * s.rows * s.columns;
    for (int i = 0; i < c; ++i) {
        bias_grads[i] = float(sums[i]);
        weight_grads[i] = float(sums[c + i] * inverse[i]);
        a[i] = weight[i] * inverse[i];
        b[i] = float(-a[i] * sums[c + i] / many * inverse[i] * inverse[i]);
        d[i] = float(-a[i] * sums[i] / many - double(b[i]) * mean[i]);
    }
#pragma omp parallel for schedule(static)
    for (int n = 0; n < s.count; ++n)
        for (int y = 0; y < s.down(); ++y)
            for (int z = 0; z < s.across(); ++z) {
                const std::size_t place = s.place(n, y, z), window = s.window(n, y, z);
                for (int i = 0; i < c; i += SIMD) {
                    const Ints mark = __builtin_convertvector(at(winners + place + i), Ints);
                    const Vector grad = load(result_grads + place + i) * at(&a[i]);
                    for (int own = 0; own < pool * pool; ++own) {
                        const std::size_t corner = window + s.corner(own) + i;
                        const Vector given = mark == own ? grad : Vector{};
                        store(x_grads + corner, given + load(x + corner) * at(&b[i]) + at(&d[i]));
                    }
                }
            }
}

#ifdef __AVX512BF16__

constexpr int SIDE = 3;    // rows and columns of a filter
constexpr int OUT_CHANNELS = 16;   // output channels at a time
constexpr int PARTS = 8;   // of the batch, each summed by one thread
constexpr std::size_t CACHE = 100000;  // numbers of the images that stay in the cache while all filters use them

// Interleaves two images number by number, in a frame of zeros that is `frame` pixels wide: the processor multiplies
// and adds bfloat16 numbers in pairs. The second image is zeros if null.
void interleave(const BFloat16* first, const BFloat16* second, int rows, int columns, int channels, int frame,
                std::uint32_t* to) {
    const std::size_t line = std::size_t(columns + 2 * frame) * channels;
    std::memset(to, 0, (rows + 2 * frame) * line * sizeof *to);
    for (int y = 0; y < rows; ++y) {
        std::uint32_t* out = to + (y + frame) * line + std::size_t(frame) * channels;
        const std::size_t from = std::size_t(y) * columns * channels;
        for (int i = 0; i < columns * channels; i += SIMD) {
            const UInts low = __builtin_convertvector(*reinterpret_cast<const BFloat16s*>(first + from + i), UInts);
            UInts high{};
            if (second) high = __builtin_convertvector(*reinterpret_cast<const BFloat16s*>(second + from + i), UInts);
            const UInts both = low | high << 16;
            std::memcpy(out + i, &both, sizeof both);
        }
    }
}

// Adds to sums the products of SIMD input channels with OUT_CHANNELS output channels, over all places of `pairs` of
// images.
void products(int pairs, int down, int across, int stride, const std::uint32_t* x, std::size_t x_pair, int x_line,
              int channels, const std::uint32_t* result_grads, int width, float* sums, std::size_t filter) {
    __m512 sum[OUT_CHANNELS];
    for (int o = 0; o < OUT_CHANNELS; ++o) sum[o] = _mm512_loadu_ps(sums + o * filter);
    for (int n = 0; n < pairs; ++n)
        for (int y = 0; y < down; ++y) {
            const std::uint32_t* place = x + n * x_pair + std::size_t(y) * stride * x_line;
            const std::uint32_t* grad = result_grads + (std::size_t(n) * down + y) * across * width;
            for (int z = 0; z < across; ++z, place += stride * channels, grad += width) {
                const __m512bh value = (__m512bh)_mm512_loadu_si512(place);
#pragma GCC unroll 16
                for (int o = 0; o < OUT_CHANNELS; ++o)
                    sum[o] = _mm512_dpbf16_ps(sum[o], value, (__m512bh)_mm512_set1_epi32(int(grad[o])));
            }
        }
    for (int o = 0; o < OUT_CHANNELS; ++o) _mm512_storeu_ps(sums + o * filter, sum[o]);
}

// weight_grads (width, SIDE, SIDE, channels), of a 3 x 3 convolution with padding 1.
void weight_gradient(int count, int rows, int columns, int channels, int width, int stride, const BFloat16* x,
                     const BFloat16* result_grads, float* weight_grads) {
    const int down = (rows - 1) / stride + 1, across = (columns - 1) / stride + 1, pairs = (count + 1) / 2;
    const int line = (columns + 2) * channels;
    const std::size_t framed = std::size_t(rows + 2) * line, out = std::size_t(down) * across * width;
    const std::size_t filter = std::size_t(SIDE) * SIDE * channels, image = std::size_t(rows) * columns * channels;
    const std::size_t whole = width * filter;
    const int most = int(1 + CACHE / (framed + out)), part = (pairs + PARTS - 1) / PARTS;
    const int block = part < most ? part : most;
    std::vector<float> sums(PARTS * whole);
#pragma omp parallel
    {
        std::vector<std::uint32_t> inner(block * framed), outer(block * out);
#pragma omp for schedule(static)
        for (int n = 0; n < PARTS; ++n) {
            const int end = (n + 1) * part < pairs ? (n + 1) * part : pairs;
            for (int from = n * part; from < end; from += block) {
                const int some = end - from < block ? end - from : block;
                for (int m = 0; m < some; ++m) {
                    const BFloat16 *first = x + 2 * (from + m) * image, *grad = result_grads + 2 * (from + m) * out;
                    const bool two = 2 * (from + m) + 1 < count;
                    interleave(first, two ? first + image : nullptr, rows, columns, channels, 1, &inner[m * framed]);
                    interleave(grad, two ? grad + out : nullptr, down, across, width, 0, &outer[m * out]);
                }
                for (int tap = 0; tap < SIDE * SIDE; ++tap)
                    for (int o = 0; o < width; o += OUT_CHANNELS)
                        for (int i = 0; i < channels; i += SIMD)
                            products(some, down, across, stride, &inner[tap / SIDE * line + tap % SIDE * channels + i],
                                     framed, line, channels, &outer[o], width,
                                     &sums[n * whole + o * filter + tap * channels + i], filter);
            }
        }
#pragma omp for schedule(static)
        for (int o = 0; o < width; ++o)
            for (std::size_t i = o * filter; i < (o + 1) * filter; ++i) {
                float sum = 0;
                for (int n = 0; n < PARTS; ++n) sum += sums[n * whole + i];
                weight_grads[i] = sum;
            }
    }
}

#endif

}  // namespace

// results = relu(pool(batch norm of x)). Unless winners is null, mean and variance are computed from x and stored; else
// they are read.
extern "C" int normed_forward(int count, int rows, int columns, int channels, int pool, const BFloat16* x,
                              const float* weight, const float* bias, double eps, BFloat16* result,
                              std::uint8_t* winners, float* mean, float* variance) {
    const auto of = [&](auto s) { forward(s, x, weight, bias, eps, result, winners, mean, variance); };
    if (pool == 1) of(Shape<1>{count, rows, columns, channels});
    else of(Shape<2>{count, rows, columns, channels});
    return 0;
}

extern "C" int normed_backward(int count, int rows, int columns, int channels, int pool, const BFloat16* x,
                               const float* weight, const float* mean, const float* variance, double eps,
                               const BFloat16* result_grads, const std::uint8_t* winners, BFloat16* x_grads,
                               float* weight_grads, float* bias_grads) {
    const auto of = [&](auto s) {
        backward(s, x, weight, mean, variance, eps, result_grads, winners, x_grads, weight_grads, bias_grads);
    };
    if (pool == 1) of(Shape<1>{count, rows, columns, channels});
    else of(Shape<2>{count, rows, columns, channels});
    return 0;
}

// 1 if this was compiled for a processor that multiplies bfloat16.
extern "C" int normed_available() {
#ifdef __AVX512BF16__
    return 1;
#else
    return 0;
#endif
}

// The gradient of the weights of a 3 x 3 convolution with padding 1. Returns 0, or 1 where there is no code for it.
extern "C" int normed_weight_grads(int count, int rows, int columns, int channels, int width, int stride,
                                   const BFloat16* x, const BFloat16* result_grads, float* weight_grads) {
#ifdef __AVX512BF16__
    if (channels % SIMD || width % OUT_CHANNELS) return 1;
    weight_gradient(count, rows, columns, channels, width, stride, x, result_grads, weight_grads);
    return 0;
#else
    return 1;
#endif
}
