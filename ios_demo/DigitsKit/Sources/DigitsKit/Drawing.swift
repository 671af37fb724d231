/// A place on the canvas; any unit, y downwards.
public struct Point: Equatable, Sendable {
    public var x: Float
    public var y: Float

    public init(x: Float, y: Float) {
        self.x = x
        self.y = y
    }
}

/// What a finger drew, as lines from point to point.
public struct Drawing: Equatable, Sendable {
    public private(set) var strokes: [[Point]] = []

    public init() {}

    public var isEmpty: Bool { strokes.isEmpty }

    /// A finger comes down.
    public mutating func begin(at point: Point) { strokes.append([point]) }

    /// It moves on.
    public mutating func move(to point: Point) {
        if strokes.isEmpty {
            begin(at: point)
        } else {
            strokes[strokes.count - 1].append(point)
        }
    }

    public mutating func clear() { strokes.removeAll(keepingCapacity: true) }
}
