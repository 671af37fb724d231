// Made by mobile-export from the target "ios". Changes will be overwritten.
//
// A session of ONNX Runtime over memory of the caller's: what Swift needs of its C API, in flat calls.

#ifndef CDigitsModel_h
#define CDigitsModel_h

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

typedef struct CDigitsModel CDigitsModel;

/// What calls answer: NULL, or a sentence on what went wrong, which stays until the next call.
typedef const char *_Nullable CDigitsModelProblem;

/// NULL where the linked runtime is older than 1.17, or memory is short.
CDigitsModel *_Nullable CDigitsModelCreate(size_t inputs, size_t outputs);
void CDigitsModelClose(CDigitsModel *);

// Before a model is opened: threads to compute with, of which the caller's is one; settings of the session, as
// onnxruntime_session_options_config_keys.h lists them; and an execution provider, which gets the operators that it can
// take, after what it is told, as the runtime documents it.
CDigitsModelProblem CDigitsModelSetThreads(CDigitsModel *, int threads);
CDigitsModelProblem CDigitsModelSet(CDigitsModel *, const char *key, const char *value);
CDigitsModelProblem CDigitsModelTell(CDigitsModel *, const char *key, const char *value);
CDigitsModelProblem CDigitsModelUse(CDigitsModel *, const char *provider);

/// Opens a model. Bytes may go away afterwards.
CDigitsModelProblem CDigitsModelOpenFile(CDigitsModel *, const char *path);
CDigitsModelProblem CDigitsModelOpenBytes(CDigitsModel *, const void *bytes, size_t count);

/// Says where an input or output is: `bytes` of memory, which stay there until the session is closed. `type` is ONNX's
/// number of the element type.
CDigitsModelProblem CDigitsModelBindInput(
    CDigitsModel *, size_t index, const char *name, int type, const int64_t *shape, size_t rank, void *memory, size_t bytes);
CDigitsModelProblem CDigitsModelBindOutput(
    CDigitsModel *, size_t index, const char *name, int type, const int64_t *shape, size_t rank, void *memory, size_t bytes);

/// Answers what the inputs hold into the outputs, once a model is open and all of them are bound.
CDigitsModelProblem CDigitsModelRun(CDigitsModel *);

// The runtime's own `const OrtApi *` and `OrtSession *`, for what is not offered here; and its version.
const void *CDigitsModelApi(const CDigitsModel *);
void *_Nullable CDigitsModelSession(const CDigitsModel *);
const char *CDigitsModelRuntimeVersion(void);

#pragma clang assume_nonnull end

#endif
