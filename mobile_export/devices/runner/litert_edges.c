#include "litert_edges.h"

#include <string.h>

#include "protocol.h"

static const struct {
    int32_t theirs;
    Type ours;
} TYPES[] = {
    {1, TYPE_FLOAT32}, {2, TYPE_INT32},    {3, TYPE_UINT8},    {4, TYPE_INT64},   {6, TYPE_BOOL},    {7, TYPE_INT16},
    {9, TYPE_INT8},    {10, TYPE_FLOAT16}, {11, TYPE_FLOAT64}, {13, TYPE_UINT64}, {16, TYPE_UINT32}, {17, TYPE_UINT16},
};
enum { TYPES_KNOWN = sizeof TYPES / sizeof *TYPES };

static Type type_from(int32_t theirs) {
    for (size_t i = 0; i < TYPES_KNOWN; i++) {
        if (TYPES[i].theirs == theirs) {
            return TYPES[i].ours;
        }
    }
    return TYPE_NONE;
}

int32_t type_to(Type ours) {
    for (size_t i = 0; i < TYPES_KNOWN; i++) {
        if (TYPES[i].ours == ours) {
            return TYPES[i].theirs;
        }
    }
    return 0;
}

void set_shape(Tensor *tensor, const Layout *layout) {
    if (layout->rank > LAYOUT_RANK) {
        refuse("%s has more than %d dimensions, which LiteRT's API does not carry", tensor->name, LAYOUT_RANK);
    }
    tensor->rank = layout->rank;
    for (uint32_t i = 0; i < layout->rank; i++) {
        tensor->sizes[i] = layout->sizes[i];
    }
}

static Tensor edge_of(FileTensor tensor, const char *name) {
    int kind;
    RankedType type;
    CALL(GetTensorTypeId, tensor, &kind);
    if (kind != RANKED) {
        refuse("%s has no known number of dimensions", name);
    }
    CALL(GetRankedTensorType, tensor, &type);
    Tensor edge = {.name = name, .type = type_from(type.element)};
    if (edge.type == TYPE_NONE) {
        refuse("%s has elements of %s, which the runner does not carry", name,
               type.element == ELEMENT_STRING ? "type string" : "a rare type");
    }
    set_shape(&edge, &type.layout);
    return edge;
}

typedef Status NameOf(Signature, size_t, const char **);
typedef Status TensorOf(Signature, const char *, FileTensor *);

/* What a tensor is called among these of a signature, or else in the graph. */
static const char *public_name(FileTensor tensor, Signature signature, size_t count, NameOf *name_of,
                               TensorOf *tensor_of) {
    const char *name;
    for (size_t i = 0; i < count; i++) {
        FileTensor named;
        check(name_of(signature, i, &name), "a name of the signature");
        check(tensor_of(signature, name, &named), "a tensor of the signature");
        if (named == tensor) {
            return name;
        }
    }
    CALL(GetTensorName, tensor, &name);
    return name;
}

/* The signature that TensorFlow's converter writes; without it, the first one, whose names are not used. LiteRT makes
 * one for a file that has none. */
static Signature choose_signature(ModelFile file, size_t *index, bool *named) {
    Signature signature;
    const char *key;
    size_t count;
    CALL(GetNumModelSignatures, file, &count);
    for (size_t i = 0; i < count; i++) {
        CALL(GetModelSignature, file, i, &signature);
        CALL(GetSignatureKey, signature, &key);
        if (!strcmp(key, "serving_default")) {
            *index = i;
            *named = true;
            return signature;
        }
    }
    CALL(GetModelSignature, file, 0, &signature);
    *index = 0;
    *named = false;
    return signature;
}

FileTensor *read_edges(ModelFile file, Model *model, size_t *signature_index) {
    bool named;
    Subgraph graph;
    size_t named_inputs = 0, named_outputs = 0;
    Signature signature = choose_signature(file, signature_index, &named);
    if (named) {
        CALL(GetNumSignatureInputs, signature, &named_inputs);
        CALL(GetNumSignatureOutputs, signature, &named_outputs);
    }
    CALL(GetSignatureSubgraph, signature, &graph);
    CALL(GetNumSubgraphInputs, graph, &model->input_count);
    CALL(GetNumSubgraphOutputs, graph, &model->output_count);
    model->inputs = allocate(model->input_count, sizeof *model->inputs);
    model->outputs = allocate(model->output_count, sizeof *model->outputs);
    FileTensor *edges = allocate(model->input_count + model->output_count, sizeof *edges);
    for (size_t i = 0; i < model->input_count; i++) {
        CALL(GetSubgraphInput, graph, i, &edges[i]);
        const char *name = public_name(edges[i], signature, named_inputs, LiteRtGetSignatureInputName,
                                       LiteRtGetSignatureInputTensor);
        model->inputs[i] = edge_of(edges[i], name);
    }
    for (size_t i = 0; i < model->output_count; i++) {
        FileTensor *tensor = &edges[model->input_count + i];
        CALL(GetSubgraphOutput, graph, i, tensor);
        const char *name = public_name(*tensor, signature, named_outputs, LiteRtGetSignatureOutputName,
                                       LiteRtGetSignatureOutputTensor);
        model->outputs[i] = edge_of(*tensor, name);
    }
    return edges;
}
