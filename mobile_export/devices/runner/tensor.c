#include "tensor.h"

#include <stdlib.h>

#include "protocol.h"

static const uint8_t ELEMENT_BYTES[TYPE_COUNT] = {
    [TYPE_FLOAT32] = 4, [TYPE_FLOAT16] = 2, [TYPE_FLOAT64] = 8, [TYPE_INT8] = 1,  [TYPE_UINT8] = 1,  [TYPE_INT16] = 2,
    [TYPE_UINT16] = 2,  [TYPE_INT32] = 4,   [TYPE_UINT32] = 4,  [TYPE_INT64] = 8, [TYPE_UINT64] = 8, [TYPE_BOOL] = 1,
};

size_t tensor_bytes(const Tensor *tensor) {
    uint64_t bytes = ELEMENT_BYTES[tensor->type];
    for (uint32_t i = 0; i < tensor->rank; i++) {
        bool overflow = tensor->sizes[i] < 0 || __builtin_mul_overflow(bytes, (uint64_t)tensor->sizes[i], &bytes);
        if (overflow || bytes > MOST_BYTES) {
            fail("the sizes of %s make no sense", tensor->name);
        }
    }
    return (size_t)bytes;
}

void *allocate(size_t count, size_t size) {
    void *memory = calloc(count ? count : 1, size ? size : 1);
    if (!memory) {
        fail("no memory for %zu elements of %zu bytes", count, size);
    }
    return memory;
}
