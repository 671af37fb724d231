// Made by mobile-export from the target "ios". Changes will be overwritten.

#include "CDigitsModel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <onnxruntime/onnxruntime_c_api.h>

// The oldest version of the C API that has everything used here; newer runtimes offer it, too.
#define API_VERSION 17
#define MOST_TOLD 32

// What is bound on one side of the model.
typedef struct {
    size_t count;
    char **names;
    OrtValue **values;
} Side;

struct CDigitsModel {
    const OrtApi *api;
    OrtEnv *env;
    OrtSessionOptions *options;
    OrtSession *session;
    OrtMemoryInfo *memory;
    Side inputs, outputs;
    // What an execution provider is told.
    size_t told;
    char *keys[MOST_TOLD], *settings[MOST_TOLD];
    char problem[512];
};

static CDigitsModelProblem check(CDigitsModel *model, OrtStatus *status) {
    if (!status) return NULL;
    snprintf(model->problem, sizeof model->problem, "%s", model->api->GetErrorMessage(status));
    model->api->ReleaseStatus(status);
    return model->problem;
}

static int allocate(Side *side, size_t count) {
    side->count = count;
    side->names = calloc(count ? count : 1, sizeof *side->names);
    side->values = calloc(count ? count : 1, sizeof *side->values);
    return side->names && side->values;
}

CDigitsModel *CDigitsModelCreate(size_t inputs, size_t outputs) {
    const OrtApi *api = OrtGetApiBase()->GetApi(API_VERSION);
    CDigitsModel *model = api ? calloc(1, sizeof *model) : NULL;
    if (!model) return NULL;
    model->api = api;
    // What goes wrong is answered, so the runtime has nothing to log.
    if (allocate(&model->inputs, inputs) && allocate(&model->outputs, outputs) &&
        !check(model, api->CreateEnv(ORT_LOGGING_LEVEL_FATAL, "CDigitsModel", &model->env)) &&
        !check(model, api->CreateSessionOptions(&model->options)) &&
        !check(model, api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &model->memory)))
        return model;
    CDigitsModelClose(model);
    return NULL;
}

CDigitsModelProblem CDigitsModelSetThreads(CDigitsModel *model, int threads) {
    return check(model, model->api->SetIntraOpNumThreads(model->options, threads));
}

CDigitsModelProblem CDigitsModelSet(CDigitsModel *model, const char *key, const char *value) {
    return check(model, model->api->AddSessionConfigEntry(model->options, key, value));
}

CDigitsModelProblem CDigitsModelTell(CDigitsModel *model, const char *key, const char *value) {
    if (model->told == MOST_TOLD) return "an execution provider takes no more settings";
    model->keys[model->told] = strdup(key);
    model->settings[model->told] = strdup(value);
    model->told++;
    return NULL;
}

CDigitsModelProblem CDigitsModelUse(CDigitsModel *model, const char *provider) {
    return check(model, model->api->SessionOptionsAppendExecutionProvider(
                            model->options, provider, (const char *const *)model->keys,
                            (const char *const *)model->settings, model->told));
}

CDigitsModelProblem CDigitsModelOpenFile(CDigitsModel *model, const char *path) {
    return check(model, model->api->CreateSession(model->env, path, model->options, &model->session));
}

CDigitsModelProblem CDigitsModelOpenBytes(CDigitsModel *model, const void *bytes, size_t count) {
    return check(model, model->api->CreateSessionFromArray(model->env, bytes, count, model->options, &model->session));
}

static CDigitsModelProblem bind(
    CDigitsModel *model, Side *side, size_t index, const char *name, int type, const int64_t *shape, size_t rank, void *memory,
    size_t bytes) {
    if (index >= side->count || side->names[index]) return "an input or output is bound twice, or is one too many";
    side->names[index] = strdup(name);
    return check(model, model->api->CreateTensorWithDataAsOrtValue(
                            model->memory, memory, bytes, shape, rank, (ONNXTensorElementDataType)type,
                            &side->values[index]));
}

CDigitsModelProblem CDigitsModelBindInput(
    CDigitsModel *model, size_t index, const char *name, int type, const int64_t *shape, size_t rank, void *memory,
    size_t bytes) {
    return bind(model, &model->inputs, index, name, type, shape, rank, memory, bytes);
}

CDigitsModelProblem CDigitsModelBindOutput(
    CDigitsModel *model, size_t index, const char *name, int type, const int64_t *shape, size_t rank, void *memory,
    size_t bytes) {
    return bind(model, &model->outputs, index, name, type, shape, rank, memory, bytes);
}

CDigitsModelProblem CDigitsModelRun(CDigitsModel *model) {
    if (!model->session) return "no model is open";
    const Side *in = &model->inputs, *out = &model->outputs;
    return check(model, model->api->Run(model->session, NULL, (const char *const *)in->names,
                                        (const OrtValue *const *)in->values, in->count,
                                        (const char *const *)out->names, out->count, out->values));
}

const void *CDigitsModelApi(const CDigitsModel *model) { return model->api; }

void *CDigitsModelSession(const CDigitsModel *model) { return model->session; }

const char *CDigitsModelRuntimeVersion(void) { return OrtGetApiBase()->GetVersionString(); }

static void release(const OrtApi *api, Side *side) {
    for (size_t index = 0; side->names && side->values && index < side->count; index++) {
        free(side->names[index]);
        if (side->values[index]) api->ReleaseValue(side->values[index]);
    }
    free(side->names);
    free(side->values);
}

void CDigitsModelClose(CDigitsModel *model) {
    const OrtApi *api = model->api;
    release(api, &model->inputs);
    release(api, &model->outputs);
    for (size_t index = 0; index < model->told; index++) {
        free(model->keys[index]);
        free(model->settings[index]);
    }
    if (model->session) api->ReleaseSession(model->session);
    if (model->memory) api->ReleaseMemoryInfo(model->memory);
    if (model->options) api->ReleaseSessionOptions(model->options);
    if (model->env) api->ReleaseEnv(model->env);
    free(model);
}
