/* ONNX Runtime on the CPU, with the options of an app's session. */
#include <string.h>

#include "onnxruntime_api.h"
#include "protocol.h"
#include "runtime.h"

static const OrtApi *api;
static OrtSession *session;
static OrtMemoryInfo *memory;
static const char **input_names, **output_names;
static OrtValue **input_values, **output_values;

static void check(OrtStatus *status) {
    if (status) {
        fail("%s", api->GetErrorMessage(status));
    }
}

#define CALL(name, ...) check(api->name(__VA_ARGS__))

static const Type TYPES[] = {
    TYPE_NONE,  TYPE_FLOAT32, TYPE_UINT8, TYPE_INT8,    TYPE_UINT16,  TYPE_INT16,  TYPE_INT32,
    TYPE_INT64, TYPE_NONE,    TYPE_BOOL,  TYPE_FLOAT16, TYPE_FLOAT64, TYPE_UINT32, TYPE_UINT64,
};
enum { TYPES_KNOWN = sizeof TYPES / sizeof *TYPES, THEIR_STRING = 8 };

static int type_to(Type ours) {
    for (int theirs = 0; theirs < TYPES_KNOWN; theirs++) {
        if (TYPES[theirs] == ours) {
            return theirs;
        }
    }
    return 0;
}

/* Sets element type and shape as ONNX Runtime describes them. */
static void describe(Tensor *tensor, const OrtTensorInfo *info) {
    int type;
    size_t rank;
    CALL(GetTensorElementType, info, &type);
    tensor->type = type >= 0 && type < TYPES_KNOWN ? TYPES[type] : TYPE_NONE;
    if (tensor->type == TYPE_NONE) {
        refuse("%s has elements of %s", tensor->name, type == THEIR_STRING ? "type string" : "a rare type");
    }
    CALL(GetDimensionsCount, info, &rank);
    if (rank > MOST_RANK) {
        refuse("%s has %zu dimensions", tensor->name, rank);
    }
    tensor->rank = (uint32_t)rank;
    CALL(GetDimensions, info, tensor->sizes, rank);
}

static Tensor edge_of(const char *name, OrtTypeInfo *type) {
    Tensor edge = {.name = name};
    const OrtTensorInfo *info;
    CALL(CastTypeInfoToTensorInfo, type, &info);
    if (!info) {
        refuse("%s is no tensor", name);
    }
    describe(&edge, info);
    return edge;
}

static void read_edges(Model *model) {
    OrtAllocator *allocator;
    OrtTypeInfo *type;
    char *name;
    CALL(GetAllocatorWithDefaultOptions, &allocator);
    for (size_t i = 0; i < model->input_count; i++) {
        CALL(SessionGetInputName, session, i, allocator, &name);
        CALL(SessionGetInputTypeInfo, session, i, &type);
        model->inputs[i] = edge_of(input_names[i] = name, type);
    }
    for (size_t i = 0; i < model->output_count; i++) {
        CALL(SessionGetOutputName, session, i, allocator, &name);
        CALL(SessionGetOutputTypeInfo, session, i, &type);
        model->outputs[i] = edge_of(output_names[i] = name, type);
    }
}

static OrtSessionOptions *session_options(const Settings *settings) {
    OrtSessionOptions *options;
    CALL(CreateSessionOptions, &options);
    CALL(SetSessionGraphOptimizationLevel, options, OPTIMIZE_ALL);
    CALL(SetIntraOpNumThreads, options, settings->threads);
    CALL(SetInterOpNumThreads, options, 1);
    CALL(SetSessionLogSeverityLevel, options, LOG_FATAL);
    return options;
}

static const OrtApi *open_api(const char *path) {
    const OrtApiBase *(*OrtGetApiBase)(void);
    find_function(open_library(path), "OrtGetApiBase", &OrtGetApiBase);
    const OrtApi *found = OrtGetApiBase()->GetApi(API_VERSION);
    if (!found) {
        fail("ONNX Runtime %s does not have version %d of its API", OrtGetApiBase()->GetVersionString(), API_VERSION);
    }
    return found;
}

static void load(const Settings *settings, Model *model) {
    OrtEnv *environment;
    if (strcmp(settings->kernels, "default")) {
        fail("ONNX Runtime has no kernels %s", settings->kernels);
    }
    api = open_api(settings->library);
    CALL(CreateEnv, LOG_FATAL, "runner", &environment);
    CALL(CreateCpuMemoryInfo, ARENA_ALLOCATOR, DEFAULT_MEMORY, &memory);
    CALL(CreateSession, environment, settings->model, session_options(settings), &session);
    CALL(SessionGetInputCount, session, &model->input_count);
    CALL(SessionGetOutputCount, session, &model->output_count);
    model->inputs = allocate(model->input_count, sizeof *model->inputs);
    model->outputs = allocate(model->output_count, sizeof *model->outputs);
    input_names = allocate(model->input_count, sizeof *input_names);
    output_names = allocate(model->output_count, sizeof *output_names);
    input_values = allocate(model->input_count, sizeof *input_values);
    output_values = allocate(model->output_count, sizeof *output_values);
    read_edges(model);
}

static void release(OrtValue **values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (values[i]) {
            api->ReleaseValue(values[i]);
            values[i] = NULL;
        }
    }
}

static void read_value(Tensor *tensor, OrtValue *value) {
    int is_tensor = 0;
    OrtTensorInfo *info;
    CALL(IsTensor, value, &is_tensor);
    if (!is_tensor) {
        refuse("%s is no tensor", tensor->name);
    }
    CALL(GetTensorTypeAndShape, value, &info);
    describe(tensor, info);
    api->ReleaseTensorTypeAndShapeInfo(info);
    CALL(GetTensorMutableData, value, &tensor->data);
}

static void run(Model *model) {
    release(input_values, model->input_count);
    release(output_values, model->output_count);
    for (size_t i = 0; i < model->input_count; i++) {
        Tensor *input = &model->inputs[i];
        CALL(CreateTensorWithDataAsOrtValue, memory, input->data, tensor_bytes(input), input->sizes, input->rank,
             type_to(input->type), &input_values[i]);
    }
    CALL(Run, session, NULL, input_names, (const OrtValue *const *)input_values, model->input_count, output_names,
         model->output_count, output_values);
    for (size_t i = 0; i < model->output_count; i++) {
        read_value(&model->outputs[i], output_values[i]);
    }
}

const Runtime onnxruntime = {"onnxruntime", load, run};
