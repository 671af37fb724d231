// Made by mobile-export from the target "ios". Changes will be overwritten.

import Foundation

/// A runtime that has a model open, and runs it over memory that it was given.
///
/// An app that brings a runtime of its own writes one, and puts it into `Digits.Options.engines`.
public protocol DigitsEngine: AnyObject {
    /// What computes, as the runtime names it.
    var accelerator: String { get }
    /// Answers what is in the inputs' memory into that of the outputs; throws once it is closed.
    func run() throws
    /// Frees everything; what is closed already stays so.
    func close()
}

extension Digits {
    /// What went wrong, in a sentence.
    public struct Failure: LocalizedError, CustomStringConvertible, Sendable {
        public let description: String
        public var errorDescription: String? { description }

        public init(_ description: String) { self.description = description }
    }

    /// What can run files.
    public enum Runtime: String, Sendable {
        case onnxRuntime = "ONNX Runtime"
        case liteRT = "LiteRT"
    }

    /// Types of elements. The raw value is the number that ONNX has for it.
    public enum ElementType: Int32, Sendable {
        case float32 = 1, uint8, int8, uint16, int16, int32, int64
        case bool = 9, float16, float64, uint32, uint64
    }

    /// An input or output of a file. With a scale, its integers stand for real values: scale * (integer - zeroPoint).
    public struct Edge: Sendable {
        public let name: String
        public let elementType: ElementType
        public let scale: Double?
        public let zeroPoint: Int

        init(_ name: String, _ elementType: ElementType, scale: Double? = nil, zeroPoint: Int = 0) {
            self.name = name
            self.elementType = elementType
            self.scale = scale
            self.zeroPoint = zeroPoint
        }
    }

    /// What is known of a file.
    public struct File: Sendable {
        public let name: String
        public let runtime: Runtime
        public let precision: String
        public let bytes: Int
        /// In hexadecimal digits.
        public let sha256: String
        public let inputs: [Edge]
        public let outputs: [Edge]
    }

    /// Where an engine finds a model.
    public enum Model: Sendable {
        case path(String)
        case data(Data)
    }

    /// The memory of an edge. It stays where it is for as long as this is kept.
    public struct Memory {
        public let name: String
        public let elementType: ElementType
        public let shape: [Int]
        public let bytes: UnsafeMutableRawBufferPointer
        let owner: AnyObject
    }

    /// Opens a model over the memory of its inputs and outputs.
    public typealias Opener = @Sendable (
        _ model: Model, _ inputs: [Memory], _ outputs: [Memory], _ options: Options
    ) throws -> any DigitsEngine

    /// How files are run. The same options do for every variant.
    public struct Options: Sendable {
        /// Threads to compute with. With 1 the caller's does everything, and none is started.
        public var threads = 1
        /// What shall compute, by the runtime's name for it, such as "CoreML" or "XNNPACK"; nil is the CPU.
        public var accelerator: String?
        /// Settings of the accelerator, by the runtime's names for them, such as "MLComputeUnits": "CPUAndGPU".
        public var acceleratorSettings: [String: String] = [:]
        /// Settings of the session, by the runtime's names for them.
        public var sessionSettings: [String: String] = [:]
        /// What runs the files of each runtime: what was there to compile, unless an app puts in its own.
        public var engines: [Runtime: Opener] = Options.compiledEngines

        public init() {}

        private static var compiledEngines: [Runtime: Opener] {
            let openers: [Runtime: Opener?] = [
                .liteRT: liteRTOpener,
                .onnxRuntime: onnxRuntimeOpener,
            ]
            return openers.compactMapValues { $0 }
        }
    }

    /// The values of an input or output, in memory that stays where it is.
    public final class Tensor<Element> {
        public let name: String
        public let shape: [Int]
        /// The values, the last dimension fastest. They are there for as long as this object is.
        public let values: UnsafeMutableBufferPointer<Element>

        init(name: String, shape: [Int]) {
            let size = shape.reduce(MemoryLayout<Element>.stride, *)
            let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
            bytes.initializeMemory(as: UInt8.self, repeating: 0)
            self.name = name
            self.shape = shape
            values = bytes.bindMemory(to: Element.self)
        }

        deinit { values.deallocate() }

        public var count: Int { values.count }

        public subscript(index: Int) -> Element {
            get { values[index] }
            set { values[index] = newValue }
        }

        /// Takes over the values of a collection, which has to have as many.
        public func set<Values: Collection>(_ new: Values) throws where Values.Element == Element {
            guard new.count == count else { throw Failure("\(name) takes \(count) values, not \(new.count)") }
            _ = values.update(fromContentsOf: new)
        }
    }
}

extension Digits.File {
    /// Where it lies in a bundle.
    func path(in bundle: Bundle) throws -> String {
        if let path = bundle.path(forResource: name, ofType: nil) { return path }
        throw Digits.Failure("\(name) is not in \(bundle.bundlePath); add it to the resources that go there")
    }

    /// An engine that has it open.
    func open(_ model: Digits.Model, _ edges: Digits.Edges, _ options: Digits.Options) throws -> any DigitsEngine {
        guard let open = options.engines[runtime] else {
            throw Digits.Failure(
                "\(name) needs \(runtime.rawValue), which was not there to compile; add it, or set Options.engines[.\(runtime)]")
        }
        let found = try model.size()
        guard found == bytes else {
            throw Digits.Failure("\(name) has \(found) bytes instead of \(bytes): it is another file, or damaged")
        }
        return try open(model, edges.inputs, edges.outputs, options)
    }
}

extension Digits.Model {
    /// In bytes.
    fileprivate func size() throws -> Int {
        switch self {
        case .data(let data):
            return data.count
        case .path(let path):
            guard let file = FileHandle(forReadingAtPath: path) else { throw Digits.Failure("\(path) cannot be read") }
            defer { file.closeFile() }
            return Int(try file.seekToEnd())
        }
    }
}

extension Digits {
    /// Long lists as text: an array of so many literals takes a compiler minutes.
    static func lines(_ text: String) -> [String] {
        text.utf8.split(separator: 10, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    }
}
