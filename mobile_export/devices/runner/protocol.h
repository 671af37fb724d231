/* What the runner reads and writes, and how its errors leave.
 *
 * Everything is little endian and unaligned. The output begins with the four bytes "MXR1", whose last one is this
 * protocol's version; messages follow, each of which begins with its kind (u32):
 *
 *     1 MODEL    u32 inputs, u32 outputs, then each of them: u32 length, name (UTF-8), u32 type, u32 rank, i64 sizes
 *                (-1: decided by a request). Written once, when the model is loaded.
 *     2 ANSWER   the outputs of one request, as tensors in the model's order
 *     3 ERROR    u32 length, one sentence (UTF-8). Nothing follows: an error ends the runner, with exit code 1.
 *     4 UNABLE   the same, where not the file is at fault but the runner cannot carry what it has
 *
 * The input is any number of requests, answered one by one, until it ends:
 *
 *     5 REQUEST  the inputs, as tensors in the model's order
 *
 * A tensor is u32 type (of tensor.h), u32 rank, u64 sizes, and its elements in C order. Input and output may be files.
 * An input that is a pipe stays open until all answers are there: closing it ends the runner at once.
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

#include "tensor.h"

/* Takes the output for messages alone: whatever else is printed from now on goes to stderr. */
void protocol_begin(void);

void write_model(const Tensor *inputs, size_t input_count, const Tensor *outputs, size_t output_count);

/* Reads a request for these inputs, whose rank, sizes and data it sets; false where the input has ended. */
bool read_request(Tensor *inputs, size_t count);

void write_answer(const Tensor *outputs, size_t count);

/* Writes an ERROR, or an UNABLE, whose text is formatted as by printf, and ends the process. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
