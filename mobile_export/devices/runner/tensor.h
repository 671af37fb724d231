/* Tensors, as the protocol and both runtimes see them. */
#ifndef TENSOR_H
#define TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MOST_RANK = 32 };

/* Element types by their number in the protocol. */
typedef enum {
    TYPE_NONE, /* one that the protocol does not carry, such as strings */
    TYPE_FLOAT32,
    TYPE_FLOAT16,
    TYPE_FLOAT64,
    TYPE_INT8,
    TYPE_UINT8,
    TYPE_INT16,
    TYPE_UINT16,
    TYPE_INT32,
    TYPE_UINT32,
    TYPE_INT64,
    TYPE_UINT64,
    TYPE_BOOL,
    TYPE_COUNT,
} Type;

/* An input or output of a model, and the value that it has in one request. */
typedef struct {
    const char *name;
    Type type;
    uint32_t rank;
    int64_t sizes[MOST_RANK]; /* -1 in a model: decided by a request */
    void *data;
} Tensor;

/* What one value may take: no file holds a larger tensor. */
#define MOST_BYTES (UINT64_C(1) << 31)

/* Bytes of a value. Fails where they are more than MOST_BYTES, or a size is negative. */
size_t tensor_bytes(const Tensor *tensor);

/* Memory, or the end of the process. */
void *allocate(size_t count, size_t size);

#endif
