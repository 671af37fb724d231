import XCTest

@testable import DigitsKit

final class DigitImageTests: XCTestCase {
    func testNothingDrawnIsPaper() {
        XCTAssertEqual(render([]), [Float](repeating: 0, count: DigitImage.pixels))
    }

    func testAStrokeIsTwentyPixelsHighWhateverItsSize() {
        for height: Float in [3, 300, 3000] {
            let image = render([[Point(x: 50, y: 10), Point(x: 50, y: 10 + height)]])
            let rows = (0..<28).filter { row in (0..<28).contains { image[row * 28 + $0] > 0.5 } }
            XCTAssertEqual(rows.count, 20, "\(height)")
            XCTAssertEqual(rows.first, 4)
        }
    }

    func testTheCentreOfMassIsTheMiddle() throws {
        // A 6: most of its ink lies below and left of the middle of its box.
        let drawn = [[
            Point(x: 70, y: 0), Point(x: 20, y: 50), Point(x: 10, y: 90), Point(x: 30, y: 110), Point(x: 60, y: 100),
            Point(x: 60, y: 80), Point(x: 15, y: 80),
        ]]
        var image = render(drawn)
        let mass = try XCTUnwrap(image.withUnsafeMutableBufferPointer { DigitImage.centreOfMass($0) })
        XCTAssertEqual(mass.x, 13.5, accuracy: 0.2)
        XCTAssertEqual(mass.y, 13.5, accuracy: 0.2)
        XCTAssertEqual(image.max(), 1)
    }

    func testWhereItIsDrawnDoesNotMatter() {
        let drawn = [[Point(x: 0, y: 0), Point(x: 40, y: 10), Point(x: 15, y: 70)]]
        let moved = drawn.map { $0.map { Point(x: $0.x + 120, y: $0.y + 30) } }
        for (here, there) in zip(render(drawn), render(moved)) { XCTAssertEqual(here, there, accuracy: 1e-4) }
    }

    func testInkStaysInTheImageHoweverUneven() {
        // Nearly all ink at the right end: centring it by mass alone would push the left end out.
        let scribble = (0..<40).flatMap { _ in [Point(x: 100, y: 0), Point(x: 100, y: 12)] }
        let image = render([[Point(x: 0, y: 6), Point(x: 100, y: 6)], scribble])
        let leftmost = (0..<28).first { column in (0..<28).contains { image[$0 * 28 + column] > 0.5 } }
        XCTAssertNotNil(leftmost)
        let columns = (0..<28).filter { column in (0..<28).contains { image[$0 * 28 + column] > 0.5 } }
        XCTAssertEqual(columns.count, 20)
    }

    func testADotIsADot() {
        let image = render([[Point(x: 7, y: 7)]])
        XCTAssertGreaterThan(image[13 * 28 + 13], 0.9)
        XCTAssertLessThan(image.reduce(0, +), 10)
    }

    func testAMoveWithoutABeginningBegins() {
        var drawing = Drawing()
        drawing.move(to: Point(x: 1, y: 2))
        XCTAssertEqual(drawing.strokes, [[Point(x: 1, y: 2)]])
        drawing.clear()
        XCTAssertTrue(drawing.isEmpty)
    }

    private func render(_ strokes: [[Point]]) -> [Float] {
        var drawing = Drawing()
        for stroke in strokes {
            drawing.begin(at: stroke[0])
            for point in stroke.dropFirst() { drawing.move(to: point) }
        }
        var image = [Float](repeating: 9, count: DigitImage.pixels)
        image.withUnsafeMutableBufferPointer { DigitImage.render(drawing, into: $0) }
        return image
    }
}
