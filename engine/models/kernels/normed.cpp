// Batch norm, 2 x 2 max pool and ReLU of bfloat16 in two passes over memory each way, and the gradient of a
// convolution's weights. See normed.py for what it is.
//
// Arrays lie with their channels last, and their channels are a multiple of LANES. What comes in and goes out is
// bfloat16 (the upper half of a float); all sums are float or double. Sums over images are taken in chunks of fixed
// size, so that they do not depend on the number of threads.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#ifdef __AVX512BF16__
#include <immintrin.h>
#endif

namespace {

constexpr int LANES = 16;
constexpr int CHUNK = 8;          // images whose sums belong together
constexpr std::uint8_t NONE = 4;  // the winner was not above zero: no gradient

typedef std::uint16_t Half;
typedef Half Halves __attribute__((vector_size(LANES * sizeof(Half)), aligned(sizeof(Half))));
typedef float Lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));
typedef std::uint32_t Words __attribute__((vector_size(LANES * sizeof(float))));
typedef std::int32_t Marks __attribute__((vector_size(LANES * sizeof(float))));
typedef std::uint8_t Bytes __attribute__((vector_size(LANES), aligned(1)));

inline Lanes& at(float* place) { return *reinterpret_cast<Lanes*>(place); }
inline Lanes at(const float* place) { return *reinterpret_cast<const Lanes*>(place); }
inline Bytes& at(std::uint8_t* place) { return *reinterpret_cast<Bytes*>(place); }
inline Bytes at(const std::uint8_t* place) { return *reinterpret_cast<const Bytes*>(place); }

inline Lanes get(const Half* place) {
    return (Lanes)(__builtin_convertvector(*reinterpret_cast<const Halves*>(place), Words) << 16);
}
inline void put(Half* place, Lanes x) {  // the nearest, to even; what is not a number stays so
#ifdef __AVX512BF16__
    const __m256bh nearest = _mm512_cvtneps_pbh((__m512)x);
    std::memcpy(place, &nearest, sizeof nearest);
#else
    const Words bits = (Words)x, odd = bits >> 16 & 1;
    const Words rounded = bits + 0x7fff + odd, kept = x == x ? rounded : Words{} + 0x7fc00000;
    *reinterpret_cast<Halves*>(place) = __builtin_convertvector(kept >> 16, Halves);
#endif
}

// `pool` is 2 where a max pool follows, else 1. Rows and columns are those before it.
template <int pool>
struct Shape {
    int count, rows, columns, channels;

    std::size_t size() const { return std::size_t(rows) * columns * channels; }
    int down() const { return rows / pool; }
    int across() const { return columns / pool; }
    int corner(int mark) const { return (mark / 2 * columns + mark % 2) * channels; }
    std::size_t place(int n, int y, int x) const { return ((std::size_t(n) * down() + y) * across() + x) * channels; }
    std::size_t window(int n, int y, int x) const {  // where it begins
        return ((std::size_t(n) * rows + pool * y) * columns + pool * x) * channels;
    }
};

// Calls `of(image, sums)` for each image; adds up what its chunks have put into sums (`wide` numbers) in their order.
template <class Of>
std::vector<double> gathered(int count, int wide, Of of) {
    const int chunks = (count + CHUNK - 1) / CHUNK;
    std::vector<float> sums(std::size_t(chunks) * wide);
#pragma omp parallel for schedule(static)
    for (int chunk = 0; chunk < chunks; ++chunk)
        for (int n = chunk * CHUNK; n < (chunk + 1) * CHUNK && n < count; ++n) of(n, &sums[std::size_t(chunk) * wide]);
    std::vector<double> all(wide);
    for (int chunk = 0; chunk < chunks; ++chunk)
        for (int i = 0; i < wide; ++i) all[i] += sums[std::size_t(chunk) * wide + i];
    return all;
}

// The largest of a pool window after x * scale + shift, and which it was.
struct Best {
    Lanes value;
    Marks which;
};

template <int pool>
inline Best best(const Shape<pool>& s, const Half* window, Lanes scale, Lanes shift) {
    Best found{get(window) * scale + shift, Marks{}};
    for (int mark = 1; mark < pool * pool; ++mark) {
        const Lanes other = get(window + s.corner(mark)) * scale + shift;
        const Marks more = ~(other <= found.value);  // not a number wins, as in torch
        found.value = more ? other : found.value;
        found.which = more ? Marks{} + mark : found.which;
    }
    const Marks off = found.value <= Lanes{};
    found.value = off ? Lanes{} : found.value;
    found.which = off ? Marks{} + NONE : found.which;
    return found;
}

// relu(pool(x * scale + shift)), by channel; winners only where they are wanted.
template <int pool>
void applied(const Shape<pool>& s, const Half* x, const float* scale, const float* shift, Half* result,
             std::uint8_t* winners) {
#pragma omp parallel for schedule(static)
    for (int n = 0; n < s.count; ++n)
        for (int y = 0; y < s.down(); ++y)
            for (int z = 0; z < s.across(); ++z) {
                const Half* window = x + s.window(n, y, z);
                const std::size_t place = s.place(n, y, z);
                for (int i = 0; i < s.channels; i += LANES) {
                    const Best found = best(s, window + i, at(scale + i), at(shift + i));
                    put(result + place + i, found.value);
                    if (winners) at(winners + place + i) = __builtin_convertvector(found.which, Bytes);
                }
            }
}

template <int pool>
void forward(const Shape<pool>& s, const Half* x, const float* weight, const float* bias, double eps, Half* result,
             std::uint8_t* winners, float* mean, float* spread) {
    const int c = s.channels, places = s.rows * s.columns;
    if (winners) {
        const std::vector<double> sums = gathered(s.count, 2 * c, [&](int n, float* sum) {
            for (int i = 0; i < c; i += LANES) {
                Lanes once = at(sum + i), twice = at(sum + c + i);
                const Half* image = x + n * s.size() + i;
                for (int p = 0; p < places; ++p) {
                    const Lanes value = get(image + std::size_t(p) * c);
                    once += value;
                    twice += value * value;
                }
                at(sum + i) = once;
                at(sum + c + i) = twice;
            }
        });
        const double many = double(s.count) * places;
        for (int i = 0; i < c; ++i) {
            const double middle = sums[i] / many, square = sums[c + i] / many - middle * middle;
            mean[i] = float(middle);
            spread[i] = float(square > 0 ? square : square == square ? 0 : square);
        }
    }
    std::vector<float> scale(c), shift(c);
    for (int i = 0; i < c; ++i) {
        scale[i] = float(weight[i] / std::sqrt(spread[i] + eps));
        shift[i] = float(bias[i] - mean[i] * scale[i]);
    }
    applied(s, x, scale.data(), shift.data(), result, winners);
}

// `slopes` are those of the result; of x go out, and of weight and bias.
template <int pool>
void backward(const Shape<pool>& s, const Half* x, const float* weight, const float* mean, const float* spread, double eps,
              const Half* slopes, const std::uint8_t* winners, Half* x_slopes, float* weight_slopes,
              float* bias_slopes) {
    const int c = s.channels;
    std::vector<float> inverse(c);
    for (int i = 0; i < c; ++i) inverse[i] = float(1 / std::sqrt(spread[i] + eps));
    const std::vector<double> sums = gathered(s.count, 2 * c, [&](int n, float* sum) {
        for (int i = 0; i < c; i += LANES) {
            Lanes given = at(sum + i), along = at(sum + c + i), middle = at(mean + i);
            for (int y = 0; y < s.down(); ++y)
                for (int z = 0; z < s.across(); ++z) {
                    const std::size_t place = s.place(n, y, z) + i, window = s.window(n, y, z) + i;
                    const Marks mark = __builtin_convertvector(at(winners + place), Marks);
                    Lanes value = get(x + window), slope = get(slopes + place);
                    for (int other = 1; other < pool * pool; ++other)
                        value = mark == other ? get(x + window + s.corner(other)) : value;
                    slope = mark == NONE ? Lanes{} : slope;
                    given += slope;
                    along += slope * (value - middle);
                }
            at(sum + i) = given;
            at(sum + c + i) = along;
        }
    });
    // of x: scale * (slope - mean slope - normalised x * mean of slope * normalised x) = slope * a + x * b + d
    std::vector<float> a(c), b(c), d(c);
    const double many = double(s.count) * s.rows * s.columns;
    for (int i = 0; i < c; ++i) {
        bias_slopes[i] = float(sums[i]);
        weight_slopes[i] = float(sums[c + i] * inverse[i]);
        a[i] = weight[i] * inverse[i];
        b[i] = float(-a[i] * sums[c + i] / many * inverse[i] * inverse[i]);
        d[i] = float(-a[i] * sums[i] / many - double(b[i]) * mean[i]);
    }
#pragma omp parallel for schedule(static)
    for (int n = 0; n < s.count; ++n)
        for (int y = 0; y < s.down(); ++y)
            for (int z = 0; z < s.across(); ++z) {
                const std::size_t place = s.place(n, y, z), window = s.window(n, y, z);
                for (int i = 0; i < c; i += LANES) {
                    const Marks mark = __builtin_convertvector(at(winners + place + i), Marks);
                    const Lanes slope = get(slopes + place + i) * at(&a[i]);
                    for (int own = 0; own < pool * pool; ++own) {
                        const std::size_t corner = window + s.corner(own) + i;
                        const Lanes given = mark == own ? slope : Lanes{};
                        put(x_slopes + corner, given + get(x + corner) * at(&b[i]) + at(&d[i]));
                    }
                }
            }
}

#ifdef __AVX512BF16__

constexpr int SIDE = 3;    // of the filters
constexpr int WIDE = 16;   // output channels at a time
constexpr int PARTS = 8;   // of the batch, each summed by one thread
constexpr std::size_t CACHE = 100000;  // numbers of the pairs of images that go through all filters together

// Two images lie in one another, number by number, since the processor multiplies and adds numbers in pairs; the
// first of them in a frame of zeros that is `frame` wide.
void pair(const Half* first, const Half* second, int rows, int columns, int channels, int frame, std::uint32_t* to) {
    const std::size_t line = std::size_t(columns + 2 * frame) * channels;
    std::memset(to, 0, (rows + 2 * frame) * line * sizeof *to);
    for (int y = 0; y < rows; ++y) {
        std::uint32_t* out = to + (y + frame) * line + std::size_t(frame) * channels;
        const std::size_t from = std::size_t(y) * columns * channels;
        for (int i = 0; i < columns * channels; i += LANES) {
            const Words low = __builtin_convertvector(*reinterpret_cast<const Halves*>(first + from + i), Words);
            Words high{};
            if (second) high = __builtin_convertvector(*reinterpret_cast<const Halves*>(second + from + i), Words);
            const Words both = low | high << 16;
            std::memcpy(out + i, &both, sizeof both);
        }
    }
}

// Adds the products of LANES input channels with WIDE output channels, over all places of `pairs` pairs.
void products(int pairs, int down, int across, int stride, const std::uint32_t* x, std::size_t x_pair, int x_line,
              int channels, const std::uint32_t* slopes, int width, float* sums, std::size_t filter) {
    __m512 sum[WIDE];
    for (int o = 0; o < WIDE; ++o) sum[o] = _mm512_loadu_ps(sums + o * filter);
    for (int n = 0; n < pairs; ++n)
        for (int y = 0; y < down; ++y) {
            const std::uint32_t* place = x + n * x_pair + std::size_t(y) * stride * x_line;
            const std::uint32_t* slope = slopes + (std::size_t(n) * down + y) * across * width;
            for (int z = 0; z < across; ++z, place += stride * channels, slope += width) {
                const __m512bh value = (__m512bh)_mm512_loadu_si512(place);
#pragma GCC unroll 16
                for (int o = 0; o < WIDE; ++o)
                    sum[o] = _mm512_dpbf16_ps(sum[o], value, (__m512bh)_mm512_set1_epi32(int(slope[o])));
            }
        }
    for (int o = 0; o < WIDE; ++o) _mm512_storeu_ps(sums + o * filter, sum[o]);
}

// weight_slopes: (width, SIDE, SIDE, channels).
void filters(int count, int rows, int columns, int channels, int width, int stride, const Half* x, const Half* slopes,
             float* weight_slopes) {
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
                    const Half *first = x + 2 * (from + m) * image, *slope = slopes + 2 * (from + m) * out;
                    const bool two = 2 * (from + m) + 1 < count;
                    pair(first, two ? first + image : nullptr, rows, columns, channels, 1, &inner[m * framed]);
                    pair(slope, two ? slope + out : nullptr, down, across, width, 0, &outer[m * out]);
                }
                for (int tap = 0; tap < SIDE * SIDE; ++tap)
                    for (int o = 0; o < width; o += WIDE)
                        for (int i = 0; i < channels; i += LANES)
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
                weight_slopes[i] = sum;
            }
    }
}

#endif

}  // namespace

// Without winners it takes mean and spread as they are given; else it computes them.
extern "C" int normed_forward(int count, int rows, int columns, int channels, int pool, const Half* x,
                              const float* weight, const float* bias, double eps, Half* result, std::uint8_t* winners,
                              float* mean, float* spread) {
    const auto of = [&](auto s) { forward(s, x, weight, bias, eps, result, winners, mean, spread); };
    if (pool == 1) of(Shape<1>{count, rows, columns, channels});
    else of(Shape<2>{count, rows, columns, channels});
    return 0;
}

extern "C" int normed_backward(int count, int rows, int columns, int channels, int pool, const Half* x,
                               const float* weight, const float* mean, const float* spread, double eps,
                               const Half* slopes, const std::uint8_t* winners, Half* x_slopes, float* weight_slopes,
                               float* bias_slopes) {
    const auto of = [&](auto s) {
        backward(s, x, weight, mean, spread, eps, slopes, winners, x_slopes, weight_slopes, bias_slopes);
    };
    if (pool == 1) of(Shape<1>{count, rows, columns, channels});
    else of(Shape<2>{count, rows, columns, channels});
    return 0;
}

// Whether it has been compiled for a processor that multiplies bfloat16.
extern "C" int normed_here() {
#ifdef __AVX512BF16__
    return 1;
#else
    return 0;
#endif
}

// Of a convolution with 3 x 3 filters and padding 1; answers 1 where there is no code for it.
extern "C" int normed_filters(int count, int rows, int columns, int channels, int width, int stride, const Half* x,
                              const Half* slopes, float* weight_slopes) {
#ifdef __AVX512BF16__
    if (channels % LANES || width % WIDE) return 1;
    filters(count, rows, columns, channels, width, stride, x, slopes, weight_slopes);
    return 0;
#else
    return 1;
#endif
}
