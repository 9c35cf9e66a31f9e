/* Values of tensors, which are float32 or bfloat16 in memory and float32 in the arithmetic; threads. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef _OPENMP
#include <omp.h>
#else
static inline int omp_get_thread_num(void) { return 0; }
static inline int omp_get_num_threads(void) { return 1; }
#endif

#define INLINED static inline __attribute__((always_inline))

enum type { FLOAT32, BFLOAT16 };

INLINED float load(const void *from, int64_t i, enum type type) {
    if (type == FLOAT32) return ((const float *)from)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)from)[i] << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

INLINED void store(void *to, int64_t i, float value, enum type type) {
    if (type == FLOAT32) {
        ((float *)to)[i] = value;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16; /* to nearest, ties to even */
    ((uint16_t *)to)[i] = (uint16_t)(value == value ? rounded : 0x7fc0u);
}
