// SPDX-License-Identifier: Apache-2.0

/// A store that can say of itself whether it is fit for a queue.
public protocol Diagnosable: Sendable {
    /// Looks at versions and settings that matter for what the queue promises; reads only.
    ///
    /// Never throws: a store that can't be asked is a finding of its own.
    func diagnose() async -> [Diagnosis]
}

/// One finding about a store, as a sentence for the one who runs it.
public struct Diagnosis: Sendable, Hashable, Codable {
    /// What the reader should do about it.
    public enum Grade: String, Sendable, Hashable, Codable {
        /// As it should be.
        case good
        /// Works, and is good to know.
        case note
        /// A promise may be broken: act.
        case problem
    }

    public var grade: Grade
    /// What was looked at, for example `journal mode`.
    public var subject: String
    /// What was found there, for example `wal`.
    public var finding: String
    /// What it means and, unless it is good, what to do.
    public var sentence: String

    public init(_ grade: Grade, _ subject: String, _ finding: String, _ sentence: String) {
        self.grade = grade
        self.subject = subject
        self.finding = finding
        self.sentence = sentence
    }
}
