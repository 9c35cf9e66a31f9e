/* The gradients of a depthwise convolution, channels last in memory.
 *
 * Each pixel of the input meets the same taps twice: its gradient is the sum of grad * filter over them, and the filters'
 * gradients grow by grad * pixel. So one turn does both, a few channels at a time in the widest registers there are, and zeros
 * that pad the image are never touched. Each thread has rows and sums of its own: in float32 within a row, these in double, and
 * the threads' in their order, so that the same call gives the same bits again. `depthwise.py` calls it.
 */

#include "values.h"

#ifdef __AVX512F__
#define LANES 16
#else
#define LANES 8
#endif
typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef uint32_t words __attribute__((vector_size(4 * LANES)));
typedef uint16_t halves __attribute__((vector_size(2 * LANES), aligned(2), may_alias));

/* Read `count` values, of what may be fewer than there are lanes. */
INLINED lanes load_lanes(const void *from, int64_t i, int64_t count, enum type type) {
    if (type == FLOAT32) {
        lanes values = {0};
        memcpy(&values, (const float *)from + i, count * sizeof(float));
        return values;
    }
    halves bits = {0};
    memcpy(&bits, (const uint16_t *)from + i, count * sizeof(uint16_t));
    return (lanes)(__builtin_convertvector(bits, words) << 16);
}

INLINED void store_lanes(void *to, int64_t i, lanes values, int64_t count, enum type type) {
    if (type == FLOAT32) {
        memcpy((float *)to + i, &values, count * sizeof(float));
        return;
    }
    words bits = (words)values, rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16; /* to nearest, ties to even */
    words is_nan = (words)(values != values);
    rounded = (is_nan & 0x7fc0u) | (~is_nan & rounded);
    halves narrow = __builtin_convertvector(rounded, halves);
    memcpy((uint16_t *)to + i, &narrow, count * sizeof(uint16_t));
}

/* Sizes, as `depthwise.py` fills them in. `padded` is `channels` made a multiple of 16. */
struct sizes {
    int64_t images, height, width, channels, out_height, out_width, kernel, stride, top, left, padded;
};

/* Treat `count` channels from `c` on of one row of one image. filters, sums: (kernel, kernel, padded). */
INLINED void gradient_of_lanes(const struct sizes *s, const void *grad, const void *x, const float *filters, void *grad_x,
                               float *sums, int64_t row, int64_t c, int64_t count, int64_t stride, enum type type) {
    int64_t image = row / s->height, y = row % s->height;
    for (int64_t column = 0; column < s->width; column++) {
        int64_t here = (row * s->width + column) * s->channels + c;
        lanes pixel = load_lanes(x, here, count, type), found = {0};
        for (int64_t ky = (y + s->top) % stride, oy = (y + s->top) / stride; ky < s->kernel; ky += stride, oy--) {
            if (oy < 0 || oy >= s->out_height) continue;
            int64_t line = (image * s->out_height + oy) * s->out_width;
            for (int64_t kx = (column + s->left) % stride, ox = (column + s->left) / stride; kx < s->kernel; kx += stride, ox--) {
                if (ox < 0 || ox >= s->out_width) continue;
                int64_t tap = (ky * s->kernel + kx) * s->padded + c;
                lanes g = load_lanes(grad, (line + ox) * s->channels + c, count, type);
                found += g * *(const lanes *)(filters + tap);
                *(lanes *)(sums + tap) += g * pixel;
            }
        }
        store_lanes(grad_x, here, found, count, type);
    }
}

/* All channels of a row: as many lanes at a time as there are, then the rest at once, so that no lane is beyond `padded`. */
INLINED void gradient_of_row(const struct sizes *s, const void *grad, const void *x, const float *filters, void *grad_x,
                             float *sums, int64_t row, int64_t stride, enum type type) {
    int64_t c = 0;
    for (; c + LANES <= s->channels; c += LANES)
        gradient_of_lanes(s, grad, x, filters, grad_x, sums, row, c, LANES, stride, type);
    int64_t rest = s->channels - c;
    if (rest == 8) /* most often: channels are multiples of 8 */
        gradient_of_lanes(s, grad, x, filters, grad_x, sums, row, c, 8, stride, type);
    else if (rest > 0)
        gradient_of_lanes(s, grad, x, filters, grad_x, sums, row, c, rest, stride, type);
}

/* Return the gradients of image and filters.
 *
 * grad: (images, out_height, out_width, channels) of `type`; x, grad_x: (images, height, width, channels) of `type`.
 * filters: (kernel, kernel, padded). grad_filters: (threads, kernel, kernel, padded), zeros to begin with.
 * Returns 0, or 1 where memory is short.
 */
int depthwise_backward(const struct sizes *s, const void *grad, const void *x, const float *filters, void *grad_x,
                       double *grad_filters, int type, int threads) {
    int64_t taps = s->kernel * s->kernel * s->padded, rows = s->images * s->height;
    float *all_sums = calloc(taps * threads, sizeof(float));
    if (!all_sums) return 1;
#pragma omp parallel num_threads(threads)
    {
        int64_t thread = omp_get_thread_num(), team = omp_get_num_threads();
        float *sums = all_sums + thread * taps;
        double *totals = grad_filters + thread * taps;
        for (int64_t row = rows * thread / team; row < rows * (thread + 1) / team; row++) {
            switch (4 * type + s->stride) {
                case 1: gradient_of_row(s, grad, x, filters, grad_x, sums, row, 1, FLOAT32); break;
                case 2: gradient_of_row(s, grad, x, filters, grad_x, sums, row, 2, FLOAT32); break;
                case 5: gradient_of_row(s, grad, x, filters, grad_x, sums, row, 1, BFLOAT16); break;
                case 6: gradient_of_row(s, grad, x, filters, grad_x, sums, row, 2, BFLOAT16); break;
            }
            for (int64_t i = 0; i < taps; i++) totals[i] += sums[i];
            memset(sums, 0, taps * sizeof(float));
        }
    }
    free(all_sums);
    return 0;
}
