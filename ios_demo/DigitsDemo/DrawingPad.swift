import DigitsKit
import SwiftUI

/// A square to draw on with a finger; what is drawn is the board's.
struct DrawingPad: View {
    @Binding var board: Board
    /// Where the stroke began that is being drawn; a drag that the system cancels has no end of its own.
    @State private var began: CGPoint?

    var body: some View {
        Canvas { context, size in
            for stroke in board.drawing.strokes {
                var path = Path()
                path.move(to: CGPoint(stroke[0]))
                // A line to where it began shows a dot.
                for point in stroke.count > 1 ? stroke[1...] : stroke[0...] { path.addLine(to: CGPoint(point)) }
                let pen = StrokeStyle(lineWidth: size.width / 12, lineCap: .round, lineJoin: .round)
                context.stroke(path, with: .color(.primary), style: pen)
            }
        }
        .background(.quaternary, in: RoundedRectangle(cornerRadius: 16))
        .aspectRatio(1, contentMode: .fit)
        .gesture(
            DragGesture(minimumDistance: 0)
                .onChanged { drag in
                    let point = Point(x: Float(drag.location.x), y: Float(drag.location.y))
                    if drag.startLocation == began {
                        board.move(to: point)
                    } else {
                        began = drag.startLocation
                        board.begin(at: point)
                    }
                }
                .onEnded { _ in began = nil }
        )
        .accessibilityLabel("Drawing area")
    }
}

extension CGPoint {
    fileprivate init(_ point: Point) { self.init(x: CGFloat(point.x), y: CGFloat(point.y)) }
}
