/* Batch norm and the activation after it, forward and backward, in two reads and one write of each tensor.
 *
 * Tensors are rows of channels: (N, C, H, W) that is channels last in memory is N*H*W rows of C. Every pass treats its rows as
 * any loop would; what makes it fast is that nothing is written in between: the backward pass takes the normalised value and
 * the slope of the activation anew from the convolution's output. The limit is the memory, not the arithmetic.
 *
 * Each thread sums over rows of its own: a few of them in float32, these sums in double, and the threads' in their order, so
 * that the same call gives the same bits again. `batch_norm.py` calls it.
 */

#include <math.h>

#include "values.h"

enum kind { LINEAR, RELU, RELU6, HARD_SWISH };

#define BLOCK 32 /* rows that are summed in float32: their rounding stays below 1e-6 */
#define WIDE 64  /* values in a line: fewer leave vector registers empty */

INLINED float clamp(float z, float least, float most) {
    z = z < least ? least : z;
    return z > most ? most : z; /* NaN stays */
}

INLINED float activate(float z, enum kind kind) {
    switch (kind) {
        case LINEAR: return z;
        case RELU: return z < 0.0f ? 0.0f : z;
        case RELU6: return clamp(z, 0.0f, 6.0f);
        default: return z * clamp(z + 3.0f, 0.0f, 6.0f) * (1.0f / 6.0f);
    }
}

INLINED float slope(float z, enum kind kind) {
    switch (kind) {
        case LINEAR: return 1.0f;
        case RELU: return z > 0.0f ? 1.0f : 0.0f;
        case RELU6: return z > 0.0f && z < 6.0f ? 1.0f : 0.0f;
        default: return z <= -3.0f ? 0.0f : z < 3.0f ? z * (1.0f / 3.0f) + 0.5f : 1.0f;
    }
}

/* What a pass works on. A line is `fold` rows of a narrow tensor, one after the other; vectors have `width` = fold * channels
 * values. */
struct work {
    const void *x, *grad; /* (lines, width) */
    void *out;
    int64_t first, last; /* lines of this thread */
    int64_t width;
    const float *scale, *shift; /* normalised: x * scale + shift */
    const float *center;        /* sums are taken of x - center */
    const float *constant, *factor; /* gradient: scale * g - constant - factor * x */
    double *sums;               /* (2, width) of this thread */
    float *block;               /* (2, width) */
};

INLINED void add_block(const struct work *w) {
#pragma omp simd
    for (int64_t c = 0; c < 2 * w->width; c++) w->sums[c] += w->block[c];
    memset(w->block, 0, 2 * w->width * sizeof(float));
}

/* Sum x - center and its square. */
INLINED void moments(const struct work *w, enum type type, enum kind kind) {
    (void)kind;
    int64_t width = w->width;
    const void *x = w->x;
    float *sum = w->block, *square = w->block + width;
    const float *center = w->center;
    for (int64_t line = w->first; line < w->last; line++) {
#pragma omp simd
        for (int64_t c = 0; c < width; c++) {
            float value = load(x, line * width + c, type) - center[c];
            sum[c] += value;
            square[c] += value * value;
        }
        if ((line - w->first) % BLOCK == BLOCK - 1) add_block(w);
    }
    add_block(w);
}

/* Write the activation of what is normalised. */
INLINED void apply(const struct work *w, enum type type, enum kind kind) {
    int64_t width = w->width;
    const void *x = w->x;
    void *out = w->out;
    const float *scale = w->scale, *shift = w->shift;
    for (int64_t line = w->first; line < w->last; line++)
#pragma omp simd
        for (int64_t c = 0; c < width; c++) {
            int64_t i = line * width + c;
            store(out, i, activate(load(x, i, type) * scale[c] + shift[c], kind), type);
        }
}

/* Sum the gradient before the activation, g, and g * (x - center). */
INLINED void gradient_moments(const struct work *w, enum type type, enum kind kind) {
    int64_t width = w->width;
    const void *x = w->x, *grad = w->grad;
    float *sum = w->block, *product = w->block + width;
    const float *scale = w->scale, *shift = w->shift, *center = w->center;
    for (int64_t line = w->first; line < w->last; line++) {
#pragma omp simd
        for (int64_t c = 0; c < width; c++) {
            int64_t i = line * width + c;
            float value = load(x, i, type), g = load(grad, i, type) * slope(value * scale[c] + shift[c], kind);
            sum[c] += g;
            product[c] += g * (value - center[c]);
        }
        if ((line - w->first) % BLOCK == BLOCK - 1) add_block(w);
    }
    add_block(w);
}

/* Write the gradient of x. */
INLINED void gradient(const struct work *w, enum type type, enum kind kind) {
    int64_t width = w->width;
    const float *scale = w->scale, *shift = w->shift;
    const float *constant = w->constant, *factor = w->factor;
    const void *x = w->x, *grad = w->grad;
    void *out = w->out;
    for (int64_t line = w->first; line < w->last; line++)
#pragma omp simd
        for (int64_t c = 0; c < width; c++) {
            int64_t i = line * width + c;
            float value = load(x, i, type), g = load(grad, i, type) * slope(value * scale[c] + shift[c], kind);
            store(out, i, scale[c] * g - constant[c] - factor[c] * value, type);
        }
}

/* Define NAME(work, type, kind), which has code of its own for each type and kind. */
#define SPECIALISED(NAME, PASS)                                              \
    static void NAME(const struct work *w, enum type type, enum kind kind) { \
        switch (4 * type + kind) {                                           \
            case 0: PASS(w, FLOAT32, LINEAR); break;                         \
            case 1: PASS(w, FLOAT32, RELU); break;                           \
            case 2: PASS(w, FLOAT32, RELU6); break;                          \
            case 3: PASS(w, FLOAT32, HARD_SWISH); break;                     \
            case 4: PASS(w, BFLOAT16, LINEAR); break;                        \
            case 5: PASS(w, BFLOAT16, RELU); break;                          \
            case 6: PASS(w, BFLOAT16, RELU6); break;                         \
            case 7: PASS(w, BFLOAT16, HARD_SWISH); break;                    \
        }                                                                    \
    }
SPECIALISED(run_moments, moments)
SPECIALISED(run_apply, apply)
SPECIALISED(run_gradient_moments, gradient_moments)
SPECIALISED(run_gradient, gradient)

/* Return how many rows are taken as one line. */
static int64_t lines_fold(int64_t rows, int64_t channels) {
    int64_t fold = 1;
    while (fold * channels < WIDE && rows % (2 * fold) == 0) fold *= 2;
    return fold;
}

/* Repeat the first `channels` values up to `width`. */
static void repeat(float *values, int64_t channels, int64_t width) {
    for (int64_t c = channels; c < width; c++) values[c] = values[c - channels];
}

/* Add up what all threads and all rows of a line have for channel c of the sums' half 0 or 1. */
static double total(const double *sums, int threads, int64_t width, int64_t channels, int half, int64_t c) {
    double found = 0.0;
    for (int thread = 0; thread < threads; thread++)
        for (int64_t i = c; i < width; i += channels) found += sums[(2 * thread + half) * width + i];
    return found;
}

/* Give a thread its lines, and of the scratch its sums and its block. */
static void take_share(struct work *w, int64_t lines, double *sums, float *blocks) {
    int thread = omp_get_thread_num(), threads = omp_get_num_threads();
    w->first = lines * thread / threads, w->last = lines * (thread + 1) / threads;
    w->sums = sums + 2 * thread * w->width, w->block = blocks + 2 * thread * w->width;
}

/* Normalise x by its own statistics, then activate.
 *
 * x, y: (rows, channels) of `type`. weight, bias, running_mean, running_var: (channels,); the last two, or NULL, are moved on.
 * saved: (4, channels), is written for `batch_norm_backward`: scale, shift, mean and 1 / standard deviation.
 * Returns 0, or 1 where memory is short; then nothing was written.
 */
int batch_norm_forward(const void *x, void *y, int64_t rows, int64_t channels, const float *weight, const float *bias, float *running_mean,
            float *running_var, float *saved, double momentum, double eps, int type, int kind, int threads) {
    int64_t fold = lines_fold(rows, channels), width = fold * channels, lines = rows / fold;
    double *sums = calloc(2 * width * threads, sizeof(double));
    float *blocks = calloc((2 * threads + 3) * width, sizeof(float));
    if (!sums || !blocks) {
        free(sums), free(blocks);
        return 1;
    }
    float *scale = blocks + 2 * threads * width, *shift = scale + width, *center = shift + width;
    for (int64_t c = 0; c < width; c++) center[c] = load(x, c % channels, type); /* any value of the channel will do */
#pragma omp parallel num_threads(threads)
    {
        struct work w = {.x = x, .out = y, .width = width, .scale = scale, .shift = shift, .center = center};
        take_share(&w, lines, sums, blocks);
        run_moments(&w, type, kind);
#pragma omp barrier
#pragma omp single
        {
            for (int64_t c = 0; c < channels; c++) {
                double offset = total(sums, omp_get_num_threads(), width, channels, 0, c) / rows, mean = center[c] + offset;
                double variance = total(sums, omp_get_num_threads(), width, channels, 1, c) / rows - offset * offset;
                variance = variance < 0.0 ? 0.0 : variance;
                double inverse = 1.0 / sqrt(variance + eps), unbiased = variance * rows / (rows > 1 ? rows - 1 : 1);
                scale[c] = saved[c] = (float)(weight[c] * inverse);
                shift[c] = saved[channels + c] = (float)(bias[c] - mean * weight[c] * inverse);
                saved[2 * channels + c] = (float)mean, saved[3 * channels + c] = (float)inverse;
                if (!running_mean) continue;
                running_mean[c] += (float)(momentum * (mean - running_mean[c]));
                running_var[c] += (float)(momentum * (unbiased - running_var[c]));
            }
            repeat(scale, channels, width), repeat(shift, channels, width);
        }
        run_apply(&w, type, kind);
    }
    free(sums), free(blocks);
    return 0;
}

/* Return the gradients of x, weight and bias.
 *
 * grad, x, grad_x: (rows, channels) of `type`; x and saved as in `batch_norm_forward`. grad_weight, grad_bias: (channels,), are written.
 * Returns 0, or 1 where memory is short; then nothing was written.
 */
int batch_norm_backward(const void *grad, const void *x, void *grad_x, int64_t rows, int64_t channels, const float *saved,
             float *grad_weight, float *grad_bias, int type, int kind, int threads) {
    int64_t fold = lines_fold(rows, channels), width = fold * channels, lines = rows / fold;
    double *sums = calloc(2 * width * threads, sizeof(double));
    float *blocks = calloc((2 * threads + 5) * width, sizeof(float));
    if (!sums || !blocks) {
        free(sums), free(blocks);
        return 1;
    }
    float *scale = blocks + 2 * threads * width, *shift = scale + width, *center = shift + width;
    float *constant = center + width, *factor = constant + width;
    for (int64_t c = 0; c < width; c++) {
        scale[c] = saved[c % channels], shift[c] = saved[channels + c % channels];
        center[c] = saved[2 * channels + c % channels];
    }
#pragma omp parallel num_threads(threads)
    {
        struct work w = {.x = x, .grad = grad, .out = grad_x, .width = width, .scale = scale, .shift = shift, .center = center,
                         .constant = constant, .factor = factor};
        take_share(&w, lines, sums, blocks);
        run_gradient_moments(&w, type, kind);
#pragma omp barrier
#pragma omp single
        {
            for (int64_t c = 0; c < channels; c++) {
                double sum = total(sums, omp_get_num_threads(), width, channels, 0, c), inverse = saved[3 * channels + c];
                double product = total(sums, omp_get_num_threads(), width, channels, 1, c) * inverse;
                double slant = scale[c] * product * inverse / rows;
                grad_bias[c] = (float)sum, grad_weight[c] = (float)product;
                factor[c] = (float)slant, constant[c] = (float)(scale[c] * sum / rows - slant * center[c]);
            }
            repeat(constant, channels, width), repeat(factor, channels, width);
        }
        run_gradient(&w, type, kind);
    }
    free(sums), free(blocks);
    return 0;
}
