// Made by mobile-export from the target "ios". Changes will be overwritten.

import Foundation

extension Digits {
    /// How far answers on this device are from the recorded ones.
    public struct SelfTest: Sendable {
        /// How many runs were compared.
        public let runs: Int
        /// The largest difference in each output, by its public name.
        public let differences: [String: Double]
    }

    /// Runs the golden vectors of this variant: what a build recorded in `VARIANT.golden`, which only tests ship.
    ///
    /// Throws at the first answer that differs by more than 1e-4 of the largest one and a step of a quantized output,
    /// and when the vectors are damaged or of another file. It writes into the inputs.
    public func selfTest(vectors: Data) throws -> SelfTest {
        var vectors = Vectors(data: vectors)
        try vectors.readHead(sha256: variant.file.sha256)
        let runs = try vectors.readCount()
        guard runs > 0 else { throw Failure("the golden vectors have no run in them") }
        var differences: [String: Double] = [:]
        for run in 0..<runs {
            try vectors.read(into: self.image)
            try self.run()
            try vectors.compare(self.probabilities, variant.file.outputs[0], run, &differences)
        }
        guard vectors.isAtEnd else { throw Failure("the golden vectors go on after their last run") }
        return SelfTest(runs: runs, differences: differences)
    }
}

/// Golden vectors, read from front to back.
private struct Vectors {
    let data: Data
    private var position = 0

    init(data: Data) { self.data = data }

    var isAtEnd: Bool { position == data.count }

    mutating func readHead(sha256: String) throws {
        guard try read(8).elementsEqual(Array("MXGOLD".utf8) + [0, 1]) else {
            throw Digits.Failure("these are no golden vectors, or of a kind that is not known here")
        }
        let recorded = try read(32).map { String(format: "%02x", $0) }.joined()
        guard recorded == sha256 else {
            throw Digits.Failure("the golden vectors are of another file: its sha256 is \(recorded), not \(sha256)")
        }
    }

    mutating func readCount() throws -> Int {
        Int(try read(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
    }

    mutating func read<Element>(into tensor: Digits.Tensor<Element>) throws {
        let count = try readCount()
        guard count == tensor.count else {
            throw Digits.Failure("the golden vectors have \(count) values of \(tensor.name), not \(tensor.count)")
        }
        _ = try read(count * MemoryLayout<Element>.stride).copyBytes(to: tensor.values)
    }

    /// Reads what was recorded of an output, of numbers of any kind, and compares it with what it holds.
    mutating func compare<Element: BinaryFloatingPoint>(
        _ tensor: Digits.Tensor<Element>, _ edge: Digits.Edge, _ run: Int, _ differences: inout [String: Double]
    ) throws {
        let recorded = try read(like: tensor)
        try compare(edge, tensor.values.map { Double($0) }, recorded.values.map { Double($0) }, run, &differences)
    }

    mutating func compare<Element: BinaryInteger>(
        _ tensor: Digits.Tensor<Element>, _ edge: Digits.Edge, _ run: Int, _ differences: inout [String: Double]
    ) throws {
        let recorded = try read(like: tensor)
        try compare(edge, tensor.values.map { Double($0) }, recorded.values.map { Double($0) }, run, &differences)
    }

    mutating func compare(
        _ tensor: Digits.Tensor<Bool>, _ edge: Digits.Edge, _ run: Int, _ differences: inout [String: Double]
    ) throws {
        let recorded = try read(like: tensor)
        try compare(edge, tensor.values.map { $0 ? 1 : 0 }, recorded.values.map { $0 ? 1 : 0 }, run, &differences)
    }

    private func compare(
        _ edge: Digits.Edge, _ answers: [Double], _ recorded: [Double], _ run: Int, _ differences: inout [String: Double]
    ) throws {
        let largest = recorded.lazy.map { abs($0) }.filter { $0.isFinite }.max() ?? 0
        let limit = max(1e-4 * largest, edge.scale ?? 0)
        for (index, (here, there)) in zip(answers, recorded).enumerated() {
            if here == there || (here.isNaN && there.isNaN) { continue }
            let difference = abs(here - there)
            guard difference <= limit else {
                throw Digits.Failure(
                    "\(edge.name)[\(index)] is \(here) in run \(run), and \(there) was recorded: they may differ by \(limit)"
                )
            }
            differences[edge.name] = max(differences[edge.name] ?? 0, difference)
        }
    }

    private mutating func read<Element>(like tensor: Digits.Tensor<Element>) throws -> Digits.Tensor<Element> {
        let recorded = Digits.Tensor<Element>(name: tensor.name, shape: tensor.shape)
        try read(into: recorded)
        return recorded
    }

    private mutating func read(_ count: Int) throws -> Data {
        guard count <= data.count - position else { throw Digits.Failure("the golden vectors end too early") }
        defer { position += count }
        return data.dropFirst(position).prefix(count)
    }
}
