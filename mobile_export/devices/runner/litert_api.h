/* The part of LiteRT's C API that is used here, as libLiteRt.so of ai-edge-litert 2.3 has it. */
#ifndef LITERT_API_H
#define LITERT_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct LiteRtEnvironmentT *Environment;
typedef struct LiteRtModelT *ModelFile;
typedef struct LiteRtSignatureT *Signature;
typedef struct LiteRtSubgraphT *Subgraph;
typedef struct LiteRtTensorT *FileTensor;
typedef struct LiteRtOptionsT *Options;
typedef struct LiteRtOpaqueOptionsT *OpaqueOptions;
typedef struct LiteRtCompiledModelT *CompiledModel;
typedef struct LiteRtTensorBufferRequirementsT *Requirements;
typedef struct LiteRtTensorBufferT *Buffer;

typedef int Status;
enum {
    INVALID_ARGUMENT = 1,
    NO_MEMORY = 2,
    RUNTIME_FAILURE = 3,
    UNSUPPORTED = 5,
    NOT_FOUND = 6,
    FILE_IO = 500,
    INVALID_FLATBUFFER = 501,
    COMPILATION = 504,
};

enum { LAYOUT_RANK = 8 };

typedef struct {
    unsigned rank : 7;
    bool has_strides : 1;
    int32_t sizes[LAYOUT_RANK];
    uint32_t strides[LAYOUT_RANK];
} Layout;

typedef struct {
    int32_t element;
    Layout layout;
} RankedType;

_Static_assert(sizeof(Layout) == 68 && offsetof(Layout, sizes) == 4 && sizeof(RankedType) == 72, "as in the library");

enum { ELEMENT_STRING = 5, RANKED = 0 };
enum { ACCELERATOR_CPU = 1, LOG_ERROR = 3, LOCK_READ = 0, LOCK_WRITE = 1 };

/* Options of the environment are a tag and a value of any type. */
typedef struct {
    int tag;
    struct {
        int type;
        int64_t value;
    } any;
} EnvironmentOption;

_Static_assert(sizeof(EnvironmentOption) == 24 && offsetof(EnvironmentOption, any.value) == 16, "as in the library");

enum { TYPE_OF_ANY_INT = 2, OPTION_AUTO_REGISTER_ACCELERATORS = 24, OPTION_MIN_LOG_SEVERITY = 25 };

/* Other options are text, under the name of whoever reads it. */
#define CPU_OPTIONS "xnnpack"
#define RUNTIME_OPTIONS "runtime_options_string"

#define LITERT_FUNCTIONS(F)                                                                                      \
    F(CreateEnvironment, int, const EnvironmentOption *, Environment *)                                          \
    F(CreateModelFromFile, Environment, const char *, ModelFile *)                                               \
    F(GetNumModelSignatures, ModelFile, size_t *)                                                                \
    F(GetModelSignature, ModelFile, size_t, Signature *)                                                         \
    F(GetSignatureKey, Signature, const char **)                                                                 \
    F(GetSignatureSubgraph, Signature, Subgraph *)                                                               \
    F(GetNumSignatureInputs, Signature, size_t *)                                                                \
    F(GetNumSignatureOutputs, Signature, size_t *)                                                               \
    F(GetSignatureInputName, Signature, size_t, const char **)                                                   \
    F(GetSignatureOutputName, Signature, size_t, const char **)                                                  \
    F(GetSignatureInputTensor, Signature, const char *, FileTensor *)                                            \
    F(GetSignatureOutputTensor, Signature, const char *, FileTensor *)                                           \
    F(GetNumSubgraphInputs, Subgraph, size_t *)                                                                  \
    F(GetNumSubgraphOutputs, Subgraph, size_t *)                                                                 \
    F(GetSubgraphInput, Subgraph, size_t, FileTensor *)                                                          \
    F(GetSubgraphOutput, Subgraph, size_t, FileTensor *)                                                         \
    F(GetTensorName, FileTensor, const char **)                                                                  \
    F(GetTensorTypeId, FileTensor, int *)                                                                        \
    F(GetRankedTensorType, FileTensor, RankedType *)                                                             \
    F(CreateOptions, Options *)                                                                                  \
    F(SetOptionsHardwareAccelerators, Options, int)                                                              \
    F(CreateOpaqueOptions, const char *name, void *text, void (*release)(void *), OpaqueOptions *)               \
    F(AddOpaqueOptions, Options, OpaqueOptions)                                                                  \
    F(CreateCompiledModel, Environment, ModelFile, Options, CompiledModel *)                                     \
    F(CompiledModelGetErrorMessages, CompiledModel, char **)                                                     \
    F(CompiledModelResizeInputTensor, CompiledModel, size_t signature, size_t input, const int *, size_t rank)   \
    F(GetCompiledModelInputTensorLayout, CompiledModel, size_t signature, size_t input, Layout *)                \
    F(GetCompiledModelOutputTensorLayouts, CompiledModel, size_t signature, size_t count, Layout *, bool update) \
    F(GetCompiledModelInputBufferRequirements, CompiledModel, size_t signature, size_t input, Requirements *)    \
    F(GetCompiledModelOutputBufferRequirements, CompiledModel, size_t signature, size_t output, Requirements *)  \
    F(CreateManagedTensorBufferFromRequirements, Environment, const RankedType *, Requirements, Buffer *)        \
    F(GetTensorBufferSize, Buffer, size_t *)                                                                     \
    F(LockTensorBuffer, Buffer, void **, int mode)                                                               \
    F(UnlockTensorBuffer, Buffer)                                                                                \
    F(RunCompiledModel, CompiledModel, size_t signature, size_t inputs, Buffer *, size_t outputs, Buffer *)

#define LITERT_DECLARE(name, ...) extern Status (*LiteRt##name)(__VA_ARGS__);
LITERT_FUNCTIONS(LITERT_DECLARE)
extern void (*LiteRtDestroyTensorBuffer)(Buffer);

/* Finds all of them in a library. */
void find_litert(const char *path);

/* Has errors told in the words that a model's own reporter has kept. Before, LiteRT writes them to stderr. */
void report_errors_of(CompiledModel model);
const char *kept_messages(void);

const char *words_for(Status status);

/* Fails unless all is well with what was called. */
void check(Status status, const char *what);
#define CALL(name, ...) check(LiteRt##name(__VA_ARGS__), "LiteRt" #name)

#endif
