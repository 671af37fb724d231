/* The inputs and outputs of a .tflite file, in the order of its graph, which is that of CompiledModel. A signature may
 * list them in another one. */
#ifndef LITERT_EDGES_H
#define LITERT_EDGES_H

#include "litert_api.h"
#include "runtime.h"

/* Fills a model with the edges of a file. Returns its tensors, inputs first; sets which signature they are of. */
FileTensor *read_edges(ModelFile file, Model *model, size_t *signature_index);

void set_shape(Tensor *tensor, const Layout *layout);

/* An element type by LiteRT's number. */
int32_t type_to(Type ours);

#endif
