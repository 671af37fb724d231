// Made by mobile-export from the target "ios". Changes will be overwritten.

import Foundation

/// The model of the target ios, version 1e7ed41b6c8f.
///
///     let model = try Digits(.digitsIosOnnx)
///     try model.image.set(…)
///     try model.run()
///     model.probabilities[0]
///
/// Inputs and outputs are memory that stays where it is: a run uses it again, and allocates nothing of its own.
/// An object is for one thread at a time: give each thread its own, or keep it in an actor.
public final class Digits {
    /// The version of the model.
    public static let modelVersion: String = "1e7ed41b6c8f"

    /// The files that answer for the model. All are used in the same way.
    public enum Variant: String, CaseIterable, Sendable {
        /// float32, run by ONNX Runtime
        case digitsIosOnnx = "digits_ios_onnx"
        /// int8, run by ONNX Runtime
        case digitsIosOnnxInt8 = "digits_ios_onnx_int8"
        /// float32, run by LiteRT
        case digitsIosFloat32 = "digits_ios_float32"
        /// int8, run by LiteRT
        case digitsIosInt8 = "digits_ios_int8"

        /// What is known of the file.
        public var file: File {
            switch self {
            case .digitsIosOnnx:
                return File(
                    name: "digits_ios_onnx.onnx",
                    runtime: .onnxRuntime,
                    precision: "float32",
                    bytes: 78641,
                    sha256: "f6348dddfee33b18e5633e7ff062388c1098c88b04f0c9f574aebeba7d9ef75c",
                    inputs: [
                        Edge("image", .float32),
                    ],
                    outputs: [
                        Edge("probabilities", .float32),
                    ]
                )
            case .digitsIosOnnxInt8:
                return File(
                    name: "digits_ios_onnx_int8.onnx",
                    runtime: .onnxRuntime,
                    precision: "int8",
                    bytes: 35348,
                    sha256: "80476d07d58b9f96166a80c1fcce777918f4d6e73771d644a4abd5091948fff7",
                    inputs: [
                        Edge("image", .float32),
                    ],
                    outputs: [
                        Edge("probabilities", .float32),
                    ]
                )
            case .digitsIosFloat32:
                return File(
                    name: "digits_ios_float32.tflite",
                    runtime: .liteRT,
                    precision: "float32",
                    bytes: 78342,
                    sha256: "d2d78474ffc5692431b4bd776cb31e1a824855bc1eef436ec3129cecd80219fc",
                    inputs: [
                        Edge("image", .float32),
                    ],
                    outputs: [
                        Edge("probabilities", .float32),
                    ]
                )
            case .digitsIosInt8:
                return File(
                    name: "digits_ios_int8.tflite",
                    runtime: .liteRT,
                    precision: "int8",
                    bytes: 37398,
                    sha256: "875f6162a24cd8845893a889fece1cc09d8dd90bc9e29bf279897b16a1ae2386",
                    inputs: [
                        Edge("image", .int8, scale: 0.003921568859368563, zeroPoint: -128),
                    ],
                    outputs: [
                        Edge("probabilities", .int8, scale: 0.00390625, zeroPoint: -128),
                    ]
                )
            }
        }
    }

    /// The variants that can be opened with these options: those whose runtime is there.
    public static func available(_ options: Options = Options()) -> [Variant] {
        Variant.allCases.filter { options.engines[$0.file.runtime] != nil }
    }

    /// What the classes of `probabilities` are called, in their order.
    public static let probabilitiesLabels: [String] = lines(
        """
        0
        1
        2
        3
        4
        5
        6
        7
        8
        9
        """)

    /// Which file runs.
    public let variant: Variant
    /// Input, float32[1, 28, 28, 1].
    public let image: Tensor<Float>
    /// Output, float32[1, 10].
    public let probabilities: Tensor<Float>
    /// What runs the file. Cast it to the engine's own class to reach the runtime's session.
    public let engine: any DigitsEngine
    private let edges: Edges

    /// Opens a file among the resources of `bundle`: where this code was put, unless another is given.
    ///
    /// Throws a `Failure` when the file is missing or is another one, its runtime is missing, or cannot run it.
    public convenience init(
        _ variant: Variant = .digitsIosOnnx, bundle: Bundle? = nil, options: Options = Options()
    ) throws {
        let path = try variant.file.path(in: bundle ?? Digits.bundle)
        try self.init(variant, model: .path(path), options)
    }

    /// Opens a file that lies elsewhere. Whoever downloads it compares its sha256 with that of `variant.file`.
    public convenience init(
        _ variant: Variant = .digitsIosOnnx, path: String, options: Options = Options()
    ) throws {
        try self.init(variant, model: .path(path), options)
    }

    /// Opens a file that is in memory already.
    public convenience init(
        _ variant: Variant = .digitsIosOnnx, data: Data, options: Options = Options()
    ) throws {
        try self.init(variant, model: .data(data), options)
    }

    private init(_ variant: Variant, model: Model, _ options: Options) throws {
        let file = variant.file
        var edges = Edges()
        self.variant = variant
        self.image = edges.realInput(file.inputs[0], [1, 28, 28, 1])
        self.probabilities = edges.realOutput(file.outputs[0], [1, 10])
        self.edges = edges
        engine = try file.open(model, edges, options)
    }

    deinit { close() }

    /// What computes, as the runtime names it.
    public var accelerator: String { engine.accelerator }

    /// Answers what the inputs hold into the outputs; the inputs stay as they are.
    public func run() throws {
        edges.beforeRun()
        try engine.run()
        edges.afterRun()
    }

    /// Frees what the runtime holds. Inputs and outputs can still be read; a run throws.
    public func close() { engine.close() }

    private static var bundle: Bundle {
        #if SWIFT_PACKAGE
        return Bundle.module
        #else
        return Bundle(for: Digits.self)
        #endif
    }
}
