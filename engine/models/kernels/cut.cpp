// Batches of images cut out of their frames, mirrored or not, in one pass. See cut.py.

#include <cstdint>
#include <cstring>

// framed (any, whole, whole, 3), out (count, size, size, 3); places are (2, count): rows and columns of the corners.
extern "C" int cut(int count, int size, int whole, const std::uint8_t* framed, const std::int64_t* chosen,
                   const std::int64_t* places, const std::uint8_t* mirrored, std::uint8_t* out) {
#pragma omp parallel for schedule(static)
    for (int n = 0; n < count; ++n)
        for (int y = 0; y < size; ++y) {
            const std::int64_t first = (chosen[n] * whole + places[n] + y) * whole + places[count + n];
            const std::uint8_t* line = framed + 3 * first;
            std::uint8_t* to = out + 3 * (std::size_t(n) * size + y) * size;
            if (mirrored[n])
                for (int x = 0; x < size; ++x) std::memcpy(to + 3 * x, line + 3 * (size - 1 - x), 3);
            else
                std::memcpy(to, line, 3 * size);
        }
    return 0;
}
