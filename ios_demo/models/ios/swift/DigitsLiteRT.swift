// Made by mobile-export from the target "ios". Changes will be overwritten.
//
// LiteRT is here wherever its C library can be imported as TensorFlowLiteC, as the pod and its xcframework offer it. In
// an app where only another module has it, copy this file there, import DigitsModel, and say
//
//     options.engines[.liteRT] = { @Sendable in try Digits.LiteRTEngine($0, inputs: $1, outputs: $2, options: $3) }

import Foundation

#if canImport(TensorFlowLiteC)
import TensorFlowLiteC

extension Digits {
    /// What opens files of LiteRT; nil where it was not there to compile.
    static let liteRTOpener: Opener? = { @Sendable in
        try LiteRTEngine($0, inputs: $1, outputs: $2, options: $3)
    }

    /// An interpreter of LiteRT, by its C library, on the CPU.
    public final class LiteRTEngine: DigitsEngine {
        /// The runtime's `TfLiteInterpreter *`; nil once it is closed.
        public private(set) var interpreter: OpaquePointer?
        private var model: OpaquePointer?
        private var inputs: [(index: Int32, memory: Memory)] = []
        private var outputs: [(index: Int32, memory: Memory)] = []
        // The runtime reads the model where it lies.
        private var bytes: NSData?

        /// The version of the runtime that is linked.
        public static var version: String { String(cString: TfLiteVersion()) }

        public var accelerator: String { "CPU" }

        public init(_ model: Model, inputs: [Memory], outputs: [Memory], options: Options) throws {
            if let wanted = options.accelerator {
                throw Failure("LiteRT's C library has no \(wanted) of its own; set Options.engines[.liteRT] to what has it")
            }
            try open(model)
            let settings = TfLiteInterpreterOptionsCreate()
            defer { TfLiteInterpreterOptionsDelete(settings) }
            TfLiteInterpreterOptionsSetNumThreads(settings, Int32(clamping: options.threads))
            interpreter = TfLiteInterpreterCreate(self.model, settings)
            guard interpreter != nil else { throw Failure("LiteRT lacks an operator that the model has") }
            try bind(inputs: inputs)
            try bind(outputs: outputs)
        }

        deinit { close() }

        public func run() throws {
            guard let interpreter else { throw Failure("the interpreter is closed; open another") }
            for (index, memory) in inputs {
                let tensor = TfLiteInterpreterGetInputTensor(interpreter, index)
                let copied = TfLiteTensorCopyFromBuffer(tensor, memory.bytes.baseAddress, memory.bytes.count)
                try check(copied, "LiteRT takes \(memory.name) in another size")
            }
            try check(TfLiteInterpreterInvoke(interpreter), "LiteRT cannot run the model on these inputs")
            for (index, memory) in outputs {
                let tensor = TfLiteInterpreterGetOutputTensor(interpreter, index)
                let copied = TfLiteTensorCopyToBuffer(tensor, memory.bytes.baseAddress, memory.bytes.count)
                try check(copied, "LiteRT gives \(memory.name) in another size")
            }
        }

        public func close() {
            inputs = []
            outputs = []
            if let interpreter { TfLiteInterpreterDelete(interpreter) }
            if let model { TfLiteModelDelete(model) }
            interpreter = nil
            model = nil
            bytes = nil
        }

        private func open(_ source: Model) throws {
            switch source {
            case .path(let path):
                model = TfLiteModelCreateFromFile(path)
            case .data(let data):
                let copy = NSData(data: data)
                bytes = copy
                model = TfLiteModelCreate(copy.bytes, copy.length)
            }
            guard model != nil else { throw Failure("LiteRT cannot read the model") }
        }

        /// Finds each input by its name, since a file may have them in an order of its own.
        private func bind(inputs: [Memory]) throws {
            let count = TfLiteInterpreterGetInputTensorCount(interpreter)
            for memory in inputs {
                let index = (0..<count).first { index in
                    isNamed(memory.name, TfLiteTensorName(TfLiteInterpreterGetInputTensor(interpreter, index)))
                }
                guard let index else { throw Failure("the model has no input \(memory.name)") }
                let shape = memory.shape.map { Int32($0) }
                let resized = TfLiteInterpreterResizeInputTensor(interpreter, index, shape, Int32(shape.count))
                try check(resized, "LiteRT does not take \(memory.name) in the shape \(shape)")
                self.inputs.append((index, memory))
            }
            try check(TfLiteInterpreterAllocateTensors(interpreter), "LiteRT has no memory for the model, or no operator")
        }

        private func bind(outputs: [Memory]) throws {
            let count = TfLiteInterpreterGetOutputTensorCount(interpreter)
            for memory in outputs {
                let index = (0..<count).first { index in
                    isNamed(memory.name, TfLiteTensorName(TfLiteInterpreterGetOutputTensor(interpreter, index)))
                }
                guard let index else { throw Failure("the model has no output \(memory.name)") }
                self.outputs.append((index, memory))
            }
        }

        private func isNamed(_ name: String, _ found: UnsafePointer<CChar>?) -> Bool {
            found.map { String(cString: $0) } == name
        }

        /// Throws what `problem` says; it is worked out only then, so that a run makes no string.
        private func check(_ status: TfLiteStatus, _ problem: @autoclosure () -> String) throws {
            if status != kTfLiteOk { throw Failure(problem()) }
        }
    }
}
#else
extension Digits {
    static let liteRTOpener: Opener? = nil
}
#endif
