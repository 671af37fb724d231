/* A runtime that loads a model and runs it; there are two. */
#ifndef RUNTIME_H
#define RUNTIME_H

#include "tensor.h"

typedef struct {
    const char *library; /* path of the runtime's shared library */
    const char *model;   /* path of the file to run */
    int threads;
    const char *kernels; /* "default", or what else the runtime knows */
} Settings;

typedef struct {
    size_t input_count, output_count;
    Tensor *inputs, *outputs;
} Model;

typedef struct {
    const char *name;
    /* Fills a model with the edges of the file, in its order. */
    void (*load)(const Settings *settings, Model *model);
    /* Runs what the inputs hold. Sets shape and data of the outputs, which are the runtime's until the next run. */
    void (*run)(Model *model);
} Runtime;

extern const Runtime litert, onnxruntime;

/* Opens a shared library. */
void *open_library(const char *path);

/* Sets the pointer at `function` to a function of the library. */
void find_function(void *library, const char *name, void *function);

#endif
