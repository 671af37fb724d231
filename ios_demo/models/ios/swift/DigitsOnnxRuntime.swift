// Made by mobile-export from the target "ios". Changes will be overwritten.

import Foundation

#if canImport(CDigitsModel)
import CDigitsModel

extension Digits {
    /// What opens files of ONNX Runtime; nil where it was not there to compile.
    static let onnxRuntimeOpener: Opener? = { @Sendable in
        try OnnxRuntimeEngine($0, inputs: $1, outputs: $2, options: $3)
    }

    /// A session of ONNX Runtime.
    public final class OnnxRuntimeEngine: DigitsEngine {
        public let accelerator: String
        private let memory: [Memory]
        private var handle: OpaquePointer?

        /// The version of the runtime that is linked.
        public static var version: String { String(cString: CDigitsModelRuntimeVersion()) }

        /// The runtime's `OrtSession *`; nil once it is closed.
        public var session: UnsafeMutableRawPointer? { handle.flatMap { CDigitsModelSession($0) } }

        /// The runtime's `const OrtApi *`, of version 17 of its API; nil once it is closed.
        public var api: UnsafeRawPointer? { handle.map { CDigitsModelApi($0) } }

        public init(_ model: Model, inputs: [Memory], outputs: [Memory], options: Options) throws {
            guard let handle = CDigitsModelCreate(inputs.count, outputs.count) else {
                throw Failure("ONNX Runtime \(OnnxRuntimeEngine.version) cannot be used; link 1.17 or newer")
            }
            self.handle = handle
            memory = inputs + outputs
            accelerator = options.accelerator.map { "\($0), and the CPU for what it does not take" } ?? "CPU"
            try configure(handle, options)
            try open(handle, model)
            for (index, input) in inputs.enumerated() {
                try bind(CDigitsModelBindInput, handle, index, input)
            }
            for (index, output) in outputs.enumerated() {
                try bind(CDigitsModelBindOutput, handle, index, output)
            }
        }

        deinit { close() }

        public func run() throws {
            guard let handle else { throw Failure("the session is closed; open another") }
            try check(CDigitsModelRun(handle))
        }

        public func close() {
            if let handle { CDigitsModelClose(handle) }
            handle = nil
        }

        private func configure(_ handle: OpaquePointer, _ options: Options) throws {
            try check(CDigitsModelSetThreads(handle, Int32(clamping: options.threads)))
            for (key, value) in options.sessionSettings {
                try check(CDigitsModelSet(handle, key, value))
            }
            if let accelerator = options.accelerator {
                for (key, value) in options.acceleratorSettings {
                    try check(CDigitsModelTell(handle, key, value))
                }
                try check(CDigitsModelUse(handle, accelerator))
            }
        }

        private func open(_ handle: OpaquePointer, _ model: Model) throws {
            switch model {
            case .path(let path):
                try check(CDigitsModelOpenFile(handle, path))
            case .data(let data):
                try data.withUnsafeBytes { bytes in
                    guard let start = bytes.baseAddress else { throw Failure("the model is empty") }
                    try check(CDigitsModelOpenBytes(handle, start, bytes.count))
                }
            }
        }

        private typealias Bind = (
            OpaquePointer, Int, UnsafePointer<CChar>, Int32, UnsafePointer<Int64>, Int, UnsafeMutableRawPointer, Int
        ) -> UnsafePointer<CChar>?

        private func bind(_ bind: Bind, _ handle: OpaquePointer, _ index: Int, _ memory: Memory) throws {
            let shape = memory.shape.map { Int64($0) }
            let type = memory.elementType.rawValue
            guard let start = memory.bytes.baseAddress else { throw Failure("\(memory.name) has no memory") }
            try check(bind(handle, index, memory.name, type, shape, shape.count, start, memory.bytes.count))
        }

        private func check(_ problem: UnsafePointer<CChar>?) throws {
            if let problem { throw Failure("ONNX Runtime: \(String(cString: problem))") }
        }
    }
}
#else
extension Digits {
    static let onnxRuntimeOpener: Opener? = nil
}
#endif
