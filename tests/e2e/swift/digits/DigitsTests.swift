// What generated Swift promises, on the model of the demo. Copied into the tests of its package.

import Foundation
import XCTest

@testable import DigitsModel

final class DigitsTests: XCTestCase {
    func testAnotherVariantChangesNoCallSite() throws {
        for variant in Digits.Variant.allCases {
            let model = try Digits(variant)
            try model.image.set([Float](repeating: 0, count: 784))
            model.image[400] = 1
            try model.run()
            XCTAssertEqual(model.probabilities.reduce(0, +), 1, accuracy: 0.05)
            XCTAssertEqual(model.image[400], 1, "inputs stay as they are")
        }
    }

    func testWhatIsKnown() throws {
        XCTAssertEqual(Digits.probabilitiesLabels, (0..<10).map(String.init))
        XCTAssertEqual(Digits.available(), Digits.Variant.allCases)
        let model = try Digits()
        XCTAssertEqual(model.variant, Digits.Variant.allCases[0])
        XCTAssertEqual(model.image.shape, [1, 28, 28, 1])
        XCTAssertEqual(model.accelerator, "CPU")
        XCTAssertFalse(Digits.modelVersion.isEmpty)
        let session = try XCTUnwrap(model.session as? Digits.OnnxRuntimeSession)
        XCTAssertNotNil(session.ortSession)
        XCTAssertNotNil(session.api)
        XCTAssertEqual(Digits.OnnxRuntimeSession.version.split(separator: ".").first, "1")
    }

    func testBytesAndPathsOpenTheSame() throws {
        for variant in Digits.Variant.allCases {
            let path = try variant.path(in: bundle)
            let data = try Data(contentsOf: URL(fileURLWithPath: path))
            let vectors = try golden(variant)
            XCTAssertEqual(try Digits(variant, data: data).selfTest(vectors: vectors).map { $0.output }, ["probabilities"])
            var options = Digits.Options()
            options.threads = 2
            XCTAssertTrue(try Digits(variant, path: path, options: options).selfTest(vectors: vectors).allSatisfy { $0.passed })
        }
    }

    func testWhatIsClosedDoesNotRun() throws {
        for variant in Digits.Variant.allCases {
            let model = try Digits(variant)
            try model.run()
            model.close()
            model.close()
            assertFails("is closed; open another") { try model.run() }
            XCTAssertEqual(model.probabilities.count, 10, "what was answered can still be read")
        }
    }

    func testAMissingRuntimeIsNamed() throws {
        var options = Digits.Options()
        options.adapters = [:]
        XCTAssertEqual(Digits.available(options), [])
        assertFails("needs ONNX Runtime, which was not there to compile") { _ = try Digits(.digitsIosOnnx, options: options) }
        assertFails("needs LiteRT, which was not there to compile") { _ = try Digits(.digitsIosInt8, options: options) }
    }

    func testAnAcceleratorThatIsNotThere() throws {
        var options = Digits.Options()
        options.accelerator = "CoreML"
        options.acceleratorSettings = ["MLComputeUnits": "CPUAndGPU"]
        assertFails("CoreML") { _ = try Digits(.digitsIosOnnx, options: options) }
        assertFails("CoreML") { _ = try Digits(.digitsIosInt8, options: options) }
    }

    func testSettingsReachTheSession() throws {
        var options = Digits.Options()
        options.sessionSettings = ["": "a setting without a name"]
        assertFails("ONNX Runtime: ") { _ = try Digits(.digitsIosOnnx, options: options) }
    }

    func testOtherFilesAreRefused() throws {
        assertFails("/no/such file cannot be read") { _ = try Digits(.digitsIosOnnx, path: "/no/such file") }
        let other = try Digits.Variant.digitsIosInt8.path(in: bundle)
        assertFails("it is another file") { _ = try Digits(.digitsIosOnnx, path: other) }
        assertFails("digits_ios_onnx.onnx is not in") { _ = try Digits(.digitsIosOnnx, bundle: Bundle(for: DigitsTests.self)) }
    }

    func testADamagedModelFails() throws {
        for variant in Digits.Variant.allCases {
            var data = try Data(contentsOf: URL(fileURLWithPath: variant.path(in: bundle)))
            for index in stride(from: data.count / 4, to: data.count / 2, by: 3) { data[index] ^= 0x55 }
            let vectors = try golden(variant)
            XCTAssertThrowsError(try Digits(variant, data: data).selfTest(vectors: vectors))
        }
    }

    func testDamagedVectorsFail() throws {
        let model = try Digits(.digitsIosOnnx)
        let vectors = try golden(.digitsIosOnnx)
        var other = vectors
        other[20] ^= 1
        assertFails("are of another file") { _ = try model.selfTest(vectors: other) }
        assertFails("end too early") { _ = try model.selfTest(vectors: vectors.dropLast()) }
        assertFails("go on after their last run") { _ = try model.selfTest(vectors: vectors + [0]) }
        assertFails("are no golden vectors") { _ = try model.selfTest(vectors: Data(repeating: 0, count: 60)) }
        assertFails("have no run in them") { _ = try model.selfTest(vectors: vectors.prefix(40) + [0, 0, 0, 0]) }
        var counted = vectors
        counted[44] ^= 1
        assertFails("values of image, not 784") { _ = try model.selfTest(vectors: counted) }
        var wrong = vectors
        for index in 1...4 { wrong[wrong.count - index] = [0, 0x3F, 0x80, 0][index % 4] }
        assertFails("digits_ios_onnx.onnx answers wrong: probabilities is off by ") { try model.selfTest(vectors: wrong) }
        XCTAssertEqual(try model.selfTest(vectors: wrong, relative: 10).map { $0.passed }, [true])
        wrong.replaceSubrange(wrong.count - 4..<wrong.count, with: [0, 0, 0xC0, 0x7F])
        assertFails("probabilities is off by nan") { try model.selfTest(vectors: wrong, relative: 10) }
        try model.selfTest(vectors: vectors)
    }

    func testAWrongNumberOfValues() throws {
        let model = try Digits()
        assertFails("image takes 784 values, not 3") { try model.image.set([1, 2, 3]) }
    }

    /// Quantizing and dequantizing around a runtime that does nothing: what is allocated is ours.
    func testARunAllocatesNothing() throws {
        let allocations = try XCTUnwrap(dlsym(nil, "allocations"), "counted.c is not preloaded")
        let count = unsafeBitCast(allocations, to: (@convention(c) () -> Int).self)
        var options = Digits.Options()
        options.adapters[.liteRT] = { @Sendable _, _ in Nothing() }
        let model = try Digits(.digitsIosInt8, options: options)
        try model.run()
        let before = count()
        for _ in 0..<100 { try model.run() }
        XCTAssertEqual(count() - before, 0)
    }

    func testThreadsAreStartedOnlyWhenAskedFor() throws {
        for variant in Digits.Variant.allCases {
            XCTAssertEqual(try threadsStarted { try Digits(variant) }, 0, variant.rawValue)
        }
        var options = Digits.Options()
        options.threads = 3
        XCTAssertEqual(try threadsStarted { try Digits(.digitsIosOnnx, options: options) }, 2)
    }

    /// How many threads a model brings once it has run: the median of several tries, since Dispatch starts and ends
    /// some of its own at any time.
    private func threadsStarted(_ open: () throws -> Digits) throws -> Int {
        func threads() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count }
        let started = try (0..<9).map { _ -> Int in
            let before = try threads()
            let model = try open()
            try model.run()
            let after = try threads()
            model.close()
            return after - before
        }
        return started.sorted()[started.count / 2]
    }

    private var bundle: Bundle {
        // That of the package's module lies beside that of the tests.
        let name = Bundle.module.bundleURL.lastPathComponent.replacingOccurrences(of: "DigitsModelTests", with: "DigitsModel")
        return Bundle(url: Bundle.module.bundleURL.deletingLastPathComponent().appendingPathComponent(name))!
    }

    private func golden(_ variant: Digits.Variant) throws -> Data {
        let path = try XCTUnwrap(Bundle.module.path(forResource: variant.rawValue, ofType: "golden"))
        return try Data(contentsOf: URL(fileURLWithPath: path))
    }

    private func assertFails(_ sentence: String, _ action: () throws -> Void) {
        XCTAssertThrowsError(try action()) { error in
            XCTAssertTrue(error is Digits.Failure, "\(error)")
            XCTAssertTrue(error.localizedDescription.contains(sentence), "\(error)")
        }
    }
}

private final class Nothing: DigitsSession {
    let accelerator = "nothing"
    func run() {}
    func close() {}
}
