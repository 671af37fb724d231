extension Digits {
    /// The likeliest class of the last run, and how likely it is, from 0 to 1.
    public var best: (label: String, probability: Float) {
        let answers = probabilities.values
        let index = answers.indices.max { answers[$0] < answers[$1] } ?? 0
        return (Digits.probabilitiesLabels[index], answers[index])
    }
}
