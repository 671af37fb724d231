"""What we know of TensorFlow's operators: which may run, and what they are for.

A model is an untrusted program. Only operators listed here are ever run, folded or probed: none of them reads or writes
files, opens connections or calls back into Python. An operator that is missing is refused by name; add it after
reading its kernel. Those whose purpose is the danger have names here, too, so that a model that has them is told why.
"""

import re

FOLDABLE = frozenset(
    """
    Abs Acos Acosh Add AddN AddV2 All Any ArgMax ArgMin Asin Asinh Atan Atan2 Atanh AvgPool AvgPool3D BatchMatMul
    BatchMatMulV2 BatchMatMulV3 BatchNormWithGlobalNormalization BatchToSpace BatchToSpaceND BiasAdd BiasAddV1 Bitcast
    BitwiseAnd BitwiseOr BitwiseXor BroadcastArgs BroadcastTo Bucketize Cast Ceil CheckNumerics ClipByValue Complex
    ComplexAbs Concat ConcatOffset ConcatV2 Conj Conv2D Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 Cos Cosh
    CropAndResize Cross Cumprod Cumsum DataFormatDimMap DataFormatVecPermute DepthToSpace DepthwiseConv2dNative
    DepthwiseConv2dNativeBackpropInput Dequantize Diag DiagPart Dilation2D Div DivNoNan DynamicPartition DynamicStitch
    Einsum Elu EnsureShape Equal Erf Erfc EuclideanNorm Exp ExpandDims Expm1 ExtractImagePatches FakeQuantWithMinMaxArgs
    FakeQuantWithMinMaxVars FakeQuantWithMinMaxVarsPerChannel Fill Floor FloorDiv FloorMod FusedBatchNorm
    FusedBatchNormV2 FusedBatchNormV3 FusedPadConv2D FusedResizeAndPadConv2D Gather GatherNd GatherV2 Greater
    GreaterEqual Identity IdentityN Imag ImageProjectiveTransformV2 ImageProjectiveTransformV3 InTopK InTopKV2 Inv
    Invert InvertPermutation IsFinite IsInf IsNan L2Loss LRN LeakyRelu LeftShift Less LessEqual Lgamma LinSpace ListDiff
    Log Log1p LogSoftmax LogicalAnd LogicalNot LogicalOr MatMul MatrixBandPart MatrixDiag MatrixDiagPart
    MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3 MatrixInverse MatrixSetDiag MatrixSetDiagV2
    MatrixSetDiagV3 Max MaxPool MaxPool3D MaxPoolV2 MaxPoolWithArgmax Maximum Mean Min Minimum MirrorPad Mod Mul
    MulNoNan Neg NonMaxSuppression NonMaxSuppressionV2 NonMaxSuppressionV3 NonMaxSuppressionV4 NonMaxSuppressionV5
    CombinedNonMaxSuppression NotEqual OneHot OnesLike Pack Pad PadV2 ParallelDynamicStitch Pow PreventGradient Prod
    QuantizeAndDequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3 QuantizeAndDequantizeV4
    QuantizeDownAndShrinkRange QuantizeV2 QuantizedAdd QuantizedAvgPool QuantizedBatchNormWithGlobalNormalization
    QuantizedBiasAdd QuantizedConcat QuantizedConv2D QuantizedMatMul QuantizedMaxPool QuantizedMul QuantizedRelu
    QuantizedRelu6 QuantizedReshape QuantizedResizeBilinear Range Rank Real RealDiv Reciprocal Relu Relu6
    RequantizationRange Requantize Reshape ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor Reverse
    ReverseSequence ReverseV2 RightShift Rint Roll Round Rsqrt ScatterNd SegmentMax SegmentMean SegmentMin SegmentProd
    SegmentSum Select SelectV2 Selu Shape ShapeN Sigmoid Sign Sin Sinh Size Slice Snapshot Softmax Softplus Softsign
    SpaceToBatch SpaceToBatchND SpaceToDepth SparseSoftmaxCrossEntropyWithLogits SoftmaxCrossEntropyWithLogits
    SparseToDense Split SplitV Sqrt Square SquaredDifference Squeeze StopGradient StridedSlice Sub Sum Tan Tanh
    TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate Tile TopK TopKV2 Transpose
    TruncateDiv TruncateMod Unique UniqueV2 Unpack UnravelIndex UnsortedSegmentMax UnsortedSegmentMin
    UnsortedSegmentProd UnsortedSegmentSum Where Xdivy Xlog1py Xlogy ZerosLike
    """.split()
)
"""Pure functions of their inputs, cheap enough to evaluate at build time."""

CONTROL_FLOW = frozenset(
    """
    Enter Exit LoopCond Merge NextIteration Switch RefEnter RefExit RefMerge RefNextIteration RefSwitch
    If StatelessIf While StatelessWhile Case StatelessCase PartitionedCall StatefulPartitionedCall
    TensorListElementShape TensorListFromTensor TensorListGetItem TensorListLength TensorListReserve TensorListSetItem
    TensorListStack EmptyTensorList TensorListPushBack TensorListPopBack TensorArrayV3 TensorArrayReadV3
    TensorArrayWriteV3 TensorArrayGatherV3 TensorArrayScatterV3 TensorArraySizeV3 TensorArrayCloseV3
    OptionalFromValue OptionalGetValue OptionalHasValue OptionalNone
    """.split()
)
"""Branches, loops, calls and the lists that loops fill."""

MERGES = frozenset("Merge RefMerge _XlaMerge".split())
"""Operators that run as soon as one of their data inputs is there."""

RANDOM = frozenset(
    """
    Multinomial ParameterizedTruncatedNormal RandomGamma RandomPoisson RandomPoissonV2 RandomShuffle
    RandomStandardNormal RandomUniform RandomUniformInt StatelessRandomNormal StatelessRandomNormalV2
    StatelessRandomUniform StatelessRandomUniformV2 StatelessRandomUniformInt StatelessRandomUniformIntV2
    StatelessRandomUniformFullInt StatelessRandomGetAlg StatelessRandomGetKeyCounter StatelessRandomGetKeyCounterAlg
    StatelessTruncatedNormal StatelessTruncatedNormalV2 TruncatedNormal
    """.split()
)
"""Operators whose answers move from run to run (the stateless ones: with their seed)."""

SIGNAL = frozenset("AudioSpectrogram Mfcc DecodeWav RFFT RFFT2D IRFFT FFT IFFT FFT2D IFFT2D".split())
"""Feature extraction from in-memory buffers."""

FEATURES = frozenset("AudioSpectrogram DecodeWav Mfcc".split())
"""Feature extraction that an app does in its own code, since only TensorFlow has the operators."""

DECODERS = frozenset(
    """
    DecodeAndCropJpeg DecodeBmp DecodeGif DecodeImage DecodeJpeg DecodePng DecodeWav DecodeWebP ExtractJpegShape
    ParseExample ParseExampleV2 ParseSequenceExample ParseSequenceExampleV2 ParseSingleExample
    ParseSingleSequenceExample ParseTensor
    """.split()
)
"""Operators that take images, sounds or records out of a file's bytes, which they get as a tensor."""

LOOKUPS = frozenset(
    """
    AsString HashTable HashTableV2 LookupTableFind LookupTableFindV2 LookupTableSizeV2 MutableHashTableV2 ReduceJoin
    RegexFullMatch RegexReplace StaticRegexFullMatch StaticRegexReplace StringJoin StringLength StringLower StringSplit
    StringSplitV2 StringStrip StringToHashBucket StringToHashBucketFast StringToHashBucketStrong StringToNumber
    StringUpper Substr
    """.split()
)
"""Operators on text, and on tables of words; never run, but what they give out is known."""

STRUCTURAL = frozenset("Const Placeholder PlaceholderV2 PlaceholderWithDefault NoOp".split())
"""Operators that hold or name values."""

RUNNABLE = FOLDABLE | CONTROL_FLOW | RANDOM | SIGNAL | STRUCTURAL
"""Everything that may be run in TensorFlow."""

PERILS: dict[str, re.Pattern[str]] = {
    "reads or writes files": re.compile(
        r"(ReadFile|WriteFile|MatchingFiles(Dataset)?|ImmutableConst|RecordInput|ImportEvent|Skipgram|FileSystem\w*|"
        r"(Distributed)?Save\w*|Restore\w*|DTensorRestore\w*|MergeV2Checkpoints|LoadAndRemapMatrix|"
        r"GenerateVocabRemapping|\w*FromTextFile\w*|LoadDataset|Cache\w*|\w*Snapshot\w*Dataset\w*|CreateSummary\w+|DumpTensor|"
        r"\w*(TFRecord|TextLine|FixedLengthRecord|LMDB|Sql|CSV|WholeFile)\w*(Dataset|Reader)\w*|IdentityReader\w*|"
        r"ReaderRe(ad|store)\w*|\w*DatasetToTFRecord|(De|En)codeProto\w*|FixedUnigramCandidateSampler|"
        r"CalibrationStatisticsSaver)"
    ),
    "opens connections": re.compile(
        r"(\w*Rpc\w*|_?(Host)?(Send|Recv)|RemoteCall|\w*Collective\w*|_?Nccl\w*|DataService\w*|RegisterDataset\w*|"
        r"WorkerHeartbeat|\w*ConfigureDistributedTPU|BigQuery\w*|Bigtable\w*|Kafka\w*|Kinesis\w*)"
    ),
    "calls Python": re.compile(r"\w*PyFunc\w*"),
    "loads foreign code": re.compile(r"(XlaCustomCall\w*|\w*TRTEngineOp|RemoteFusedGraphExecute|MlirPassthroughOp)"),
    "is for debugging": re.compile(r"(Debug(Identity|Nan|Numeric)\w*|Copy|CopyHost|Abort|Sleep(Identity)?Op)"),
}
"""What nothing that a model's answers hang on may do, and the operators (whole names) that do it."""

VARIABLES = frozenset("Variable VariableV2 VarHandleOp".split())
"""Operators that hold trained state."""

READERS = frozenset("ReadVariableOp ResourceGather ResourceGatherNd VariableShape".split())
"""Operators that look at a resource variable."""

PLACEHOLDERS = frozenset("Placeholder PlaceholderV2 PlaceholderWithDefault".split())
"""Operators that a public input may be."""

CONVOLUTIONS = frozenset("Conv2D DepthwiseConv2dNative MatMul".split())
"""Linear operators with the weights as their second input, into which a per-channel scale can be folded."""

LOSSES = frozenset(
    "SoftmaxCrossEntropyWithLogits SparseSoftmaxCrossEntropyWithLogits L2Loss CTCLoss CTCLossV2 InTopK InTopKV2".split()
)
"""Operators that appear only in losses and training metrics."""

SHAPE_OPS = frozenset({"Shape", "Size", "Rank"})
"""Operators answered by the static shape of what they read, without its value."""

LAYERS = CONVOLUTIONS | frozenset(
    "BatchMatMul BatchMatMulV2 BatchMatMulV3 BiasAdd BiasAddV1 BatchNormWithGlobalNormalization Conv2DBackpropInput "
    "Conv3D Conv3DBackpropInputV2 Einsum FusedBatchNorm FusedBatchNormV2 FusedBatchNormV3 Gather GatherV2 "
    "ResourceGather".split()
)
"""Operators that bring a layer's weights to the data."""
