// Training steps of one small multilayer perceptron. See perceptron.py, which does the same with torch.
//
// A network of ten weights is trained in a microsecond, less than it takes to call anything; so many steps are one
// call. Points lie side by side: an array [units][points], with the points filled up to whole lanes, and every
// operation works on LANES points at a time. A block of points goes forward and backward while it is in the cache.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int LANES = 8;
constexpr int BLOCK = 4;  // vectors of points that go through the network together

typedef float Lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float))));
typedef std::int32_t Bits __attribute__((vector_size(LANES * sizeof(float))));

inline Lanes& at(float* place) { return *reinterpret_cast<Lanes*>(place); }
inline const Lanes& at(const float* place) { return *reinterpret_cast<const Lanes*>(place); }
inline Lanes all(float x) { return Lanes{} + x; }
inline Lanes larger(Lanes a, Lanes b) { return a > b ? a : b; }
inline Lanes size_of(Lanes x) { return x < Lanes{} ? -x : x; }

inline float sum_of(Lanes x) {
    float total = 0;
    for (int n = 0; n < LANES; ++n) total += x[n];
    return total;
}

// exp, by 2^n times a polynomial for the rest (the coefficients of Cephes' expf): 1 to 2 units in the last place.
inline Lanes exponential(Lanes x) {
    const Lanes low = all(-87.3365f), high = all(88.3762f);
    const Lanes odd = x;
    x = x < low ? low : x;
    x = x > high ? high : x;
    const Lanes magic = all(12582912.0f);  // 1.5 * 2^23: adding it rounds to whole numbers
    const Lanes shifted = x * 1.44269504088896341f + magic;
    const Lanes whole = shifted - magic;
    x = x - whole * 0.693359375f;
    x = x + whole * 2.12194440e-4f;
    Lanes y = all(1.9875691500e-4f);
    y = y * x + 1.3981999507e-3f;
    y = y * x + 8.3334519073e-3f;
    y = y * x + 4.1665795894e-2f;
    y = y * x + 1.6666665459e-1f;
    y = y * x + 5.0000001201e-1f;
    y = y * x * x + x + 1.0f;
    Bits scale;
    std::memcpy(&scale, &shifted, sizeof scale);
    scale = (scale + 127) << 23;  // the magic number's own bits fall off at the top
    Lanes power;
    std::memcpy(&power, &scale, sizeof power);
    y = y * power;
    return odd == odd ? y : odd;
}

// log(1 + x) for x in 0..1, by log((1 + z) / (1 - z)) with z = x / (2 + x): 2 z (1 + z^2/3 + z^4/5 + ...).
inline Lanes log1p_of(Lanes x) {
    const Lanes z = x / (x + 2.0f), s = z * z;
    Lanes y = all(1 / 17.0f);
    y = y * s + 1 / 15.0f;
    y = y * s + 1 / 13.0f;
    y = y * s + 1 / 11.0f;
    y = y * s + 1 / 9.0f;
    y = y * s + 1 / 7.0f;
    y = y * s + 1 / 5.0f;
    y = y * s + 1 / 3.0f;
    return 2.0f * z * (y * s + 1.0f);
}

inline Lanes sigmoid(Lanes x) {  // the power is never above one, so nothing overflows
    const Lanes e = exponential(-size_of(x)), up = 1.0f / (1.0f + e);
    return x < Lanes{} ? e * up : up;
}

inline Lanes hyperbolic(Lanes x) {
    const Lanes a = size_of(x), e = exponential(-2.0f * a), s = x * x;
    Lanes y = all(-5.70498872745e-3f);  // near zero the quotient would lose digits (Cephes' tanhf)
    y = y * s + 2.06390887954e-2f;
    y = y * s - 5.37397155531e-2f;
    y = y * s + 1.33314422036e-1f;
    y = y * s - 3.33332819422e-1f;
    const Lanes small = y * s * x + x, large = (1.0f - e) / (1.0f + e), signed_ = x < Lanes{} ? -large : large;
    return a < all(0.625f) ? small : signed_;
}

// The normal distribution up to x, by Abramowitz and Stegun 7.1.26 (error below 1.5e-7), and its density.
inline void normal(Lanes x, Lanes& up_to, Lanes& density) {
    const Lanes a = size_of(x) * 0.70710678118654752f, t = 1.0f / (1.0f + 0.3275911f * a), e = exponential(-a * a);
    Lanes y = all(1.061405429f);
    y = y * t - 1.453152027f;
    y = y * t + 1.421413741f;
    y = y * t - 0.284496736f;
    y = y * t + 0.254829592f;
    const Lanes tail = 0.5f * y * t * e;
    up_to = x < Lanes{} ? tail : 1.0f - tail;
    density = 0.39894228040143268f * e;
}

// The order of perceptron.py's ACTIVATIONS.
enum Activation { LINEAR, STEP, SIGMOID, TANH, RELU, LEAKY, ELU, GELU, SILU, SOFTPLUS };

// value and slope of an activation at z
inline void activate(int kind, Lanes z, Lanes& value, Lanes& slope) {
    const Lanes zero = {}, one = all(1.0f);
    switch (kind) {
        case STEP: value = z > zero ? one : zero; slope = zero; break;
        case SIGMOID: value = sigmoid(z); slope = value * (1.0f - value); break;
        case TANH: value = hyperbolic(z); slope = 1.0f - value * value; break;
        case RELU: value = z <= zero ? zero : z; slope = z > zero ? one : zero; break;
        case LEAKY: value = z > zero ? z : 0.01f * z; slope = z > zero ? one : all(0.01f); break;
        case ELU: {
            const Lanes e = exponential(z > zero ? zero : z);
            value = z > zero ? z : e - 1.0f;
            slope = z > zero ? one : e;
            break;
        }
        case GELU: {
            Lanes up_to, density;
            normal(z, up_to, density);
            value = z * up_to;
            slope = up_to + z * density;
            break;
        }
        case SILU: {
            const Lanes s = sigmoid(z);
            value = z * s;
            slope = s * (1.0f + z * (1.0f - s));
            break;
        }
        case SOFTPLUS: value = larger(z, zero) + log1p_of(exponential(-size_of(z))); slope = sigmoid(z); break;
        default: value = z; slope = one;
    }
}

// T units for BLOCK vectors of points: sums of weights times what comes in.
template <int T>
inline void sums(const float* weight, const float* bias, int inputs, const float* in, int stride, int many,
                 Lanes out[T][BLOCK]) {
    for (int t = 0; t < T; ++t)
        for (int v = 0; v < BLOCK; ++v) out[t][v] = all(bias[t]);
    for (int i = 0; i < inputs; ++i)
        for (int v = 0; v < many; ++v) {
            const Lanes x = at(in + i * stride + v * LANES);
            for (int t = 0; t < T; ++t) out[t][v] += weight[t * inputs + i] * x;
        }
}

}  // namespace

extern "C" {

struct Network {
    std::int32_t layers;              // of weights
    const std::int32_t* sizes;        // layers + 1
    const std::int32_t* activations;  // layers; that of the last one is not looked at
    std::int32_t loss;                // 0 halved squared error, 1 logistic (one output), 2 softmax and cross-entropy
    float* weights;                   // layer by layer: [out][in], then [out]
};

struct Points {
    std::int32_t count;    // all there are
    std::int32_t stride;   // count filled up to whole lanes
    const float* inputs;   // [sizes[0]][stride]
    const float* targets;  // [outputs][stride]: values; for logistic 0 or 1; for softmax one class is 1
};

// The order of perceptron.py's OPTIMISERS.
enum Rule { SGD, MOMENTUM, NESTEROV, ADAGRAD, RMSPROP, ADAM, ADAMW };

struct Optimiser {
    std::int32_t rule;
    float lr, momentum, decay, l1;  // decay: L2 added to the gradient, or AdamW's own; weights only, biases never
    double count;                   // steps taken
    float* first;                   // velocity or first moment, as weights
    float* second;                  // squares, as weights
};
}

namespace {

int lanes(int n) { return (n + LANES - 1) / LANES; }

struct Work {
    std::vector<float> values, slopes, errors, grown;
    std::vector<int> start;  // of each layer's units in values
    int width = BLOCK * LANES;

    explicit Work(const Network& net) {
        int units = 0, parameters = 0, widest = 0;
        for (int l = 0; l <= net.layers; ++l) {
            start.push_back(units);
            units += net.sizes[l];
            widest = std::max(widest, net.sizes[l]);
            if (l) parameters += net.sizes[l] * (net.sizes[l - 1] + 1);
        }
        values.resize(std::size_t(units) * width);
        slopes.resize(values.size());
        errors.resize(2 * std::size_t(widest) * width);
        grown.resize(std::size_t(parameters) * LANES);
    }
};

// What a block of points makes of the network: all values, and slopes where they will be needed.
void forward(const Network& net, Work& work, int many) {
    const float* weight = net.weights;
    for (int l = 1; l <= net.layers; ++l) {
        const int inputs = net.sizes[l - 1], units = net.sizes[l], kind = l < net.layers ? net.activations[l - 1] : 0;
        const float* bias = weight + std::size_t(units) * inputs;
        const float* in = work.values.data() + std::size_t(work.start[l - 1]) * work.width;
        const auto keep = [&](int unit, const Lanes* z) {
            const std::size_t place = std::size_t(work.start[l] + unit) * work.width;
            for (int v = 0; v < many; ++v) {
                Lanes value, slope;
                activate(kind, z[v], value, slope);
                at(&work.values[place + v * LANES]) = value;
                at(&work.slopes[place + v * LANES]) = slope;
            }
        };
        int unit = 0;
        for (; unit + 2 <= units; unit += 2) {
            Lanes z[2][BLOCK];
            sums<2>(weight + std::size_t(unit) * inputs, bias + unit, inputs, in, work.width, many, z);
            keep(unit, z[0]);
            keep(unit + 1, z[1]);
        }
        if (unit < units) {
            Lanes z[1][BLOCK];
            sums<1>(weight + std::size_t(unit) * inputs, bias + unit, inputs, in, work.width, many, z);
            keep(unit, z[0]);
        }
        weight = bias + units;
    }
}

// Loss and right guesses of a block whose scores are in the last values; `error`, if asked for, is their gradient.
void judge(const Network& net, const Work& work, const float* targets, int stride, int many, const Lanes* real,
           float* error, double& loss, int& right) {
    const int outputs = net.sizes[net.layers];
    const float* scores = work.values.data() + std::size_t(work.start[net.layers]) * work.width;
    for (int v = 0; v < many; ++v) {
        const Bits counts = real[v] != Lanes{};
        Lanes total = {};
        if (net.loss == 2) {
            Lanes best = at(scores + v * LANES), power = {}, wanted = {};
            Bits guess = {}, truth = {};
            for (int o = 1; o < outputs; ++o) {
                const Lanes score = at(scores + o * work.width + v * LANES);
                guess = score > best ? Bits{} + o : guess;
                best = larger(score, best);
            }
            for (int o = 0; o < outputs; ++o) {
                const Lanes score = at(scores + o * work.width + v * LANES), target = at(targets + o * stride + v * LANES);
                power += exponential(score - best);
                wanted += target * (score - best);
                truth = target > all(0.5f) ? Bits{} + o : truth;
            }
            for (int n = 0; n < LANES; ++n) total[n] = std::log(power[n]) - wanted[n];
            for (int o = 0; error && o < outputs; ++o)
                at(error + o * work.width + v * LANES) =
                    (exponential(at(scores + o * work.width + v * LANES) - best) / power -
                     at(targets + o * stride + v * LANES)) * real[v];
            for (int n = 0; n < LANES; ++n) right += counts[n] && guess[n] == truth[n];
        } else {
            for (int o = 0; o < outputs; ++o) {
                const Lanes score = at(scores + o * work.width + v * LANES), target = at(targets + o * stride + v * LANES);
                Lanes off;
                if (net.loss == 1) {
                    off = sigmoid(score) - target;
                    total += larger(score, Lanes{}) - score * target + log1p_of(exponential(-size_of(score)));
                    const Bits same = (score > Lanes{}) == (target > all(0.5f));
                    for (int n = 0; n < LANES; ++n) right += counts[n] && same[n];
                } else {
                    off = score - target;
                    total += 0.5f * off * off;
                    const Bits same = (score > Lanes{}) == (target > Lanes{});
                    for (int n = 0; !o && n < LANES; ++n) right += counts[n] && same[n];
                }
                if (error) at(error + o * work.width + v * LANES) = off * real[v];
            }
        }
        for (int n = 0; n < LANES; ++n)
            if (counts[n]) loss += total[n];
    }
}

// Adds the gradients of a block, kept apart by lane until all blocks are done, to work.grown.
void backward(const Network& net, Work& work, int many) {
    float *error = work.errors.data(), *before = error + work.errors.size() / 2;
    std::size_t end = 0;
    for (int l = 1; l <= net.layers; ++l) end += std::size_t(net.sizes[l]) * (net.sizes[l - 1] + 1);
    for (int l = net.layers; l; --l) {
        const int inputs = net.sizes[l - 1], units = net.sizes[l];
        end -= std::size_t(units) * (inputs + 1);
        const float* weight = net.weights + end;
        float* grown = work.grown.data() + end * LANES;
        const float* in = work.values.data() + std::size_t(work.start[l - 1]) * work.width;
        for (int unit = 0; unit < units; ++unit) {
            Lanes own[BLOCK], bias = {};
            for (int v = 0; v < many; ++v) bias += own[v] = at(error + unit * work.width + v * LANES);
            for (int i = 0; i < inputs; ++i) {
                Lanes one = {};
                for (int v = 0; v < many; ++v) one += own[v] * at(in + i * work.width + v * LANES);
                at(grown + (std::size_t(unit) * inputs + i) * LANES) += one;
            }
            at(grown + (std::size_t(units) * inputs + unit) * LANES) += bias;
        }
        if (l == 1) break;
        const float* slope = work.slopes.data() + std::size_t(work.start[l - 1]) * work.width;
        for (int i = 0; i < inputs; ++i) {
            Lanes back[BLOCK] = {};
            for (int unit = 0; unit < units; ++unit)
                for (int v = 0; v < many; ++v)
                    back[v] += weight[std::size_t(unit) * inputs + i] * at(error + unit * work.width + v * LANES);
            for (int v = 0; v < many; ++v)
                at(before + i * work.width + v * LANES) = back[v] * at(slope + i * work.width + v * LANES);
        }
        std::swap(error, before);
    }
}

// The points `chosen` (all if null) forward, and backward if `learn`: mean loss, right guesses.
void pass(const Network& net, const Points& points, const std::int32_t* chosen, int count, Work& work, bool learn,
          double& loss, int& right) {
    loss = 0;
    right = 0;
    const int outputs = net.sizes[net.layers];
    std::vector<float> wanted(chosen ? std::size_t(outputs) * work.width : 0);
    if (learn) std::fill(work.grown.begin(), work.grown.end(), 0.0f);
    for (int from = 0; from < count; from += work.width) {
        const int some = std::min(work.width, count - from), many = lanes(some);
        for (int i = 0; i < net.sizes[0]; ++i) {
            float* to = &work.values[std::size_t(i) * work.width];
            const float* row = points.inputs + std::size_t(i) * points.stride;
            for (int n = 0; n < many * LANES; ++n) to[n] = n < some ? row[chosen ? chosen[from + n] : from + n] : 0;
        }
        const float* targets = points.targets + from;
        int stride = points.stride;
        if (chosen) {
            for (int o = 0; o < outputs; ++o)
                for (int n = 0; n < some; ++n)
                    wanted[o * work.width + n] = points.targets[std::size_t(o) * points.stride + chosen[from + n]];
            targets = wanted.data();
            stride = work.width;
        }
        Lanes real[BLOCK] = {};
        for (int n = 0; n < some; ++n) real[n / LANES][n % LANES] = 1.0f / count;
        forward(net, work, many);
        judge(net, work, targets, stride, many, real, learn ? work.errors.data() : nullptr, loss, right);
        if (learn) backward(net, work, many);
    }
    loss /= count;
}

// One update, by the formulas of torch.optim, from the gradients in work.grown.
void update(const Network& net, Optimiser& o, const Work& work) {
    o.count += 1;
    const float early = o.rule == RMSPROP ? 0.99f : 0.9f;
    const double unbiased1 = 1 - std::pow(0.9, o.count), unbiased2 = 1 - std::pow(0.999, o.count);
    const float size = float(o.lr / unbiased1), root = float(std::sqrt(unbiased2));
    std::size_t n = 0;
    for (int l = 1; l <= net.layers; ++l) {
        const std::size_t matrix = n + std::size_t(net.sizes[l]) * net.sizes[l - 1], end = matrix + net.sizes[l];
        for (; n < end; ++n) {
            float& w = net.weights[n];
            float g = sum_of(at(&work.grown[n * LANES]));
            if (n < matrix) {
                if (o.l1 != 0) g += o.l1 * float((w > 0) - (w < 0));
                if (o.rule == ADAMW) w *= 1 - o.lr * o.decay;
                else g += o.decay * w;
            }
            switch (o.rule) {
                case MOMENTUM:
                case NESTEROV:
                    o.first[n] = o.count == 1 ? g : o.momentum * o.first[n] + g;
                    w -= o.lr * (o.rule == NESTEROV ? g + o.momentum * o.first[n] : o.first[n]);
                    break;
                case ADAGRAD:
                    o.second[n] += g * g;
                    w -= o.lr * g / (std::sqrt(o.second[n]) + 1e-10f);
                    break;
                case RMSPROP:
                    o.second[n] = early * o.second[n] + (1 - early) * g * g;
                    w -= o.lr * g / (std::sqrt(o.second[n]) + 1e-8f);
                    break;
                case ADAM:
                case ADAMW:
                    o.first[n] += 0.1f * (g - o.first[n]);
                    o.second[n] = 0.999f * o.second[n] + 0.001f * g * g;
                    w -= size * o.first[n] / (std::sqrt(o.second[n]) / root + 1e-8f);
                    break;
                default: w -= o.lr * g;
            }
        }
    }
}

}  // namespace

extern "C" {

// `steps` updates. Step n is made on the points batches[n] ([steps][size]; all points if null); losses[n] and
// rights[n] are of those points, as they were before it.
void perceptron_train(const Network* net, const Points* points, Optimiser* optimiser, int steps,
                      const std::int32_t* batches, int size, float* losses, float* rights) {
    Work work(*net);
    for (int n = 0; n < steps; ++n) {
        double loss;
        int right;
        const int count = batches ? size : points->count;
        pass(*net, *points, batches ? batches + std::size_t(n) * size : nullptr, count, work, true, loss, right);
        losses[n] = float(loss);
        rights[n] = float(right) / float(count);
        update(*net, *optimiser, work);
    }
}

// Mean loss and share of right guesses of all points; their gradient, if `slopes` is not null, as the weights lie.
void perceptron_judge(const Network* net, const Points* points, float* loss, float* right, float* slopes) {
    Work work(*net);
    double found;
    int many;
    pass(*net, *points, nullptr, points->count, work, slopes != nullptr, found, many);
    *loss = float(found);
    *right = float(many) / float(points->count);
    for (std::size_t n = 0; slopes && n < work.grown.size() / LANES; ++n) slopes[n] = sum_of(at(&work.grown[n * LANES]));
}

// The values of all units for `count` points, inputs [sizes[0]][stride] -> units [all units but inputs][stride]; and,
// if `slopes` is not null, the slope of each unit's function there, laid out the same.
void perceptron_values(const Network* net, int count, int stride, const float* inputs, float* units, float* slopes) {
    Work work(*net);
    for (int from = 0; from < count; from += work.width) {
        const int some = std::min(work.width, count - from), many = lanes(some);
        for (int i = 0; i < net->sizes[0]; ++i)
            for (int n = 0; n < many * LANES; ++n)
                work.values[std::size_t(i) * work.width + n] = n < some ? inputs[std::size_t(i) * stride + from + n] : 0;
        forward(*net, work, many);
        const int first = work.start[1], all_units = int(work.values.size() / work.width);
        for (int unit = first; unit < all_units; ++unit) {
            const std::size_t to = std::size_t(unit - first) * stride + from, place = std::size_t(unit) * work.width;
            std::memcpy(units + to, &work.values[place], some * sizeof(float));
            if (slopes) std::memcpy(slopes + to, &work.slopes[place], some * sizeof(float));
        }
    }
}
}
