import DigitsModel
import Foundation
import XCTest

@testable import DigitsKit

/// The models that are locked, in the runtime that is linked: all that the app does but for its views.
final class BoardTests: XCTestCase {
    func testEveryFileGivesTheRecordedAnswers() throws {
        let variants = Digits.available()
        XCTAssertFalse(variants.isEmpty)
        for variant in variants {
            let vectors = try XCTUnwrap(Bundle.module.url(forResource: variant.rawValue, withExtension: "golden"))
            let model = try Digits(variant, bundle: .module)
            let found = try model.selfTest(vectors: Data(contentsOf: vectors))
            print("\(variant.rawValue): \(found), \(model.accelerator)")
        }
    }

    func testADrawnOneAndSevenAreReadByEveryFile() throws {
        var board = try XCTUnwrap(Board(bundle: .module))
        for variant in board.variants {
            board.variant = variant
            draw([[(50, 10), (50, 90)]], on: &board)
            XCTAssertEqual(board.reading?.label, "1", variant.rawValue)
            draw([[(20, 15), (75, 15), (45, 90)]], on: &board)
            XCTAssertEqual(board.reading?.label, "7", variant.rawValue)
            XCTAssertNil(board.problem)
        }
    }

    func testAnotherFileReadsTheSameDrawing() throws {
        var board = try XCTUnwrap(Board(bundle: .module))
        let (first, last) = try (XCTUnwrap(board.variants.first), XCTUnwrap(board.variants.last))
        XCTAssertNotEqual(first, last)
        draw([[(50, 10), (50, 90)]], on: &board)
        board.variant = last
        XCTAssertEqual(board.variant, last)
        XCTAssertEqual(board.reading?.label, "1")
        XCTAssertNotNil(board.accelerator)
        board.clear()
        XCTAssertNil(board.reading)
        XCTAssertTrue(board.drawing.isEmpty)
    }

    func testAMissingModelIsSaid() throws {
        var board = try XCTUnwrap(Board(bundle: .main))
        draw([[(50, 10), (50, 90)]], on: &board)
        XCTAssertNil(board.reading)
        XCTAssertTrue(try XCTUnwrap(board.problem).contains(board.variant.file))
    }

    private func draw(_ strokes: [[(Float, Float)]], on board: inout Board) {
        board.clear()
        for stroke in strokes {
            board.begin(at: Point(x: stroke[0].0, y: stroke[0].1))
            for (x, y) in stroke.dropFirst() { board.move(to: Point(x: x, y: y)) }
        }
    }
}
