import DigitsModel
import Foundation

/// What the app shows: a drawing, which file reads it, and what it read.
public struct Board {
    /// The files that can be run here.
    public let variants: [Digits.Variant]
    public private(set) var drawing = Drawing()
    public private(set) var reading: Reading?
    /// What went wrong, in a sentence.
    public private(set) var problem: String?
    /// Which file reads. Another one reads the same drawing again.
    public var variant: Digits.Variant {
        didSet { open() }
    }

    private let bundle: Bundle
    private var reader: DigitReader?

    /// With models among the resources of `bundle`; nil where no runtime is linked that could run one.
    public init?(bundle: Bundle) {
        variants = Digits.available()
        guard let first = variants.first else { return nil }
        self.bundle = bundle
        variant = first
        open()
    }

    /// What computes: the runtime's name for it.
    public var accelerator: String? { reader?.model.accelerator }

    public mutating func begin(at point: Point) {
        drawing.begin(at: point)
        read()
    }

    public mutating func move(to point: Point) {
        drawing.move(to: point)
        read()
    }

    public mutating func clear() {
        drawing.clear()
        reading = nil
    }

    private mutating func open() {
        reader?.model.close()
        reader = nil
        do {
            reader = try DigitReader(variant, in: bundle)
            problem = nil
        } catch {
            fail(error)
        }
        read()
    }

    private mutating func read() {
        guard let reader, !drawing.isEmpty else { return }
        do {
            reading = try reader.read(drawing)
            problem = nil
        } catch {
            fail(error)
        }
    }

    private mutating func fail(_ error: any Error) {
        problem = error.localizedDescription
        reading = nil
    }
}
