// Made by mobile-export from the target "ios". Changes will be overwritten.

extension Digits {
    /// What raw values go through: (raw * scale - mean) / std, of the last dimension backwards where it is `reversed`.
    ///
    /// `mean` and `std` have one value, or one for each channel in the model's order.
    struct Preprocessing {
        let scale: Double
        let mean: [Double]
        let std: [Double]
        let reversed: Bool
    }

    /// The memory of a file's edges, and how values get there from tensors and back.
    struct Edges {
        private(set) var inputs: [Memory] = []
        private(set) var outputs: [Memory] = []
        /// What is left to do around each run, where an edge does not hold just what its tensor holds.
        private var before: [() -> Void] = []
        private var after: [() -> Void] = []

        // By index: an array's iterator is allocated where the optimizer is off.
        func beforeRun() {
            for index in 0..<before.count { before[index]() }
        }

        func afterRun() {
            for index in 0..<after.count { after[index]() }
        }

        /// An input whose edge takes its values as they are.
        mutating func input<Element>(_ edge: Edge, _ shape: [Int]) -> Tensor<Element> {
            let tensor = Tensor<Element>(name: edge.name, shape: shape)
            inputs.append(tensor.memory(edge.elementType))
            return tensor
        }

        /// An output whose edge gives its values as they are.
        mutating func output<Element>(_ edge: Edge, _ shape: [Int]) -> Tensor<Element> {
            let tensor = Tensor<Element>(name: edge.name, shape: shape)
            outputs.append(tensor.memory(edge.elementType))
            return tensor
        }

        /// An input of real values, which are preprocessed and quantized on their way to an edge that wants it.
        mutating func realInput<Value: BinaryFloatingPoint>(
            _ edge: Edge, _ shape: [Int], _ preprocessing: Preprocessing? = nil
        ) -> Tensor<Value> {
            let tensor = Tensor<Value>(name: edge.name, shape: shape)
            var ready = tensor
            if let preprocessing {
                ready = Tensor<Value>(name: edge.name, shape: shape)
                before.append { [ready] in preprocessing.apply(tensor, to: ready) }
            }
            switch edge.elementType {
            case .int8: inputs.append(quantize(ready, Int8.self, edge))
            case .int16: inputs.append(quantize(ready, Int16.self, edge))
            case .int32: inputs.append(quantize(ready, Int32.self, edge))
            case .uint8: inputs.append(quantize(ready, UInt8.self, edge))
            case .uint16: inputs.append(quantize(ready, UInt16.self, edge))
            default: inputs.append(ready.memory(edge.elementType))
            }
            return tensor
        }

        /// An output of real values, which are made of the edge's integers where it has them.
        mutating func realOutput<Value: BinaryFloatingPoint>(_ edge: Edge, _ shape: [Int]) -> Tensor<Value> {
            let tensor = Tensor<Value>(name: edge.name, shape: shape)
            switch edge.elementType {
            case .int8: outputs.append(dequantize(tensor, Int8.self, edge))
            case .int16: outputs.append(dequantize(tensor, Int16.self, edge))
            case .int32: outputs.append(dequantize(tensor, Int32.self, edge))
            case .uint8: outputs.append(dequantize(tensor, UInt8.self, edge))
            case .uint16: outputs.append(dequantize(tensor, UInt16.self, edge))
            default: outputs.append(tensor.memory(edge.elementType))
            }
            return tensor
        }

        /// Before each run: integer = round(real / scale) + zeroPoint, halves to even, kept within the type.
        private mutating func quantize<Value: BinaryFloatingPoint, Stored: FixedWidthInteger>(
            _ tensor: Tensor<Value>, _: Stored.Type, _ edge: Edge
        ) -> Memory {
            let stored = Tensor<Stored>(name: edge.name, shape: tensor.shape)
            let scale = edge.scale ?? 1, zeroPoint = Double(edge.zeroPoint)
            let least = Double(Stored.min), most = Double(Stored.max)
            before.append {
                for index in 0..<tensor.count {
                    let integer = (Double(tensor[index]) / scale).rounded(.toNearestOrEven) + zeroPoint
                    // No comparison holds for NaN, which becomes the least.
                    stored[index] = Stored(integer > least ? (integer < most ? integer : most) : least)
                }
            }
            return stored.memory(edge.elementType)
        }

        /// After each run: real = scale * (integer - zeroPoint).
        private mutating func dequantize<Value: BinaryFloatingPoint, Stored: FixedWidthInteger>(
            _ tensor: Tensor<Value>, _: Stored.Type, _ edge: Edge
        ) -> Memory {
            let stored = Tensor<Stored>(name: edge.name, shape: tensor.shape)
            let scale = Float(edge.scale ?? 1), zeroPoint = edge.zeroPoint
            after.append {
                for index in 0..<tensor.count {
                    tensor[index] = Value(scale * Float(Int(stored[index]) - zeroPoint))
                }
            }
            return stored.memory(edge.elementType)
        }
    }
}

extension Digits.Preprocessing {
    /// Fills a tensor with what the model takes for raw values.
    func apply<Value: BinaryFloatingPoint>(_ raw: Digits.Tensor<Value>, to ready: Digits.Tensor<Value>) {
        let channels = raw.shape.last ?? 1
        for channel in 0..<channels {
            let scale = Value(self.scale)
            let mean = Value(self.mean[self.mean.count > 1 ? channel : 0])
            let std = Value(self.std[self.std.count > 1 ? channel : 0])
            let source = reversed ? channels - 1 - channel : channel
            for start in stride(from: 0, to: raw.count, by: channels) {
                ready[start + channel] = (raw[start + source] * scale - mean) / std
            }
        }
    }
}

extension Digits.Tensor {
    /// The memory as an engine gets it.
    func memory(_ elementType: Digits.ElementType) -> Digits.Memory {
        Digits.Memory(
            name: name, elementType: elementType, shape: shape, bytes: UnsafeMutableRawBufferPointer(values), owner: self)
    }
}
