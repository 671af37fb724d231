#define _DEFAULT_SOURCE

#include "protocol.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values go out as they lie in memory");

enum { MODEL = 1, ANSWER = 2, ERROR = 3, UNABLE = 4, REQUEST = 5 };

static FILE *output;

static void put(const void *bytes, size_t count) {
    if (fwrite(bytes, 1, count, output) != count) {
        _exit(1); /* nobody reads any more */
    }
}

static void put_u32(uint32_t value) {
    put(&value, sizeof value);
}

static void put_text(const char *text) {
    put_u32((uint32_t)strlen(text));
    put(text, strlen(text));
}

static void put_shape(const Tensor *tensor) {
    put_u32(tensor->type);
    put_u32(tensor->rank);
    put(tensor->sizes, tensor->rank * sizeof *tensor->sizes);
}

static void flush(void) {
    if (fflush(output)) {
        _exit(1);
    }
}

void protocol_begin(void) {
    int messages = dup(STDOUT_FILENO);
    if (messages < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0 || !(output = fdopen(messages, "wb"))) {
        perror("runner");
        _exit(1);
    }
    put("MXR1", 4);
}

void write_model(const Tensor *inputs, size_t input_count, const Tensor *outputs, size_t output_count) {
    put_u32(MODEL);
    put_u32((uint32_t)input_count);
    put_u32((uint32_t)output_count);
    for (size_t i = 0; i < input_count + output_count; i++) {
        const Tensor *edge = i < input_count ? &inputs[i] : &outputs[i - input_count];
        put_text(edge->name);
        put_shape(edge);
    }
    flush();
}

void write_answer(const Tensor *outputs, size_t count) {
    put_u32(ANSWER);
    for (size_t i = 0; i < count; i++) {
        put_shape(&outputs[i]);
        put(outputs[i].data, tensor_bytes(&outputs[i]));
    }
    flush();
}

static _Noreturn void end_with(uint32_t kind, const char *format, va_list arguments) {
    char text[4096];
    vsnprintf(text, sizeof text, format, arguments);
    put_u32(kind);
    put_text(text);
    flush();
    _exit(1);
}

void fail(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    end_with(ERROR, format, arguments);
}

void refuse(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    end_with(UNABLE, format, arguments);
}

static void get(void *bytes, size_t count) {
    if (fread(bytes, 1, count, stdin) != count) {
        fail("the request ends too early");
    }
}

static uint32_t get_u32(void) {
    uint32_t value;
    get(&value, sizeof value);
    return value;
}

static void read_tensor(Tensor *tensor) {
    uint32_t type = get_u32();
    if (type != tensor->type) {
        fail("input %s has elements of type %d, and the request brings type %u", tensor->name, tensor->type, type);
    }
    tensor->rank = get_u32();
    if (tensor->rank > MOST_RANK) {
        fail("input %s is sent with %u dimensions", tensor->name, tensor->rank);
    }
    get(tensor->sizes, tensor->rank * sizeof *tensor->sizes);
    size_t bytes = tensor_bytes(tensor);
    free(tensor->data);
    tensor->data = allocate(bytes, 1);
    get(tensor->data, bytes);
}

bool read_request(Tensor *inputs, size_t count) {
    uint32_t kind;
    size_t got = fread(&kind, 1, sizeof kind, stdin);
    if (got == 0 && feof(stdin)) {
        return false;
    }
    if (got != sizeof kind || kind != REQUEST) {
        fail("what comes in is no request");
    }
    for (size_t i = 0; i < count; i++) {
        read_tensor(&inputs[i]);
    }
    return true;
}
