/* Runs a .tflite, .onnx or .ort file over values that come from its input, and writes the answers to its output.
 *
 *     runner litert|onnxruntime LIBRARY MODEL THREADS KERNELS <requests >answers
 *
 * LIBRARY is libLiteRt.so or libonnxruntime.so, KERNELS is "default" or, for LiteRT, "builtin" (no XNNPACK).
 * What goes in and out is described in protocol.h. Nothing else is written; what libraries print goes to stderr.
 */
#define _DEFAULT_SOURCE

#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "protocol.h"
#include "runtime.h"

void *open_library(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        fail("%s", dlerror());
    }
    return library;
}

void find_function(void *library, const char *name, void *function) {
    void *address = dlsym(library, name);
    if (!address) {
        fail("the library has no %s: it is of another version", name);
    }
    memcpy(function, &address, sizeof address); /* C has no conversion between pointers to data and to functions */
}

/* Ends the process when the other end of its input is closed, even where that is in the middle of a computation.
 * A file is never hung up. */
static void *end_with_input(void *unused) {
    (void)unused;
    struct pollfd input = {.fd = STDIN_FILENO};
    while (poll(&input, 1, -1) <= 0) {
    }
    _exit(1); /* hung up: nothing else was asked for */
}

static void be_well_behaved(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* a crash leaves no file */
    signal(SIGPIPE, SIG_IGN);                       /* a failed write says so */
}

static void watch_input(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, end_with_input, NULL)) {
        fail("no thread could be started");
    }
}

static const Runtime *runtime_named(const char *name) {
    static const Runtime *const runtimes[] = {&litert, &onnxruntime};
    for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++) {
        if (!strcmp(runtimes[i]->name, name)) {
            return runtimes[i];
        }
    }
    fail("there is no runtime %s", name);
}

int main(int count, char **arguments) {
    be_well_behaved();
    if (count != 6) {
        fprintf(stderr, "usage: runner litert|onnxruntime LIBRARY MODEL THREADS KERNELS <requests >answers\n");
        return 2;
    }
    protocol_begin();
    watch_input();
    const Runtime *runtime = runtime_named(arguments[1]);
    Settings settings = {arguments[2], arguments[3], atoi(arguments[4]), arguments[5]};
    if (settings.threads < 1) {
        fail("%s is no number of threads", arguments[4]);
    }
    Model model = {0};
    runtime->load(&settings, &model);
    write_model(model.inputs, model.input_count, model.outputs, model.output_count);
    while (read_request(model.inputs, model.input_count)) {
        runtime->run(&model);
        write_answer(model.outputs, model.output_count);
    }
    _exit(0); /* the libraries' own destructors have nothing to add */
}
