// A model of which everything is awkward for a generator. Copied into the tests of its package.

import AwkwardModel
import Foundation
import XCTest

final class AwkwardTests: XCTestCase {
    func testTextsAreKept() {
        XCTAssertEqual(Awkward.modelVersion, "1\"\\(2)")
        XCTAssertEqual(Awkward.Variant.awkward.precision, "odd \"precision\"\\(1)")
        XCTAssertEqual(Awkward.self_Labels.count, 1200)
        XCTAssertEqual(
            Array(Awkward.self_Labels.prefix(5)),
            ["say \"hi\"", "back\\slash", "\\(1 + 1)", "größe 日本", "right\u{202E}left"])
    }

    func testRawValuesArePreprocessed() throws {
        let model = try Awkward()
        try model.class.set((0..<12).map(Float.init))
        try model.run()
        // The first pixel is 0, 1, 2 as RGB.
        XCTAssertEqual(model.self_[0], (2 / 255 - 0.4) / 0.2, accuracy: 1e-6)
        XCTAssertEqual(model.self_[1], (1 / 255 - 0.5) / 0.3, accuracy: 1e-6)
        XCTAssertEqual(model.self_[2], (0 / 255 - 0.6) / 0.1, accuracy: 1e-6)
        XCTAssertEqual(model.self_[3], (5 / 255 - 0.4) / 0.2, accuracy: 1e-6)
        XCTAssertEqual(Array(model.class), (0..<12).map(Float.init))
    }

    func testRealValuesAreQuantizedAndSaturate() throws {
        let model = try Awkward()
        // Halves go to even: 0.125 / 0.05 is 2.5. Beyond the type: 0…255 is -5…7.75, and -2 times that -128…127 * 0.1.
        try model.theImage.set([0.125, 100, -.infinity, .nan])
        try model.run()
        XCTAssertEqual(model.run_[0], -0.2, accuracy: 1e-6)
        XCTAssertEqual(model.run_[1], -12.3, accuracy: 1e-6)
        XCTAssertEqual(model.run_[2], 10, accuracy: 1e-6)
        XCTAssertEqual(model.run_[3], 10, accuracy: 1e-6)
    }

    func testOpenSizesAreChosen() throws {
        var shapes = Awkward.Shapes()
        XCTAssertEqual(shapes.in, [1, 3])
        shapes.in = [4, 3]
        shapes.default = [4]
        let model = try Awkward(shapes: shapes)
        try model.in.set([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0])
        try model.run()
        XCTAssertEqual(Array(model.default), [0, 1, 2, 1])

        shapes.in = [4, 2]
        XCTAssertThrowsError(try Awkward(shapes: shapes)) { error in
            XCTAssertTrue(error.localizedDescription.contains("in has the shape [-1, 3]"), "\(error)")
        }
        shapes.in = [3, 3]
        XCTAssertThrowsError(try Awkward(shapes: shapes).run(), "an output has to be as large as the answer")
    }

    func testIntegersAreExactlyEqual() throws {
        let path = try XCTUnwrap(Bundle.module.path(forResource: Awkward.Variant.awkward.vectors, ofType: nil))
        var vectors = try Data(contentsOf: URL(fileURLWithPath: path))
        let model = try Awkward()
        XCTAssertEqual(try model.selfTest(vectors: vectors).map { $0.output }, ["self", "run", "default", "_0_flags"])
        // Last come the two truths, and before them a number and the eight bytes of the integer.
        vectors[vectors.count - 2] ^= 1
        XCTAssertThrowsError(try model.selfTest(vectors: vectors, relative: 1000))
        vectors[vectors.count - 2] ^= 1
        vectors[vectors.count - 14] ^= 1
        XCTAssertThrowsError(try model.selfTest(vectors: vectors, relative: 1000)) { error in
            XCTAssertTrue(error.localizedDescription.contains("default is off by 1.0 where 0.0 is allowed"), "\(error)")
        }
    }

    func testTruthsAreTruths() throws {
        let model = try Awkward()
        try model.flag.set([true, false])
        try model.run()
        XCTAssertEqual(Array(model._0Flags), [false, true])
    }
}
