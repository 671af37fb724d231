/// A drawing as the model was trained on digits (MNIST): 28 × 28 pixels from 0, paper, to 1, ink; the digit fits 20 × 20
/// of them, and its centre of mass is that of the image.
public enum DigitImage {
    public static let side = 28
    public static let pixels = side * side

    static let fitted: Float = 20
    static let penRadius: Float = 1.2

    /// Draw into `image`, of `pixels` values, row by row.
    public static func render(_ drawing: Drawing, into image: UnsafeMutableBufferPointer<Float>) {
        precondition(image.count == pixels, "an image of a digit has \(pixels) pixels")
        let middle = Float(side - 1) / 2
        guard let box = Box(around: drawing.strokes) else {
            image.update(repeating: 0)
            return
        }
        let scale = box.scale
        draw(drawing, scale: scale, from: box.middle, to: Point(x: middle, y: middle), into: image)
        guard let mass = centreOfMass(image) else { return }
        // Ink may not leave the image, however uneven it is.
        let roomX = middle - box.width * scale / 2 - penRadius
        let roomY = middle - box.height * scale / 2 - penRadius
        let x = middle + min(max(middle - mass.x, -roomX), roomX)
        let y = middle + min(max(middle - mass.y, -roomY), roomY)
        draw(drawing, scale: scale, from: box.middle, to: Point(x: x, y: y), into: image)
    }

    /// Where the ink is, on average; nil without ink.
    static func centreOfMass(_ image: UnsafeMutableBufferPointer<Float>) -> Point? {
        var total: Float = 0
        var sum = Point(x: 0, y: 0)
        for row in 0..<side {
            for column in 0..<side {
                let ink = image[row * side + column]
                total += ink
                sum.x += ink * Float(column)
                sum.y += ink * Float(row)
            }
        }
        return total > 0 ? Point(x: sum.x / total, y: sum.y / total) : nil
    }

    /// Draw with a round pen and soft edges: of each pixel, how much of it lies within the pen's radius of a line.
    private static func draw(
        _ drawing: Drawing, scale: Float, from: Point, to: Point, into image: UnsafeMutableBufferPointer<Float>
    ) {
        image.update(repeating: 0)
        func placed(_ point: Point) -> Point {
            Point(x: (point.x - from.x) * scale + to.x, y: (point.y - from.y) * scale + to.y)
        }
        for stroke in drawing.strokes {
            var start = placed(stroke[0])
            for point in stroke.count > 1 ? stroke[1...] : stroke[0...] {
                let end = placed(point)
                ink(from: start, to: end, into: image)
                start = end
            }
        }
    }

    private static func ink(from a: Point, to b: Point, into image: UnsafeMutableBufferPointer<Float>) {
        let reach = penRadius + 1
        let rows = clamped(min(a.y, b.y) - reach)...clamped(max(a.y, b.y) + reach)
        let columns = clamped(min(a.x, b.x) - reach)...clamped(max(a.x, b.x) + reach)
        for row in rows {
            for column in columns {
                let away = distance(of: Point(x: Float(column), y: Float(row)), from: a, to: b)
                let covered = min(max(penRadius + 0.5 - away, 0), 1)
                let at = row * side + column
                image[at] = max(image[at], covered)
            }
        }
    }

    private static func clamped(_ value: Float) -> Int { Int(min(max(value, 0), Float(side - 1))) }

    private static func distance(of point: Point, from a: Point, to b: Point) -> Float {
        let along = Point(x: b.x - a.x, y: b.y - a.y)
        let length = along.x * along.x + along.y * along.y
        let toPoint = Point(x: point.x - a.x, y: point.y - a.y)
        let part = length > 0 ? min(max((toPoint.x * along.x + toPoint.y * along.y) / length, 0), 1) : 0
        let x = toPoint.x - part * along.x
        let y = toPoint.y - part * along.y
        return (x * x + y * y).squareRoot()
    }

    /// What the points of a drawing lie in.
    private struct Box {
        var low: Point
        var high: Point

        init?(around strokes: [[Point]]) {
            guard let first = strokes.first?.first else { return nil }
            low = first
            high = first
            for point in strokes.joined() {
                low = Point(x: min(low.x, point.x), y: min(low.y, point.y))
                high = Point(x: max(high.x, point.x), y: max(high.y, point.y))
            }
        }

        var width: Float { high.x - low.x }
        var height: Float { high.y - low.y }
        var middle: Point { Point(x: (low.x + high.x) / 2, y: (low.y + high.y) / 2) }

        /// Pixels for a unit of the canvas; a single dot stays one.
        var scale: Float {
            let longest = max(width, height)
            return longest > 0 ? (fitted - 2 * penRadius) / longest : 0
        }
    }
}
