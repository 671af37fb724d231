#include "litert_api.h"

#include "protocol.h"
#include "runtime.h"

#define LITERT_DEFINE(name, ...) Status (*LiteRt##name)(__VA_ARGS__);
LITERT_FUNCTIONS(LITERT_DEFINE)
void (*LiteRtDestroyTensorBuffer)(Buffer);

static CompiledModel reporting;

void find_litert(const char *path) {
    void *library = open_library(path);
#define LITERT_FIND(name, ...) find_function(library, "LiteRt" #name, &LiteRt##name);
    LITERT_FUNCTIONS(LITERT_FIND)
    find_function(library, "LiteRtDestroyTensorBuffer", &LiteRtDestroyTensorBuffer);
}

void report_errors_of(CompiledModel model) {
    reporting = model;
}

const char *kept_messages(void) {
    char *messages = NULL;
    return reporting && !LiteRtCompiledModelGetErrorMessages(reporting, &messages) && messages ? messages : "";
}

const char *words_for(Status status) {
    switch (status) {
    case INVALID_ARGUMENT: return "invalid argument";
    case NO_MEMORY: return "no memory";
    case RUNTIME_FAILURE: return "runtime failure";
    case UNSUPPORTED: return "unsupported";
    case NOT_FOUND: return "not found";
    case FILE_IO: return "the file cannot be read";
    case INVALID_FLATBUFFER: return "no valid flatbuffer";
    case COMPILATION: return "it does not compile";
    default: return "an error";
    }
}

void check(Status status, const char *what) {
    if (status) {
        const char *messages = kept_messages();
        fail("%s: %s (status %d)%s%s", what, words_for(status), status, *messages ? ": " : "", messages);
    }
}
