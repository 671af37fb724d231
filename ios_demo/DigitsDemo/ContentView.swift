import DigitsKit
import DigitsModel
import SwiftUI

/// Draw a digit; see what it is, which file says so, and how long that took.
struct ContentView: View {
    @State private var board = Board(bundle: .main)

    var body: some View {
        if let board = Binding($board) {
            BoardView(board: board)
        } else {
            Text("No runtime is linked that can run a model")
        }
    }
}

private struct BoardView: View {
    @Binding var board: Board

    var body: some View {
        VStack(spacing: 16) {
            Picker("Model file", selection: $board.variant) {
                ForEach(board.variants, id: \.self) { Text($0.rawValue) }
            }
            .pickerStyle(.menu)
            DrawingPad(board: $board)
            answer.frame(height: 96)
            facts
            Button("Clear", role: .destructive) { board.clear() }
                .disabled(board.drawing.isEmpty)
        }
        .padding()
    }

    @ViewBuilder private var answer: some View {
        if let problem = board.problem {
            Text(problem).foregroundStyle(.red)
        } else if let reading = board.reading {
            HStack(alignment: .firstTextBaseline, spacing: 12) {
                Text(reading.label).font(.system(size: 72, weight: .bold, design: .rounded))
                Text(reading.probability, format: .percent.precision(.fractionLength(1))).font(.title2)
            }
            .accessibilityElement(children: .combine)
        } else {
            Text("Draw a digit").foregroundStyle(.secondary)
        }
    }

    private var facts: some View {
        VStack {
            if let reading = board.reading {
                Text(reading.latency, format: .units(allowed: [.milliseconds], fractionalPart: .show(length: 2)))
            }
            Text("\(board.variant.file), \(board.variant.precision), \(board.variant.bytes) bytes")
            Text("\(board.variant.runtime.rawValue) on \(board.accelerator ?? "nothing"); model \(Digits.modelVersion)")
        }
        .font(.footnote.monospacedDigit())
        .foregroundStyle(.secondary)
    }
}
