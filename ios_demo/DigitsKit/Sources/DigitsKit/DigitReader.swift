import DigitsModel
import Foundation

/// What the model makes of a drawing.
public struct Reading: Equatable, Sendable {
    /// The likeliest class, and how likely it is, from 0 to 1.
    public let label: String
    public let probability: Float
    /// How long the model took.
    public let latency: Duration
}

/// Reads drawn digits with one file of the model.
public final class DigitReader {
    /// The generated class: its buffers, its session and what is known of its file.
    public let model: Digits

    /// Opens a file among the resources of `bundle`.
    public init(_ variant: Digits.Variant, in bundle: Bundle) throws {
        model = try Digits(variant, bundle: bundle)
    }

    /// Draws into the model's own input, and runs it.
    public func read(_ drawing: Drawing) throws -> Reading {
        DigitImage.render(drawing, into: model.image.values)
        let latency = try ContinuousClock().measure { try model.run() }
        return Reading(label: model.best.label, probability: model.best.probability, latency: latency)
    }
}
