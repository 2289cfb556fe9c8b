// Training steps of one small multilayer perceptron. See perceptron.py, which does the equal with torch.
//
// A step of a network with ten weights is a microsecond of arithmetic, less than a call of any library costs; so one
// call takes n_vectors steps. Arrays are [units][points], the points padded to a multiple of SIMD, and every operation
// works on SIMD points at a time. A block of points goes forward and backward while it is in the cache.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int SIMD = 8;
constexpr int BLOCK = 4;  // vectors of points that go through the network together

typedef float Vector __attribute__((vector_size(SIMD * sizeof(float)), aligned(sizeof(float))));
typedef std::int32_t IntVector __attribute__((vector_size(SIMD * sizeof(float))));

inline Vector& at(float* place) { return *reinterpret_cast<Vector*>(place); }
inline const Vector& at(const float* place) { return *reinterpret_cast<const Vector*>(place); }
inline Vector broadcast(float x) { return Vector{} + x; }
inline Vector maximum(Vector a, Vector b) { return a > b ? a : b; }
inline Vector absolute(Vector x) { return x < Vector{} ? -x : x; }

inline float sum(Vector x) {
    float total = 0;
    for (int n = 0; n < SIMD; ++n) total += x[n];
    return total;
}

// exp(x) = 2^n times a polynomial in the remainder (coefficients of Cephes' expf). Error: 1 to 2 units in the last
// place. Not a number stays so.
inline Vector exp_of(Vector x) {
    const Vector low = broadcast(-87.3365f), high = broadcast(88.3762f);
    const Vector odd = x;
    x = x < low ? low : x;
    x = x > high ? high : x;
    const Vector magic = broadcast(12582912.0f);  // 1.5 * 2^23: adding it rounds to whole numbers
    const Vector shifted = x * 1.44269504088896341f + magic;
    const Vector whole = shifted - magic;
    x = x - whole * 0.693359375f;
    x = x + whole * 2.12194440e-4f;
    Vector y = broadcast(1.9875691500e-4f);
    y = y * x + 1.3981999507e-3f;
    y = y * x + 8.3334519073e-3f;
    y = y * x + 4.1665795894e-2f;
    y = y * x + 1.6666665459e-1f;
    y = y * x + 5.0000001201e-1f;
    y = y * x * x + x + 1.0f;
    IntVector scale;
    std::memcpy(&scale, &shifted, sizeof scale);
    scale = (scale + 127) << 23;  // the magic number's unit_delta bits fall difference at the top
    Vector power;
    std::memcpy(&power, &scale, sizeof power);
    y = y * power;
    return odd == odd ? y : odd;
}

// log(1 + x) for x in 0..1, by log((1 + z) / (1 - z)) with z = x / (2 + x): 2 z (1 + z^2/3 + z^4/5 + ...).
inline Vector log1p_of(Vector x) {
    const Vector z = x / (x + 2.0f), s = z * z;
    Vector y = broadcast(1 / 17.0f);
    y = y * s + 1 / 15.0f;
    y = y * s + 1 / 13.0f;
    y = y * s + 1 / 11.0f;
    y = y * s + 1 / 9.0f;
    y = y * s + 1 / 7.0f;
    y = y * s + 1 / 5.0f;
    y = y * s + 1 / 3.0f;
    return 2.0f * z * (y * s + 1.0f);
}

inline Vector sigmoid(Vector x) {  // exp of nothing above zero: it cannot overflow
    const Vector e = exp_of(-absolute(x)), up = 1.0f / (1.0f + e);
    return x < Vector{} ? e * up : up;
}

inline Vector tanh_of(Vector x) {
    const Vector a = absolute(x), e = exp_of(-2.0f * a), s = x * x;
    Vector y = broadcast(-5.70498872745e-3f);  // near zero the quotient would lose digits (Cephes' tanhf)
    y = y * s + 2.06390887954e-2f;
    y = y * s - 5.37397155531e-2f;
    y = y * s + 1.33314422036e-1f;
    y = y * s - 3.33332819422e-1f;
    const Vector small = y * s * x + x, large = (1.0f - e) / (1.0f + e), signed_ = x < Vector{} ? -large : large;
    return a < broadcast(0.625f) ? small : signed_;
}

// The standard normal distribution function at x, by Abramowitz and Stegun 7.1.26 (error below
// 1.5e-7), and the density.
inline void normal(Vector x, Vector& cdf, Vector& density) {
    const Vector a = absolute(x) * 0.70710678118654752f, t = 1.0f / (1.0f + 0.3275911f * a), e = exp_of(-a * a);
    Vector y = broadcast(1.061405429f);
    y = y * t - 1.453152027f;
    y = y * t + 1.421413741f;
    y = y * t - 0.284496736f;
    y = y * t + 0.254829592f;
    const Vector tail = 0.5f * y * t * e;
    cdf = x < Vector{} ? tail : 1.0f - tail;
    density = 0.39894228040143268f * e;
}

// The order of perceptron.py's ACTIVATIONS.
enum Activation { LINEAR, STEP, SIGMOID, TANH, RELU, LEAKY, ELU, GELU, SILU, SOFTPLUS };

// Value and derivative of an activation at z.
inline void activate(int kind, Vector z, Vector& value, Vector& derivative) {
    const Vector zero = {}, one = broadcast(1.0f);
    switch (kind) {
        case STEP: value = z > zero ? one : zero; derivative = zero; break;
        case SIGMOID: value = sigmoid(z); derivative = value * (1.0f - value); break;
        case TANH: value = tanh_of(z); derivative = 1.0f - value * value; break;
        case RELU: value = z <= zero ? zero : z; derivative = z > zero ? one : zero; break;
        case LEAKY: value = z > zero ? z : 0.01f * z; derivative = z > zero ? one : broadcast(0.01f); break;
        case ELU: {
            const Vector e = exp_of(z > zero ? zero : z);
            value = z > zero ? z : e - 1.0f;
            derivative = z > zero ? one : e;
            break;
        }
        case GELU: {
            Vector cdf, density;
            normal(z, cdf, density);
            value = z * cdf;
            derivative = cdf + z * density;
            break;
        }
        case SILU: {
            const Vector s = sigmoid(z);
            value = z * s;
            derivative = s * (1.0f + z * (1.0f - s));
            break;
        }
        case SOFTPLUS: value = maximum(z, zero) + log1p_of(exp_of(-absolute(z))); derivative = sigmoid(z); break;
        default: value = z; derivative = one;
    }
}

// The weighted sums of T units for up to BLOCK vectors of points: out = bias + weight * in.
template <int T>
inline void sums(const float* weight, const float* bias, int inputs, const float* in, int stride, int n_vectors,
                 Vector out[T][BLOCK]) {
    for (int t = 0; t < T; ++t)
        for (int v = 0; v < BLOCK; ++v) out[t][v] = broadcast(bias[t]);
    for (int i = 0; i < inputs; ++i)
        for (int v = 0; v < n_vectors; ++v) {
            const Vector x = at(in + i * stride + v * SIMD);
            for (int t = 0; t < T; ++t) out[t][v] += weight[t * inputs + i] * x;
        }
}

}  // namespace

extern "C" {

struct Network {
    std::int32_t layers;              // number of weight matrices
    const std::int32_t* sizes;        // layers + 1
    const std::int32_t* activations;  // layers; that of the last one is not read
    std::int32_t loss;                // 0 halved squared delta, 1 logistic (one output), 2 softmax and cross-entropy
    float* weights;                   // layer by layer: [out][in], then [out]
};

struct Points {
    std::int32_t count;
    std::int32_t stride;   // count padded to a multiple of SIMD
    const float* inputs;   // [sizes[0]][stride]
    const float* targets;  // [outputs][stride]: values; for logistic 0 or 1; for softmax one class is 1
};

// The order of perceptron.py's OPTIMISERS.
enum Rule { SGD, MOMENTUM, NESTEROV, ADAGRAD, RMSPROP, ADAM, ADAMW };

struct Optimiser {
    std::int32_t rule;
    float lr, momentum, decay, l1;  // decay: L2 added to the gradient, or AdamW's own; not of biases
    double count;                   // steps taken
    float* first;                   // velocity or first moment, in the layout of the weights
    float* second;                  // second moment, likewise
};
}

namespace {

int vectors(int n) { return (n + SIMD - 1) / SIMD; }

// Memory for one block of points. values: [units][width], inputs first; derivatives: the same of the activations.
// deltas: two of [widest layer][width], the gradients of the loss by the weighted sums of a layer, and of the one
// before it.
// grads: [parameters][SIMD], the sums over points of the gradients, one for each place in a vector.
struct Work {
    std::vector<float> values, derivatives, deltas, grads;
    std::vector<int> start;  // the first unit of each layer in values
    int width = BLOCK * SIMD;

    explicit Work(const Network& net) {
        int units = 0, parameters = 0, widest = 0;
        for (int l = 0; l <= net.layers; ++l) {
            start.push_back(units);
            units += net.sizes[l];
            widest = std::max(widest, net.sizes[l]);
            if (l) parameters += net.sizes[l] * (net.sizes[l - 1] + 1);
        }
        values.resize(std::size_t(units) * width);
        derivatives.resize(values.size());
        deltas.resize(2 * std::size_t(widest) * width);
        grads.resize(std::size_t(parameters) * SIMD);
    }
};

// The forward pass of a block whose inputs are the first of work.values: all other values, and all derivatives.
void forward(const Network& net, Work& work, int n_vectors) {
    const float* weight = net.weights;
    for (int l = 1; l <= net.layers; ++l) {
        const int inputs = net.sizes[l - 1], units = net.sizes[l], kind = l < net.layers ? net.activations[l - 1] : 0;
        const float* bias = weight + std::size_t(units) * inputs;
        const float* in = work.values.data() + std::size_t(work.start[l - 1]) * work.width;
        const auto store = [&](int unit, const Vector* z) {
            const std::size_t place = std::size_t(work.start[l] + unit) * work.width;
            for (int v = 0; v < n_vectors; ++v) {
                Vector value, derivative;
                activate(kind, z[v], value, derivative);
                at(&work.values[place + v * SIMD]) = value;
                at(&work.derivatives[place + v * SIMD]) = derivative;
            }
        };
        int unit = 0;
        for (; unit + 2 <= units; unit += 2) {
            Vector z[2][BLOCK];
            sums<2>(weight + std::size_t(unit) * inputs, bias + unit, inputs, in, work.width, n_vectors, z);
            store(unit, z[0]);
            store(unit + 1, z[1]);
        }
        if (unit < units) {
            Vector z[1][BLOCK];
            sums<1>(weight + std::size_t(unit) * inputs, bias + unit, inputs, in, work.width, n_vectors, z);
            store(unit, z[0]);
        }
        weight = bias + units;
    }
}

// Adds the losses and correct guesses of a block whose scores are the last of work.values. `share` is 1 / count for
// each point, 0 for padding; `delta`, unless null, gets the gradient of the mean loss by the scores.
void loss_of(const Network& net, const Work& work, const float* targets, int stride, int n_vectors, const Vector* share,
           float* delta, double& loss, int& correct) {
    const int outputs = net.sizes[net.layers];
    const float* scores = work.values.data() + std::size_t(work.start[net.layers]) * work.width;
    for (int v = 0; v < n_vectors; ++v) {
        const IntVector counts = share[v] != Vector{};
        Vector losses = {};
        if (net.loss == 2) {
            Vector best = at(scores + v * SIMD), exp_sum = {}, target_score = {};
            IntVector guess = {}, truth = {};
            for (int o = 1; o < outputs; ++o) {
                const Vector score = at(scores + o * work.width + v * SIMD);
                guess = score > best ? IntVector{} + o : guess;
                best = maximum(score, best);
            }
            for (int o = 0; o < outputs; ++o) {
                const Vector score = at(scores + o * work.width + v * SIMD);
                const Vector target = at(targets + o * stride + v * SIMD);
                exp_sum += exp_of(score - best);
                target_score += target * (score - best);
                truth = target > broadcast(0.5f) ? IntVector{} + o : truth;
            }
            for (int n = 0; n < SIMD; ++n) losses[n] = std::log(exp_sum[n]) - target_score[n];
            for (int o = 0; delta && o < outputs; ++o)
                at(delta + o * work.width + v * SIMD) =
                    (exp_of(at(scores + o * work.width + v * SIMD) - best) / exp_sum -
                     at(targets + o * stride + v * SIMD)) * share[v];
            for (int n = 0; n < SIMD; ++n) correct += counts[n] && guess[n] == truth[n];
        } else {
            for (int o = 0; o < outputs; ++o) {
                const Vector score = at(scores + o * work.width + v * SIMD);
                const Vector target = at(targets + o * stride + v * SIMD);
                Vector difference;
                if (net.loss == 1) {
                    difference = sigmoid(score) - target;
                    losses += maximum(score, Vector{}) - score * target + log1p_of(exp_of(-absolute(score)));
                    const IntVector equal = (score > Vector{}) == (target > broadcast(0.5f));
                    for (int n = 0; n < SIMD; ++n) correct += counts[n] && equal[n];
                } else {
                    difference = score - target;
                    losses += 0.5f * difference * difference;
                    const IntVector equal = (score > Vector{}) == (target > Vector{});
                    for (int n = 0; !o && n < SIMD; ++n) correct += counts[n] && equal[n];
                }
                if (delta) at(delta + o * work.width + v * SIMD) = difference * share[v];
            }
        }
        for (int n = 0; n < SIMD; ++n)
            if (counts[n]) loss += losses[n];
    }
}

// The backward pass of a block: adds its gradients to work.grads.
void backward(const Network& net, Work& work, int n_vectors) {
    float *delta = work.deltas.data(), *previous = delta + work.deltas.size() / 2;
    std::size_t end = 0;
    for (int l = 1; l <= net.layers; ++l) end += std::size_t(net.sizes[l]) * (net.sizes[l - 1] + 1);
    for (int l = net.layers; l; --l) {
        const int inputs = net.sizes[l - 1], units = net.sizes[l];
        end -= std::size_t(units) * (inputs + 1);
        const float* weight = net.weights + end;
        float* grads = work.grads.data() + end * SIMD;
        const float* in = work.values.data() + std::size_t(work.start[l - 1]) * work.width;
        for (int unit = 0; unit < units; ++unit) {
            Vector unit_delta[BLOCK], bias_grad = {};
            for (int v = 0; v < n_vectors; ++v) bias_grad += unit_delta[v] = at(delta + unit * work.width + v * SIMD);
            for (int i = 0; i < inputs; ++i) {
                Vector weight_grad = {};
                for (int v = 0; v < n_vectors; ++v) weight_grad += unit_delta[v] * at(in + i * work.width + v * SIMD);
                at(grads + (std::size_t(unit) * inputs + i) * SIMD) += weight_grad;
            }
            at(grads + (std::size_t(units) * inputs + unit) * SIMD) += bias_grad;
        }
        if (l == 1) break;
        const float* derivative = work.derivatives.data() + std::size_t(work.start[l - 1]) * work.width;
        for (int i = 0; i < inputs; ++i) {
            Vector input_grad[BLOCK] = {};
            for (int unit = 0; unit < units; ++unit)
                for (int v = 0; v < n_vectors; ++v)
                    input_grad[v] += weight[std::size_t(unit) * inputs + i] * at(delta + unit * work.width + v * SIMD);
            for (int v = 0; v < n_vectors; ++v)
                at(previous + i * work.width + v * SIMD) = input_grad[v] * at(derivative + i * work.width + v * SIMD);
        }
        std::swap(delta, previous);
    }
}

// The points `chosen` (the first `count` if null) forward, and backward if `learn`. Sets the mean loss and the number
// of correct guesses.
void pass(const Network& net, const Points& points, const std::int32_t* chosen, int count, Work& work, bool learn,
          double& loss, int& correct) {
    loss = 0;
    correct = 0;
    const int outputs = net.sizes[net.layers];
    std::vector<float> chosen_targets(chosen ? std::size_t(outputs) * work.width : 0);
    if (learn) std::fill(work.grads.begin(), work.grads.end(), 0.0f);
    for (int from = 0; from < count; from += work.width) {
        const int block = std::min(work.width, count - from), n_vectors = vectors(block);
        for (int i = 0; i < net.sizes[0]; ++i) {
            float* to = &work.values[std::size_t(i) * work.width];
            const float* row = points.inputs + std::size_t(i) * points.stride;
            for (int n = 0; n < n_vectors * SIMD; ++n)
                to[n] = n < block ? row[chosen ? chosen[from + n] : from + n] : 0;
        }
        const float* targets = points.targets + from;
        int stride = points.stride;
        if (chosen) {
            for (int o = 0; o < outputs; ++o) {
                const float* row = points.targets + std::size_t(o) * points.stride;
                for (int n = 0; n < block; ++n) chosen_targets[o * work.width + n] = row[chosen[from + n]];
            }
            targets = chosen_targets.data();
            stride = work.width;
        }
        Vector share[BLOCK] = {};
        for (int n = 0; n < block; ++n) share[n / SIMD][n % SIMD] = 1.0f / count;
        forward(net, work, n_vectors);
        loss_of(net, work, targets, stride, n_vectors, share, learn ? work.deltas.data() : nullptr, loss, correct);
        if (learn) backward(net, work, n_vectors);
    }
    loss /= count;
}

// One step of the optimiser, by torch.optim's formulas and constants, with the gradients in work.grads.
void update(const Network& net, Optimiser& o, const Work& work) {
    o.count += 1;
    const float alpha = o.rule == RMSPROP ? 0.99f : 0.9f;
    const double unbiased1 = 1 - std::pow(0.9, o.count), unbiased2 = 1 - std::pow(0.999, o.count);
    const float step_size = float(o.lr / unbiased1), bias2_root = float(std::sqrt(unbiased2));
    std::size_t n = 0;
    for (int l = 1; l <= net.layers; ++l) {
        const std::size_t matrix = n + std::size_t(net.sizes[l]) * net.sizes[l - 1], end = matrix + net.sizes[l];
        for (; n < end; ++n) {
            float& w = net.weights[n];
            float g = sum(at(&work.grads[n * SIMD]));
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
                    o.second[n] = alpha * o.second[n] + (1 - alpha) * g * g;
                    w -= o.lr * g / (std::sqrt(o.second[n]) + 1e-8f);
                    break;
                case ADAM:
                case ADAMW:
                    o.first[n] += 0.1f * (g - o.first[n]);
                    o.second[n] = 0.999f * o.second[n] + 0.001f * g * g;
                    w -= step_size * o.first[n] / (std::sqrt(o.second[n]) / bias2_root + 1e-8f);
                    break;
                default: w -= o.lr * g;
            }
        }
    }
}

}  // namespace

extern "C" {

// `steps` steps. Step n is taken on the points batches[n] ([steps][size]; all points if null); losses[n] and rights[n]
// are their mean loss and share of correct guesses before it.
void perceptron_train(const Network* net, const Points* points, Optimiser* optimiser, int steps,
                      const std::int32_t* batches, int size, float* losses, float* rights) {
    Work work(*net);
    for (int n = 0; n < steps; ++n) {
        double loss;
        int correct;
        const int count = batches ? size : points->count;
        pass(*net, *points, batches ? batches + std::size_t(n) * size : nullptr, count, work, true, loss, correct);
        losses[n] = float(loss);
        rights[n] = float(correct) / float(count);
        update(*net, *optimiser, work);
    }
}

// Mean loss and share of correct guesses of all points; `gradient`, unless null, gets the gradient of the mean loss in
// the layout of the weights.
void perceptron_evaluate(const Network* net, const Points* points, float* loss, float* correct, float* gradient) {
    Work work(*net);
    double mean_loss;
    int n_correct;
    pass(*net, *points, nullptr, points->count, work, gradient != nullptr, mean_loss, n_correct);
    *loss = float(mean_loss);
    *correct = float(n_correct) / float(points->count);
    for (std::size_t n = 0; gradient && n < work.grads.size() / SIMD; ++n) gradient[n] = sum(at(&work.grads[n * SIMD]));
}

// The values of all units for `count` points: inputs [sizes[0]][stride] -> units [all units but inputs][stride].
// `derivatives`, unless null, gets the derivative of each unit's activation there, in the equal layout.
void perceptron_values(const Network* net, int count, int stride, const float* inputs, float* units,
                       float* derivatives) {
    Work work(*net);
    for (int from = 0; from < count; from += work.width) {
        const int block = std::min(work.width, count - from), n_vectors = vectors(block);
        for (int i = 0; i < net->sizes[0]; ++i)
            for (int n = 0; n < n_vectors * SIMD; ++n) {
                const std::size_t place = std::size_t(i) * stride + from + n;
                work.values[std::size_t(i) * work.width + n] = n < block ? inputs[place] : 0;
            }
        forward(*net, work, n_vectors);
        const int first = work.start[1], all_units = int(work.values.size() / work.width);
        for (int unit = first; unit < all_units; ++unit) {
            const std::size_t to = std::size_t(unit - first) * stride + from, place = std::size_t(unit) * work.width;
            std::memcpy(units + to, &work.values[place], block * sizeof(float));
            if (derivatives) std::memcpy(derivatives + to, &work.derivatives[place], block * sizeof(float));
        }
    }
}
}
