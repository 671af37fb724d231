/* The part of ONNX Runtime's C API that is used here. It is a table of functions, which only ever grows at its end. */
#ifndef ONNXRUNTIME_API_H
#define ONNXRUNTIME_API_H

#include <stddef.h>
#include <stdint.h>

typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtAllocator OrtAllocator;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtTensorInfo OrtTensorInfo;
typedef struct OrtValue OrtValue;
typedef void (*Unused)(void);

enum { API_VERSION = 11, LOG_FATAL = 4, OPTIMIZE_ALL = 99, ARENA_ALLOCATOR = 1, DEFAULT_MEMORY = 0 };

typedef struct {
    Unused to_2[2];
    const char *(*GetErrorMessage)(const OrtStatus *);
    OrtStatus *(*CreateEnv)(int severity, const char *name, OrtEnv **);
    Unused to_7[3];
    OrtStatus *(*CreateSession)(const OrtEnv *, const char *path, const OrtSessionOptions *, OrtSession **);
    Unused to_9[1];
    OrtStatus *(*Run)(OrtSession *, const OrtRunOptions *, const char *const *input_names,
                      const OrtValue *const *inputs, size_t input_count, const char *const *output_names,
                      size_t output_count, OrtValue **outputs);
    OrtStatus *(*CreateSessionOptions)(OrtSessionOptions **);
    Unused to_22[11];
    OrtStatus *(*SetSessionLogSeverityLevel)(OrtSessionOptions *, int);
    OrtStatus *(*SetSessionGraphOptimizationLevel)(OrtSessionOptions *, int);
    OrtStatus *(*SetIntraOpNumThreads)(OrtSessionOptions *, int);
    OrtStatus *(*SetInterOpNumThreads)(OrtSessionOptions *, int);
    Unused to_30[4];
    OrtStatus *(*SessionGetInputCount)(const OrtSession *, size_t *);
    OrtStatus *(*SessionGetOutputCount)(const OrtSession *, size_t *);
    Unused to_33[1];
    OrtStatus *(*SessionGetInputTypeInfo)(const OrtSession *, size_t, OrtTypeInfo **);
    OrtStatus *(*SessionGetOutputTypeInfo)(const OrtSession *, size_t, OrtTypeInfo **);
    Unused to_36[1];
    OrtStatus *(*SessionGetInputName)(const OrtSession *, size_t, OrtAllocator *, char **);
    OrtStatus *(*SessionGetOutputName)(const OrtSession *, size_t, OrtAllocator *, char **);
    Unused to_49[11];
    OrtStatus *(*CreateTensorWithDataAsOrtValue)(const OrtMemoryInfo *, void *data, size_t bytes, const int64_t *sizes,
                                                 size_t rank, int type, OrtValue **);
    OrtStatus *(*IsTensor)(const OrtValue *, int *);
    OrtStatus *(*GetTensorMutableData)(OrtValue *, void **);
    Unused to_55[3];
    OrtStatus *(*CastTypeInfoToTensorInfo)(const OrtTypeInfo *, const OrtTensorInfo **); /* NULL: no tensor */
    Unused to_60[4];
    OrtStatus *(*GetTensorElementType)(const OrtTensorInfo *, int *);
    OrtStatus *(*GetDimensionsCount)(const OrtTensorInfo *, size_t *);
    OrtStatus *(*GetDimensions)(const OrtTensorInfo *, int64_t *, size_t);
    Unused to_65[2];
    OrtStatus *(*GetTensorTypeAndShape)(const OrtValue *, OrtTensorInfo **);
    Unused to_69[3];
    OrtStatus *(*CreateCpuMemoryInfo)(int allocator, int memory, OrtMemoryInfo **);
    Unused to_78[8];
    OrtStatus *(*GetAllocatorWithDefaultOptions)(OrtAllocator **);
    Unused to_96[17];
    void (*ReleaseValue)(OrtValue *);
    Unused to_99[2];
    void (*ReleaseTensorTypeAndShapeInfo)(OrtTensorInfo *);
} OrtApi;

#define IS_AT(member, index) _Static_assert(offsetof(OrtApi, member) == (index) * sizeof(Unused), #member)
IS_AT(GetErrorMessage, 2);
IS_AT(CreateSession, 7);
IS_AT(Run, 9);
IS_AT(SetSessionLogSeverityLevel, 22);
IS_AT(SessionGetInputCount, 30);
IS_AT(SessionGetInputTypeInfo, 33);
IS_AT(SessionGetInputName, 36);
IS_AT(CreateTensorWithDataAsOrtValue, 49);
IS_AT(CastTypeInfoToTensorInfo, 55);
IS_AT(GetTensorElementType, 60);
IS_AT(GetTensorTypeAndShape, 65);
IS_AT(CreateCpuMemoryInfo, 69);
IS_AT(GetAllocatorWithDefaultOptions, 78);
IS_AT(ReleaseValue, 96);
IS_AT(ReleaseTensorTypeAndShapeInfo, 99);

typedef struct {
    const OrtApi *(*GetApi)(uint32_t version);
    const char *(*GetVersionString)(void);
} OrtApiBase;

#endif
