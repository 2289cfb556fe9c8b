// Convolution, 2 x 2 max pool and ReLU in one pass over the images, and its gradient. See pooled.py for what it is.
//
// Images lie with their channels last, so the K pixels of a filter's row are one run of K * channels numbers, called a
// patch row here. Forward, eight output channels are computed side by side. Backward, only the winner of each pool
// window has a gradient, so one patch stands for four: all sums run along patch rows.

#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#if defined(__AVX512VL__)
#define MANY 1  // registers, 32 of them, and stores of a part of one
#include <immintrin.h>
#else
#define MANY 0
#endif

namespace {

constexpr int LANES = 8;
constexpr int CHUNK = 8;          // images that one thread takes at a time; sums over chunks have a fixed order
constexpr std::uint8_t NONE = 4;  // the winner was not above zero: no gradient

typedef float Lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));
typedef std::int32_t Marks __attribute__((vector_size(LANES * sizeof(float))));

template <int N>
using Times = std::integral_constant<int, N>;

struct Shape {
    int count, rows, columns, channels, width, padding;  // width: output channels

    int framed_rows() const { return rows + 2 * padding; }
    int framed_line() const { return (columns + 2 * padding) * channels; }
};

inline Lanes& at(float* place) { return *reinterpret_cast<Lanes*>(place); }
inline const Lanes& at(const float* place) { return *reinterpret_cast<const Lanes*>(place); }
inline int lanes(int n) { return (n + LANES - 1) / LANES; }

// One image in a frame of zeros, with room behind it, since whole lanes are read at its end.
struct Frame {
    std::vector<float> numbers;

    explicit Frame(const Shape& s) : numbers(std::size_t(s.framed_rows()) * s.framed_line() + LANES * LANES) {}

    void put(const Shape& s, const float* image) {
        for (int row = 0; row < s.rows; ++row)
            std::memcpy(line(s, row), image + std::size_t(row) * s.columns * s.channels, bytes(s));
    }
    void take(const Shape& s, float* image) {
        for (int row = 0; row < s.rows; ++row)
            std::memcpy(image + std::size_t(row) * s.columns * s.channels, line(s, row), bytes(s));
    }

  private:
    float* line(const Shape& s, int row) {
        return numbers.data() + std::size_t(row + s.padding) * s.framed_line() + s.padding * s.channels;
    }
    static std::size_t bytes(const Shape& s) { return std::size_t(s.columns) * s.channels * sizeof(float); }
};

// T pool windows side by side, Q times eight output channels of each.
template <int K, int T, int Q>
void windows(const Shape& s, const float* image, const float* weight, int stride, const float* bias, int left,
             float* result, std::uint8_t* winner) {
    const int run = K * s.channels, line = s.framed_line(), step = s.channels;
    Lanes sum[2][2 * T][Q] = {};
    for (int row = 0; row < K; ++row) {
        const float* upper = image + row * line;
        const float* lower = upper + line;
        for (int n = 0; n < run; ++n, weight += stride) {
#pragma GCC unroll 8
            for (int x = 0; x < 2 * T; ++x)
#pragma GCC unroll 2
                for (int q = 0; q < Q; ++q) {
                    sum[0][x][q] += at(weight + q * LANES) * upper[n + x * step];
                    sum[1][x][q] += at(weight + q * LANES) * lower[n + x * step];
                }
        }
    }
    for (int t = 0; t < T; ++t)
        for (int q = 0; q < Q; ++q) {
            Lanes best = sum[0][2 * t][q];
            Marks which = {};
            for (int n = 1; n < 4; ++n) {
                const Lanes other = sum[n / 2][2 * t + n % 2][q];
                const Marks more = ~(other <= best);  // not a number wins, as in torch
                best = more ? other : best;
                which = more ? Marks{} + n : which;
            }
            best += at(bias + q * LANES);
            const Marks off = best <= Lanes{};
            best = off ? Lanes{} : best;
            which = off ? Marks{} + NONE : which;
            const int some = left - q * LANES < LANES ? left - q * LANES : LANES;
            float* to = result + t * s.width + q * LANES;
            std::uint8_t* mark = winner + t * s.width + q * LANES;
#if MANY
            const __mmask8 these = __mmask8((1 << some) - 1);
            _mm256_mask_storeu_ps(to, these, (__m256)best);
            _mm256_mask_cvtepi32_storeu_epi8(mark, these, (__m256i)which);
#else
            for (int n = 0; n < some; ++n) {
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
    const int stride = lanes(s.width) * LANES, run = K * s.channels;
    std::vector<float> turned(K * run * stride), biases(stride);  // output channels last
    for (int o = 0; o < s.width; ++o) {
        biases[o] = bias[o];
        for (int n = 0; n < K * run; ++n) turned[n * stride + o] = weight[o * K * run + n];
    }
#pragma omp parallel
    {
        Frame frame(s);
#pragma omp for schedule(dynamic, CHUNK)  // one thread may be held up by whatever else the machine does
        for (int n = 0; n < s.count; ++n) {
            frame.put(s, images + std::size_t(n) * s.rows * s.columns * s.channels);
            for (int y = 0; y < down; ++y)
                for (int o = 0, many; o < s.width; o += many * LANES) {
                    many = s.width - o > LANES ? 2 : 1;
                    for (int x = 0, wide; x < across; x += wide) {
                        const int left = across - x;
                        wide = MANY && left > 3 && many == 1 ? 4 : left > 1 ? 2 : 1;  // as fit the registers
                        const float* image = frame.numbers.data() + 2 * y * s.framed_line() + 2 * x * s.channels;
                        const std::size_t place = ((std::size_t(n) * down + y) * across + x) * s.width + o;
                        const auto of = [&](auto t, auto q) {
                            windows<K, t, q>(s, image, turned.data() + o, stride, biases.data() + o, s.width - o,
                                             results + place, winners + place);
                        };
                        if (wide == 4) of(Times<4>(), Times<1>());
                        else if (wide == 2) many == 2 ? of(Times<2>(), Times<2>()) : of(Times<2>(), Times<1>());
                        else many == 2 ? of(Times<1>(), Times<2>()) : of(Times<1>(), Times<1>());
                    }
                }
        }
    }
}

// R: lanes of a patch row.
template <int K, int R>
void backward(const Shape& s, const float* images, const float* weight, const float* slopes,
              const std::uint8_t* winners, float* weight_slopes, float* bias_slopes, float* image_slopes) {
    const int down = (s.framed_rows() - K + 1) / 2, across = (s.columns + 2 * s.padding - K + 1) / 2;
    const int places = down * across, run = K * s.channels, line = s.framed_line();
    const int patch = K * R * LANES, chunks = (s.count + CHUNK - 1) / CHUNK;
    const std::size_t image_size = std::size_t(s.rows) * s.columns * s.channels;
    std::vector<float> sums(std::size_t(chunks) * s.width * (patch + 1));  // of each chunk: [width][patch], [width]
    std::vector<float> filters(image_slopes ? std::size_t(s.width) * patch : 0);
    for (std::size_t o = 0; o < filters.size() / patch; ++o)
        for (int row = 0; row < K; ++row)
            std::memcpy(&filters[o * patch + row * R * LANES], weight + (o * K + row) * run, run * sizeof(float));
    const int corner[5] = {0, s.channels, line, line + s.channels, 0};  // of the four winners, and of none

#pragma omp parallel
    {
        Frame frame(s), grown(s);
        std::vector<float> slope(std::size_t(places) * s.width), shares(4 * patch);
        std::vector<int> start(slope.size()), end_of(s.width);  // of each channel the winners that have a gradient
#pragma omp for schedule(dynamic)
        for (int chunk = 0; chunk < chunks; ++chunk) {
            float* sum = sums.data() + std::size_t(chunk) * s.width * (patch + 1);
            const int end = (chunk + 1) * CHUNK < s.count ? (chunk + 1) * CHUNK : s.count;
            for (int n = chunk * CHUNK; n < end; ++n) {
                const float* given = slopes + std::size_t(n) * places * s.width;
                const std::uint8_t* won = winners + std::size_t(n) * places * s.width;
                for (int o = 0; o < s.width; ++o) end_of[o] = o * places;
                for (int p = 0; p < places; ++p) {
                    const int window = 2 * (p / across) * line + 2 * (p % across) * s.channels;
                    for (int o = 0; o < s.width; ++o) {
                        const int mark = won[p * s.width + o];
                        slope[end_of[o]] = given[p * s.width + o];
                        start[end_of[o]] = window + corner[mark];
                        end_of[o] += mark != NONE;
                    }
                }

                frame.put(s, images + n * image_size);
                for (int o = 0; o < s.width; ++o) {
                    Lanes grow[K][R] = {};
                    float bias = 0;
                    for (int p = o * places; p < end_of[o]; ++p) {
                        const float* place = frame.numbers.data() + start[p];
                        bias += slope[p];
#pragma GCC unroll 5
                        for (int row = 0; row < K; ++row)
#pragma GCC unroll 8
                            for (int r = 0; r < R; ++r) grow[row][r] += at(place + row * line + r * LANES) * slope[p];
                    }
                    for (int row = 0; row < K; ++row)
                        for (int r = 0; r < R; ++r) at(sum + o * patch + (row * R + r) * LANES) += grow[row][r];
                    sum[s.width * patch + o] += bias;
                }

                if (!image_slopes) continue;
                std::memset(grown.numbers.data(), 0, grown.numbers.size() * sizeof(float));
                for (int p = 0; p < places; ++p) {
                    std::memset(shares.data(), 0, shares.size() * sizeof(float));  // one for each corner of the window
                    for (int o = 0; o < s.width; ++o) {
                        const int mark = won[p * s.width + o];
                        if (mark == NONE) continue;
                        const float share = given[p * s.width + o];
                        float* to = shares.data() + mark * patch;
                        const float* filter = filters.data() + o * patch;
#pragma GCC unroll 5
                        for (int r = 0; r < K * R; ++r) at(to + r * LANES) += at(filter + r * LANES) * share;
                    }
                    float* place = grown.numbers.data() + 2 * (p / across) * line + 2 * (p % across) * s.channels;
                    for (int mark = 0; mark < 4; ++mark)
                        for (int row = 0; row < K; ++row)
                            for (int r = 0; r < R; ++r)
                                at(place + corner[mark] + row * line + r * LANES) +=
                                    at(shares.data() + mark * patch + (row * R + r) * LANES);
                }
                grown.take(s, image_slopes + n * image_size);
            }
        }
    }
    std::memset(weight_slopes, 0, std::size_t(s.width) * K * run * sizeof(float));
    std::memset(bias_slopes, 0, s.width * sizeof(float));
    for (int chunk = 0; chunk < chunks; ++chunk) {
        const float* sum = sums.data() + std::size_t(chunk) * s.width * (patch + 1);
        for (int o = 0; o < s.width; ++o) {
            bias_slopes[o] += sum[s.width * patch + o];
            for (int row = 0; row < K; ++row)
                for (int n = 0; n < run; ++n)
                    weight_slopes[(o * K + row) * run + n] += sum[o * patch + row * R * LANES + n];
        }
    }
}

template <int K>
int backward_of(const Shape& s, const float* images, const float* weight, const float* slopes,
                const std::uint8_t* winners, float* weight_slopes, float* bias_slopes, float* image_slopes) {
    const auto of = [&](auto kernel) {
        kernel(s, images, weight, slopes, winners, weight_slopes, bias_slopes, image_slopes);
        return 0;
    };
    switch (lanes(K * s.channels)) {
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

// All arrays are contiguous float32, channels last: images (count, rows, columns, channels), weight (width, K, K,
// channels), results and slopes (count, down, across, width). Each answers 0, or 1 where it has no code for the shape.

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
                               const float* images, const float* weight, const float* slopes,
                               const std::uint8_t* winners, float* weight_slopes, float* bias_slopes,
                               float* image_slopes) {
    const Shape s{count, rows, columns, channels, width, padding};
    if (kernel == 3) return backward_of<3>(s, images, weight, slopes, winners, weight_slopes, bias_slopes, image_slopes);
    if (kernel == 5) return backward_of<5>(s, images, weight, slopes, winners, weight_slopes, bias_slopes, image_slopes);
    return 1;
}
