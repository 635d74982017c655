// SPDX-License-Identifier: Apache-2.0

/// One algorithm of the pipeline: what it makes of a track. The place to add your own.
///
/// Its output is stored under a key made of the input's hash, its name, its version and its options,
/// and whoever finds that key does not run it again: so a run must give the same for the same input.
/// A crash half way leaves nothing; the next run starts over, or where its checkpoint says.
public protocol IngestTask: Sendable {
    associatedtype Output: Codable & Sendable

    /// Part of the stored key: set it once.
    static var name: String { get }
    /// Raise it when output bytes may change: results of an older version are left and made anew.
    static var version: Int { get }
    /// Everything in the settings that the output depends on, in a form that stays the same: it is
    /// hashed into the stored key.
    var options: String { get }

    /// False for a task that works on what others stored: then the object is not fetched for it.
    static var needsFile: Bool { get }

    /// What a run takes of this machine, for admission.
    func cost(of track: Track) -> Cost

    /// Makes the output. Throws ``TaskFailure`` to say what becomes of the track; anything else is
    /// tried again by the stage's policy.
    func run(_ track: Track, in work: Workspace) async throws -> Output
}

extension IngestTask {
    public static var needsFile: Bool { true }
    public var options: String { "" }
    public func cost(of track: Track) -> Cost { Cost(cpuSlots: 1, tempBytes: track.size) }
}

/// What a run takes while it runs.
public struct Cost: Sendable, Hashable {
    public var cpuSlots: Int
    /// Bytes in the folder for temporary files, the fetched input included.
    public var tempBytes: UInt64

    public init(cpuSlots: Int, tempBytes: UInt64) {
        self.cpuSlots = cpuSlots
        self.tempBytes = tempBytes
    }
}

/// What becomes of a track whose task failed, in the design's classes.
public enum TaskFailure: Error, Sendable, Hashable {
    /// No audio, broken, not a format that is let in: to the dead letters at once.
    case mediaInvalid(String)
    /// Longer, larger or slower than allowed: to the dead letters at once.
    case mediaLimit(String)
    /// The object is not there any more: done, with a note.
    case gone(String)
    /// Try again by the stage's policy.
    case retry(String)
    /// Something is not set up (403, no encoder): try again slowly, and tell somebody.
    case config(String)
}
