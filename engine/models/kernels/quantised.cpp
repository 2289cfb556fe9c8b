// The three products of a convolution with 3 x 3 filters, padding 1 and stride 1, in 8-bit whole numbers. See
// quantised.py for what it is.
//
// Arrays have their channels last, and a multiple of SIMD of them. The processor multiplies unsigned by signed bytes,
// four pairs at a time, and adds them to a 32-bit sum; nothing is rounded until the end. Quantised images have a frame
// one pixel wide, so that no filter reaches outside. A byte is a number divided by its scale; bytes of gradients, which
// may be negative, are that plus ZERO_POINT.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__AVX512VNNI__) && defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define AVAILABLE 1
#include <immintrin.h>
#else
#define AVAILABLE 0
#endif

#if AVAILABLE

namespace {

constexpr int SIMD = 16;
constexpr int SIDE = 3;                 // rows and columns of a filter
constexpr int ZERO_POINT = 128;
constexpr int CHUNK = 8;                // images that one thread takes at a time
constexpr int PARTS = 8;                // of the batch, each summed by one thread
constexpr std::size_t CACHE = 100000;   // numbers of the images that stay in the cache while all filters use them
constexpr std::int64_t MAX_PRODUCTS = 2147483647 / (4 * 255 * 127);  // fours of products whose sum always fits 32 bits

typedef std::uint16_t BFloat16;
typedef std::uint8_t Byte;

struct Shape {
    int count, rows, columns, channels;

    int places() const { return rows * columns; }
    int line() const { return (columns + 2) * channels; }
    std::size_t framed() const { return std::size_t(rows + 2) * line(); }
    std::size_t size() const { return std::size_t(places()) * channels; }
};

inline __m512 load(const BFloat16* place) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(place)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

// Sets the largest absolute value of each channel, not a number being the largest. Returns whether any number is below
// zero. bfloat16 numbers are ordered as their bits are as unsigned integers, the negative ones above the positive.
bool largest(const Shape& s, const BFloat16* x, float* maxima) {
    constexpr BFloat16 MINUS_ZERO = 0x8000, MINUS_INFINITY = 0xff80;
    const int c = s.channels, chunks = (s.count + CHUNK - 1) / CHUNK;
    std::vector<BFloat16> found(std::size_t(chunks) * c), signs(found.size());
#pragma omp parallel for schedule(static)
    for (int chunk = 0; chunk < chunks; ++chunk) {
        const int end = (chunk + 1) * CHUNK < s.count ? (chunk + 1) * CHUNK : s.count;
        const std::size_t places = std::size_t(end - chunk * CHUNK) * s.places();
        for (int i = 0; i < c; i += SIMD) {
            const BFloat16* place = x + chunk * CHUNK * s.size() + i;
            const __m256i size = _mm256_set1_epi16(0x7fff);
            __m256i top = _mm256_setzero_si256(), last = top;
            for (std::size_t p = 0; p < places; ++p, place += c) {
                const __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(place));
                top = _mm256_max_epu16(top, _mm256_and_si256(size, bits));
                last = _mm256_max_epu16(last, bits);
            }
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(&found[std::size_t(chunk) * c + i]), top);
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(&signs[std::size_t(chunk) * c + i]), last);
        }
    }
    bool below = false;
    for (const BFloat16 last : signs) below |= last > MINUS_ZERO && last <= MINUS_INFINITY;
    for (int i = 0; i < c; ++i) {
        BFloat16 top = 0;
        for (int chunk = 0; chunk < chunks; ++chunk)
            top = found[std::size_t(chunk) * c + i] > top ? found[std::size_t(chunk) * c + i] : top;
        const std::uint32_t bits = std::uint32_t(top) << 16;
        std::memcpy(&maxima[i], &bits, sizeof bits);
    }
    return below;
}

// Bytes of x * inverse + zero_point, with an inverse scale for each channel, in a frame of zero_point.
void quantise(const Shape& s, const BFloat16* x, const float* inverse, int zero_point, Byte* to) {
    const __m512i shift = _mm512_set1_epi32(zero_point);
#pragma omp parallel for schedule(static)
    for (int n = 0; n < s.count; ++n) {
        Byte* image = to + n * s.framed();
        const BFloat16* from = x + n * s.size();
        std::memset(image, zero_point, s.line());
        std::memset(image + std::size_t(s.rows + 1) * s.line(), zero_point, s.line());
        for (int y = 0; y < s.rows; ++y) {
            Byte* out = image + std::size_t(y + 1) * s.line();
            std::memset(out, zero_point, s.channels);
            out += s.channels;
            for (int z = 0; z < s.columns; ++z, out += s.channels, from += s.channels)
                for (int i = 0; i < s.channels; i += SIMD) {
                    const __m512 scaled = _mm512_mul_ps(load(from + i), _mm512_loadu_ps(inverse + i));
                    const __m512i whole = _mm512_cvtps_epi32(scaled);
                    const __m512i shifted = _mm512_max_epi32(_mm512_add_epi32(whole, shift), _mm512_setzero_si512());
                    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm512_cvtusepi32_epi8(shifted));
                }
            std::memset(out, zero_point, s.channels);
        }
    }
}

// Filters (width, SIDE, SIDE, channels) as signed bytes with a scale for each, in the order in which `tile` reads them:
// four numbers of each of SIMD filters, then the next four. sums: of the bytes of each filter.
void packed(int channels, int width, const float* filters, std::int8_t* to, float* scale, std::int32_t* sums) {
    const int run = SIDE * SIDE * channels;
#pragma omp parallel for schedule(static)
    for (int o = 0; o < width; ++o) {
        const float* from = filters + std::size_t(o) * run;
        __m512i maxima = _mm512_setzero_si512();  // absolute values are ordered as their bits are, not a number last
        for (int n = 0; n < run; n += SIMD)
            maxima = _mm512_max_epu32(maxima, _mm512_castps_si512(_mm512_abs_ps(_mm512_loadu_ps(from + n))));
        const std::uint32_t bits = _mm512_reduce_max_epu32(maxima);
        float top;
        std::memcpy(&top, &bits, sizeof top);
        scale[o] = top / 127;
        const __m512 inverse = _mm512_set1_ps(top > 0 ? 127 / top : 0);
        std::int8_t* out = to + std::size_t(o / SIMD) * SIMD * run + o % SIMD * 4;
        __m512i sum = _mm512_setzero_si512();
        for (int n = 0; n < run; n += SIMD) {
            const __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(from + n), inverse));
            sum = _mm512_add_epi32(sum, whole);
            std::int8_t bytes[SIMD];
            _mm_storeu_si128(reinterpret_cast<__m128i*>(bytes), _mm512_cvtsepi32_epi8(whole));
            for (int four = 0; four < 4; ++four) std::memcpy(out + (n + 4 * four) * SIMD, bytes + 4 * four, 4);
        }
        sums[o] = _mm512_reduce_add_epi32(sum);
    }
}

// Filters (width, SIDE, SIDE, channels) times the scale of each, transposed and rotated: (channels, SIDE, SIDE, width).
std::vector<float> transposed(int channels, int width, const float* filters, const float* scale) {
    constexpr int TAPS = SIDE * SIDE;
    std::vector<float> all(std::size_t(width) * TAPS * channels);
    const __m512i index = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i offsets = _mm512_mullo_epi32(index, _mm512_set1_epi32(TAPS * width));
#pragma omp parallel for schedule(static)
    for (int i = 0; i < channels; i += SIMD)
        for (int tap = 0; tap < TAPS; ++tap)
            for (int o = 0; o < width; ++o) {
                const __m512 some = _mm512_loadu_ps(filters + (std::size_t(o) * TAPS + tap) * channels + i);
                float* to = &all[(std::size_t(i) * TAPS + TAPS - 1 - tap) * width + o];
                _mm512_i32scatter_ps(to, offsets, _mm512_mul_ps(some, _mm512_set1_ps(scale[o])), 4);
            }
    return all;
}

// The convolution at P places for Q * SIMD output channels.
template <int P, int Q>
inline void tile(const Byte* image, const int* offsets, int line, int run, const std::int8_t* filters,
                   std::size_t block, const std::int32_t* start, const float* scale, int width, BFloat16* result) {
    __m512i sum[P][Q];
    const Byte* place[P];
    for (int p = 0; p < P; ++p) {
        place[p] = image + offsets[p];
        for (int q = 0; q < Q; ++q) sum[p][q] = _mm512_loadu_si512(start + q * SIMD);
    }
    for (int row = 0; row < SIDE; ++row) {
        for (int n = 0; n < run; n += 4, filters += 4 * SIMD) {
            __m512i filter[Q];
#pragma GCC unroll 4
            for (int q = 0; q < Q; ++q) filter[q] = _mm512_loadu_si512(filters + q * block);
#pragma GCC unroll 8
            for (int p = 0; p < P; ++p) {
                std::int32_t four;
                std::memcpy(&four, place[p] + n, sizeof four);
                const __m512i bytes = _mm512_set1_epi32(four);
#pragma GCC unroll 4
                for (int q = 0; q < Q; ++q) sum[p][q] = _mm512_dpbusd_epi32(sum[p][q], bytes, filter[q]);
            }
        }
        for (int p = 0; p < P; ++p) place[p] += line;
    }
    for (int q = 0; q < Q; ++q) {
        const __m512 by = _mm512_loadu_ps(scale + q * SIMD);
        for (int p = 0; p < P; ++p) {
            const __m256bh nearest = _mm512_cvtneps_pbh(_mm512_mul_ps(_mm512_cvtepi32_ps(sum[p][q]), by));
            std::memcpy(result + p * width + q * SIMD, &nearest, sizeof nearest);
        }
    }
}

void convolution(const Shape& s, int width, const Byte* images, const std::int8_t* filters, const std::int32_t* start,
                 const float* scale, BFloat16* results) {
    std::vector<int> offsets(s.places());
    for (int p = 0; p < s.places(); ++p) offsets[p] = p / s.columns * s.line() + p % s.columns * s.channels;
    const std::size_t block = std::size_t(SIDE) * SIDE * s.channels * SIMD;
    const int run = SIDE * s.channels;
#pragma omp parallel for schedule(dynamic, CHUNK)
    for (int n = 0; n < s.count; ++n)
        for (int o = 0, wide; o < width; o += wide * SIMD) {
            const int left = (width - o) / SIMD;
            wide = left == 1 ? 1 : left % 3 == 0 ? 3 : 2;
            for (int p = 0, many; p < s.places(); p += many) {
                many = s.places() - p >= 8 ? 8 : s.places() - p >= 4 ? 4 : 1;
                const auto of = [&](auto some) {
                    some(images + n * s.framed(), &offsets[p], s.line(), run, filters + o / SIMD * block, block,
                         start + o, scale + o, width, results + (std::size_t(n) * s.places() + p) * width + o);
                };
                if (many == 8) wide == 3 ? of(tile<8, 3>) : wide == 2 ? of(tile<8, 2>) : of(tile<8, 1>);
                else if (many == 4) wide == 3 ? of(tile<4, 3>) : wide == 2 ? of(tile<4, 2>) : of(tile<4, 1>);
                else wide == 3 ? of(tile<1, 3>) : wide == 2 ? of(tile<1, 2>) : of(tile<1, 1>);
            }
        }
}

// The convolution of pixels at P places for Q * SIMD output channels: bytes and weights as 16-bit integers.
template <int P, int Q>
inline void pixel_tile(const std::int16_t* image, int step, int line, int side, int pairs, const std::int16_t* filters,
                  std::size_t block, const float* scale, const float* shift, int width, BFloat16* result) {
    __m512i sum[P][Q];
    for (int p = 0; p < P; ++p)
        for (int q = 0; q < Q; ++q) sum[p][q] = _mm512_setzero_si512();
    for (int row = 0; row < side; ++row, image += line)
        for (int n = 0; n < pairs; ++n, filters += 2 * SIMD) {
            __m512i filter[Q];
            for (int q = 0; q < Q; ++q) filter[q] = _mm512_loadu_si512(filters + q * block);
#pragma GCC unroll 8
            for (int p = 0; p < P; ++p) {
                std::int32_t two;
                std::memcpy(&two, image + p * step + 2 * n, sizeof two);
                const __m512i numbers = _mm512_set1_epi32(two);
                for (int q = 0; q < Q; ++q) sum[p][q] = _mm512_dpwssd_epi32(sum[p][q], numbers, filter[q]);
            }
        }
    for (int q = 0; q < Q; ++q)
        for (int p = 0; p < P; ++p) {
            const __m512 value = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sum[p][q]), _mm512_loadu_ps(scale + q * SIMD),
                                                 _mm512_loadu_ps(shift + q * SIMD));
            const __m256bh nearest = _mm512_cvtneps_pbh(_mm512_max_ps(value, _mm512_setzero_ps()));
            std::memcpy(result + p * width + q * SIMD, &nearest, sizeof nearest);
        }
}

// results = relu(filters of pixels + shift), bfloat16; `outside`: the byte around an image, for each channel.
void pixel_convolution(const Shape& s, int width, int side, int stride, int padding, const Byte* images,
                       const Byte* outside, const float* weights, const float* shift, BFloat16* results) {
    const int c = s.channels, line = (s.columns + 2 * padding) * c, pairs = (side * c + 1) / 2;
    const int down = (s.rows + 2 * padding - side) / stride + 1, across = (s.columns + 2 * padding - side) / stride + 1;
    const std::size_t block = std::size_t(side) * pairs * 2 * SIMD;
    std::vector<std::int16_t> filters(width / SIMD * block);
    std::vector<float> scale(width);
    for (int o = 0; o < width; ++o) {
        const float* from = weights + std::size_t(o) * side * side * c;
        float maxima = 0;
        for (int n = 0; n < side * side * c; ++n) maxima = std::fmax(maxima, std::fabs(from[n]));
        scale[o] = maxima / 32767;
        for (int row = 0; row < side; ++row)
            for (int n = 0; n < side * c; ++n)
                filters[o / SIMD * block + (std::size_t(row) * pairs + n / 2) * 2 * SIMD + o % SIMD * 2 + n % 2] =
                    std::int16_t(maxima > 0 ? std::lrintf(from[row * side * c + n] / maxima * 32767) : 0);
    }
#pragma omp parallel
    {
        std::vector<std::int16_t> image(std::size_t(s.rows + 2 * padding) * line + SIMD);
        for (std::size_t i = 0; i < image.size(); ++i) image[i] = outside[i % c];
#pragma omp for schedule(dynamic, CHUNK)
        for (int n = 0; n < s.count; ++n) {
            for (int y = 0; y < s.rows; ++y) {
                const Byte* from = images + n * s.size() + std::size_t(y) * s.columns * c;
                std::int16_t* to = &image[std::size_t(y + padding) * line + padding * c];
                for (int i = 0; i < s.columns * c; ++i) to[i] = from[i];
            }
            for (int y = 0; y < down; ++y)
                for (int x = 0, many; x < across; x += many) {
                    many = across - x >= 8 ? 8 : 1;
                    for (int o = 0, wide; o < width; o += wide * SIMD) {
                        wide = width - o >= 2 * SIMD ? 2 : 1;
                        const auto of = [&](auto some) {
                            some(&image[std::size_t(y) * stride * line + x * stride * c], stride * c, line, side, pairs,
                                 &filters[o / SIMD * block], block, &scale[o], shift + o, width,
                                 results + ((std::size_t(n) * down + y) * across + x) * width + o);
                        };
                        if (many == 8) wide == 2 ? of(pixel_tile<8, 2>) : of(pixel_tile<8, 1>);
                        else wide == 2 ? of(pixel_tile<1, 2>) : of(pixel_tile<1, 1>);
                    }
                }
        }
    }
}

// Interleaves four images byte by byte, all places of SIMD channels before the next SIMD; each byte xor `flip`.
void interleave(const Byte* const* images, int rows, int columns, int line, int channels, int flip, std::uint32_t* to) {
    const __m512i turn = _mm512_set1_epi8(char(flip));
    for (int i = 0; i < channels; i += SIMD)
        for (int y = 0; y < rows; ++y)
            for (int z = 0; z < columns; ++z, to += SIMD) {
                const std::size_t from = std::size_t(y) * line + z * channels + i;
                __m512i all = turn;
                for (int n = 0; n < 4; ++n) {
                    const auto* bytes = reinterpret_cast<const __m128i*>(images[n] + from);
                    const __m512i wide = _mm512_cvtepu8_epi32(_mm_loadu_si128(bytes));
                    all = _mm512_xor_si512(all, _mm512_slli_epi32(wide, 8 * n));
                }
                _mm512_storeu_si512(to, all);
            }
}

// Adds to sums the products of SIMD input channels with SIMD output channels, over all places of `fours` of images.
void products(int fours, const Shape& s, const std::uint32_t* x, std::size_t x_four, const std::uint32_t* grads,
              std::size_t grads_four, float* sums, std::size_t filter) {
    __m512i sum[SIMD];
    for (int o = 0; o < SIMD; ++o) sum[o] = _mm512_setzero_si512();
    for (int n = 0; n < fours; ++n) {
        const std::uint32_t* grad = grads + n * grads_four;
        for (int y = 0; y < s.rows; ++y) {
            const std::uint32_t* place = x + n * x_four + std::size_t(y) * (s.columns + 2) * SIMD;
            for (int z = 0; z < s.columns; ++z, place += SIMD, grad += SIMD) {
                const __m512i value = _mm512_loadu_si512(place);
#pragma GCC unroll 16
                for (int o = 0; o < SIMD; ++o)
                    sum[o] = _mm512_dpbusd_epi32(sum[o], value, _mm512_set1_epi32(int(grad[o])));
            }
        }
    }
    for (int o = 0; o < SIMD; ++o)
        _mm512_storeu_ps(sums + o * filter,
                         _mm512_add_ps(_mm512_loadu_ps(sums + o * filter), _mm512_cvtepi32_ps(sum[o])));
}

// weight_grads (width, SIDE, SIDE, channels), from quantised images `x` and gradients `grads`, both framed.
void weight_gradient(const Shape& s, int width, const Byte* x, float x_scale, const Byte* grads, const float* scale,
             float* weight_grads) {
    const Shape after{s.count, s.rows, s.columns, width};
    const int fours = (s.count + 3) / 4, part = (fours + PARTS - 1) / PARTS, framed = (s.rows + 2) * (s.columns + 2);
    const std::size_t filter = std::size_t(SIDE) * SIDE * s.channels, whole = width * filter, out = after.size();
    const std::int64_t maxima = std::int64_t(1 + CACHE / (s.framed() + out)), safe = MAX_PRODUCTS / s.places();
    const int block = int(part < maxima ? part : maxima < safe ? maxima : safe);
    const auto corner = [&](int tap) { return (tap / SIDE * (s.columns + 2) + tap % SIDE) * SIMD; };
    std::vector<float> sums(PARTS * whole);
    const std::vector<Byte> nothing(s.framed() > after.framed() ? s.framed() : after.framed(), ZERO_POINT);
#pragma omp parallel
    {
        std::vector<std::uint32_t> inner(block * s.framed()), outer(block * out);
#pragma omp for schedule(dynamic)
        for (int n = 0; n < PARTS; ++n) {
            const int end = (n + 1) * part < fours ? (n + 1) * part : fours;
            for (int from = n * part; from < end; from += block) {
                const int some = end - from < block ? end - from : block;
                for (int m = 0; m < some; ++m) {
                    const Byte *image[4], *grad[4];
                    for (int k = 0; k < 4; ++k) {  // beyond the last image the gradients are zero, so x does not matter
                        const std::size_t number = 4 * std::size_t(from + m) + k;
                        const bool there = number < std::size_t(s.count);
                        image[k] = there ? x + number * s.framed() : nothing.data();
                        grad[k] = (there ? grads + number * after.framed() : nothing.data()) + after.line() + width;
                    }
                    interleave(image, s.rows + 2, s.columns + 2, s.line(), s.channels, 0, &inner[m * s.framed()]);
                    interleave(grad, s.rows, s.columns, after.line(), width, ZERO_POINT, &outer[m * out]);
                }
                for (int o = 0; o < width; o += SIMD)
                    for (int i = 0; i < s.channels; i += SIMD)
                        for (int tap = 0; tap < SIDE * SIDE; ++tap)
                            products(some, s, &inner[std::size_t(i) * framed + corner(tap)], s.framed(),
                                     &outer[std::size_t(o) * s.places()], out,
                                     &sums[n * whole + o * filter + tap * s.channels + i], filter);
            }
        }
#pragma omp for schedule(static)
        for (int o = 0; o < width; ++o)
            for (std::size_t i = o * filter; i < (o + 1) * filter; ++i) {
                float sum = 0;
                for (int n = 0; n < PARTS; ++n) sum += sums[n * whole + i];
                weight_grads[i] = sum * x_scale * scale[o];
            }
    }
}

}  // namespace

#endif

// All functions return 0, or 1 where there is no code for the arguments: then nothing was done.

// x (count, rows, columns, channels), nowhere below zero, as bytes in frames of zeros, with one scale for all.
extern "C" int quantised_images(int count, int rows, int columns, int channels, const std::uint16_t* x,
                                std::uint8_t* to, float* scale) {
#if AVAILABLE
    const Shape s{count, rows, columns, channels};
    std::vector<float> maxima(channels);
    if (largest(s, x, maxima.data())) return 1;
    float top = 0;
    for (const float one : maxima) top = top < one || one != one ? one : top;
    *scale = top / 255;
    quantise(s, x, std::vector<float>(channels, top > 0 ? 255 / top : 0).data(), 0, to);
    return 0;
#else
    return 1;
#endif
}

// results (count, down, across, width) = relu(filters (width, side, side, channels) of bytes + shift), bfloat16.
extern "C" int quantised_pixels(int count, int rows, int columns, int channels, int width, int side, int stride,
                                int padding, const std::uint8_t* images, const std::uint8_t* outside,
                                const float* weights, const float* shift, std::uint16_t* results) {
#if AVAILABLE
    if (width % SIMD || side * side * channels > 256) return 1;
    const Shape s{count, rows, columns, channels};
    pixel_convolution(s, width, side, stride, padding, images, outside, weights, shift, results);
    return 0;
#else
    return 1;
#endif
}

// Gradients as bytes in frames of ZERO_POINT, with a scale for each channel.
extern "C" int quantised_gradients(int count, int rows, int columns, int channels, const std::uint16_t* x,
                                std::uint8_t* to, float* scale) {
#if AVAILABLE
    const Shape s{count, rows, columns, channels};
    std::vector<float> inverse(channels);
    largest(s, x, scale);
    for (int i = 0; i < channels; ++i) {
        inverse[i] = scale[i] > 0 ? 127 / scale[i] : 0;
        scale[i] /= 127;
    }
    quantise(s, x, inverse.data(), ZERO_POINT, to);
    return 0;
#else
    return 1;
#endif
}

// results (count, rows, columns, width), from quantised images and weights (width, SIDE, SIDE, channels).
extern "C" int quantised_forward(int count, int rows, int columns, int channels, int width, const std::uint8_t* images,
                                 const float* images_scale, const float* weights, std::uint16_t* results) {
#if AVAILABLE
    const Shape s{count, rows, columns, channels};
    std::vector<std::int8_t> filters(std::size_t(width) * SIDE * SIDE * channels);
    std::vector<float> scale(width);
    std::vector<std::int32_t> sums(width), start(width);
    packed(channels, width, weights, filters.data(), scale.data(), sums.data());
    for (float& one : scale) one *= *images_scale;
    convolution(s, width, images, filters.data(), start.data(), scale.data(), results);
    return 0;
#else
    return 1;
#endif
}

// results (count, rows, columns, channels), the gradient of the images, from the quantised gradient of the results.
extern "C" int quantised_image_grads(int count, int rows, int columns, int channels, int width,
                                     const std::uint8_t* grads, const float* grads_scale, const float* weights,
                                     std::uint16_t* results) {
#if AVAILABLE
    const Shape s{count, rows, columns, width};
    std::vector<std::int8_t> filters(std::size_t(width) * SIDE * SIDE * channels);
    std::vector<float> scale(channels);
    std::vector<std::int32_t> start(channels);
    packed(width, channels, transposed(channels, width, weights, grads_scale).data(), filters.data(), scale.data(),
           start.data());
    for (std::int32_t& one : start) one *= -ZERO_POINT;
    convolution(s, channels, grads, filters.data(), start.data(), scale.data(), results);
    return 0;
#else
    return 1;
#endif
}

// weight_grads (width, SIDE, SIDE, channels), from quantised images and gradients.
extern "C" int quantised_weight_grads(int count, int rows, int columns, int channels, int width,
                                      const std::uint8_t* images, const float* images_scale,
                                      const std::uint8_t* grads, const float* grads_scale, float* weight_grads) {
#if AVAILABLE
    if (std::int64_t(rows) * columns > MAX_PRODUCTS) return 1;
    const Shape s{count, rows, columns, channels};
    weight_gradient(s, width, images, *images_scale, grads, grads_scale, weight_grads);
    return 0;
#else
    return 1;
#endif
}

// 1 if this was compiled for a processor that multiplies bytes.
extern "C" int quantised_available() { return AVAILABLE; }
