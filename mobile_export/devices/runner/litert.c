/* LiteRT's CompiledModel on the CPU. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "litert_api.h"
#include "litert_edges.h"
#include "protocol.h"
#include "runtime.h"

static Environment environment;
static CompiledModel compiled;
static size_t signature_index;
static FileTensor *edges; /* inputs, then outputs */
static Buffer *buffers;   /* of the edges, in their order: one for each tensor, even where it is several edges */
static bool prepared;     /* whether the buffers are those for the sizes of the last request */

/* Loading. */

static void add_options(Options options, const char *name, const char *text) {
    OpaqueOptions opaque;
    char *copy = allocate(strlen(text) + 1, 1);
    strcpy(copy, text);
    CALL(CreateOpaqueOptions, name, copy, free, &opaque);
    CALL(AddOpaqueOptions, options, opaque);
}

static Options compiling_options(const Settings *settings) {
    Options options;
    char text[128];
    bool builtin = !strcmp(settings->kernels, "builtin");
    if (!builtin && strcmp(settings->kernels, "default")) {
        fail("LiteRT has no kernels %s", settings->kernels);
    }
    snprintf(text, sizeof text, "kernel_mode = \"%s\"\nnum_threads = %d\n", builtin ? "builtin" : "xnnpack",
             settings->threads);
    CALL(CreateOptions, &options);
    CALL(SetOptionsHardwareAccelerators, options, ACCELERATOR_CPU);
    add_options(options, CPU_OPTIONS, text);
    add_options(options, RUNTIME_OPTIONS, "error_reporter_mode = 2\n"); /* messages are kept */
    return options;
}

/* Without other accelerators, whose libraries would be looked for wherever the system looks. */
static Environment cpu_environment(void) {
    Environment made;
    const EnvironmentOption options[] = {
        {OPTION_AUTO_REGISTER_ACCELERATORS, {TYPE_OF_ANY_INT, ACCELERATOR_CPU}},
        {OPTION_MIN_LOG_SEVERITY, {TYPE_OF_ANY_INT, LOG_ERROR}},
    };
    CALL(CreateEnvironment, sizeof options / sizeof *options, options, &made);
    return made;
}

static void load(const Settings *settings, Model *model) {
    ModelFile file;
    find_litert(settings->library);
    environment = cpu_environment();
    CALL(CreateModelFromFile, environment, settings->model, &file);
    edges = read_edges(file, model, &signature_index);
    buffers = allocate(model->input_count + model->output_count, sizeof *buffers);
    CALL(CreateCompiledModel, environment, file, compiling_options(settings), &compiled);
    report_errors_of(compiled);
}

/* Buffers are made for the sizes of the first request, and again where these change. */

static Layout layout_of(const Tensor *tensor) {
    Layout layout = {.rank = tensor->rank & 0x7F};
    if (tensor->rank > LAYOUT_RANK) {
        fail("%s has %u dimensions, and LiteRT knows %d", tensor->name, tensor->rank, LAYOUT_RANK);
    }
    for (uint32_t i = 0; i < tensor->rank; i++) {
        if (tensor->sizes[i] > INT32_MAX) {
            fail("%s has %lld elements in one dimension", tensor->name, (long long)tensor->sizes[i]);
        }
        layout.sizes[i] = (int32_t)tensor->sizes[i];
    }
    return layout;
}

static bool same_sizes(const Layout *left, const Layout *right) {
    return left->rank == right->rank && !memcmp(left->sizes, right->sizes, left->rank * sizeof *left->sizes);
}

/* Gives the model inputs of these sizes; true where they were others. */
static bool resize(const Model *model) {
    bool changed = false;
    for (size_t i = 0; i < model->input_count; i++) {
        Layout wanted = layout_of(&model->inputs[i]), current;
        CALL(GetCompiledModelInputTensorLayout, compiled, signature_index, i, &current);
        if (same_sizes(&wanted, &current)) {
            continue;
        }
        Status status = LiteRtCompiledModelResizeInputTensor(compiled, signature_index, i, wanted.sizes, wanted.rank);
        if (status) {
            fail("input %s does not take these sizes: %s (status %d)", model->inputs[i].name, words_for(status),
                 status);
        }
        changed = true;
    }
    return changed;
}

/* The first edge that is the same tensor. */
static size_t first_of(size_t edge) {
    size_t first = 0;
    while (edges[first] != edges[edge]) {
        first++;
    }
    return first;
}

static void make_buffer(size_t edge, const Tensor *tensor, Requirements requirements) {
    size_t first = first_of(edge);
    if (first < edge) {
        buffers[edge] = buffers[first];
        return;
    }
    if (buffers[edge]) {
        LiteRtDestroyTensorBuffer(buffers[edge]);
    }
    RankedType type = {type_to(tensor->type), layout_of(tensor)};
    CALL(CreateManagedTensorBufferFromRequirements, environment, &type, requirements, &buffers[edge]);
}

static void make_buffers(Model *model) {
    Requirements requirements;
    Layout *layouts = allocate(model->output_count, sizeof *layouts);
    CALL(GetCompiledModelOutputTensorLayouts, compiled, signature_index, model->output_count, layouts, true);
    for (size_t i = 0; i < model->input_count; i++) {
        CALL(GetCompiledModelInputBufferRequirements, compiled, signature_index, i, &requirements);
        make_buffer(i, &model->inputs[i], requirements);
    }
    for (size_t i = 0; i < model->output_count; i++) {
        Tensor *output = &model->outputs[i];
        set_shape(output, &layouts[i]);
        free(output->data);
        output->data = allocate(tensor_bytes(output), 1);
        CALL(GetCompiledModelOutputBufferRequirements, compiled, signature_index, i, &requirements);
        make_buffer(model->input_count + i, output, requirements);
    }
    free(layouts);
    prepared = true;
}

/* The memory of a buffer, which holds so many bytes. */
static void *lock(Buffer buffer, size_t bytes, int mode) {
    size_t size;
    void *memory;
    CALL(GetTensorBufferSize, buffer, &size);
    if (size < bytes) {
        fail("LiteRT gives a buffer of %zu bytes where %zu are needed", size, bytes);
    }
    CALL(LockTensorBuffer, buffer, &memory, mode);
    return memory;
}

/* Running.
 *
 * CompiledModel cannot hand out a tensor whose sizes only the run decides. It says so where it knows beforehand; where
 * it does not, it leaves the buffer alone without an error. So buffers are filled with a mark before they are written;
 * as an answer might be just that, it has to hold for two marks.
 */

static _Noreturn void refuse_sizes(const char *which) {
    refuse("%s has sizes that are known only after the run, which LiteRT's CompiledModel does not give out", which);
}

static void fill_outputs(const Model *model, int mark) {
    for (size_t i = 0; i < model->output_count; i++) {
        size_t bytes = tensor_bytes(&model->outputs[i]);
        memset(lock(buffers[model->input_count + i], bytes, LOCK_WRITE), mark, bytes);
        CALL(UnlockTensorBuffer, buffers[model->input_count + i]);
    }
}

static void copy_in(const Model *model) {
    for (size_t i = 0; i < model->input_count; i++) {
        size_t bytes = tensor_bytes(&model->inputs[i]);
        memcpy(lock(buffers[i], bytes, LOCK_WRITE), model->inputs[i].data, bytes);
        CALL(UnlockTensorBuffer, buffers[i]);
    }
}

static void compute(const Model *model) {
    Buffer *outputs = buffers + model->input_count;
    Status status =
        LiteRtRunCompiledModel(compiled, signature_index, model->input_count, buffers, model->output_count, outputs);
    if (status && strstr(kept_messages(), "allocation_type")) { /* an output is none that takes a buffer */
        refuse_sizes("an output");
    }
    check(status, "LiteRtRunCompiledModel");
}

static void copy_out(const Model *model) {
    Layout *layouts = allocate(model->output_count, sizeof *layouts);
    CALL(GetCompiledModelOutputTensorLayouts, compiled, signature_index, model->output_count, layouts, false);
    for (size_t i = 0; i < model->output_count; i++) {
        Tensor *output = &model->outputs[i];
        Layout expected = layout_of(output);
        if (!same_sizes(&expected, &layouts[i])) {
            refuse_sizes(output->name);
        }
        size_t bytes = tensor_bytes(output);
        memcpy(output->data, lock(buffers[model->input_count + i], bytes, LOCK_READ), bytes);
        CALL(UnlockTensorBuffer, buffers[model->input_count + i]);
    }
    free(layouts);
}

/* An output that still is what it was filled with, or NULL. */
static const Tensor *unwritten(const Model *model, int mark) {
    for (size_t i = 0; i < model->output_count; i++) {
        const uint8_t *bytes = model->outputs[i].data;
        size_t count = tensor_bytes(&model->outputs[i]), same = 0;
        while (same < count && bytes[same] == mark) {
            same++;
        }
        if (count && same == count) {
            return &model->outputs[i];
        }
    }
    return NULL;
}

static void run(Model *model) {
    static const int MARKS[] = {0xA5, 0x5A};
    const Tensor *left = NULL;
    if (resize(model) || !prepared) {
        make_buffers(model);
    }
    for (size_t i = 0; i < sizeof MARKS / sizeof *MARKS; i++) {
        fill_outputs(model, MARKS[i]);
        copy_in(model);
        compute(model);
        copy_out(model);
        if (!(left = unwritten(model, MARKS[i]))) {
            return;
        }
    }
    refuse_sizes(left->name);
}

const Runtime litert = {"litert", load, run};
