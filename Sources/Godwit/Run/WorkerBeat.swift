// SPDX-License-Identifier: Apache-2.0
import MessagePack

/// What a live worker says of itself every few seconds, as a note in ``NoteFolder/workers``.
public struct WorkerBeat: Sendable, Hashable, Codable {
    /// A run in one of its slots.
    public struct Running: Sendable, Hashable, Codable {
        public var id: String
        public var kind: String
        public var since: Timestamp
        /// Reported failures before.
        public var attempt: Int
        /// When the handler last wrote a checkpoint in this run.
        public var progressedAt: Timestamp?

        public init(
            id: String, kind: String, since: Timestamp, attempt: Int,
            progressedAt: Timestamp? = nil
        ) {
            self.id = id
            self.kind = kind
            self.since = since
            self.attempt = attempt
            self.progressedAt = progressedAt
        }
    }

    /// The worker's part of its tokens, and its name on the board.
    public var number: UInt32
    /// Who it is to people: host and process.
    public var name: String
    /// The version of the program, if it was told.
    public var version: String
    public var queue: String
    /// The kinds it can run; nil: every kind.
    public var kinds: [String]?
    public var slots: Int
    public var busy: Int
    /// Messages it holds, waiting or running.
    public var held: Int
    public var startedAt: Timestamp
    public var leaseMilliseconds: Int64
    /// Runs that ended since it started, and those of them that failed.
    public var finished: Int
    public var failed: Int
    /// It takes nothing new.
    public var isQuiet: Bool
    /// The longest running first, at most ``mostRunning``.
    public var running: [Running]

    public static let mostRunning = 32

    public init(
        number: UInt32, name: String, version: String = "", queue: String, kinds: [String]?,
        slots: Int, busy: Int = 0, held: Int = 0, startedAt: Timestamp, leaseMilliseconds: Int64,
        finished: Int = 0, failed: Int = 0, isQuiet: Bool = false, running: [Running] = []
    ) {
        self.number = number
        self.name = name
        self.version = version
        self.queue = queue
        self.kinds = kinds
        self.slots = slots
        self.busy = busy
        self.held = held
        self.startedAt = startedAt
        self.leaseMilliseconds = leaseMilliseconds
        self.finished = finished
        self.failed = failed
        self.isQuiet = isQuiet
        self.running = running
    }
}

extension WorkerBeat {
    /// Reads a note of ``NoteFolder/workers``, which holds MessagePack; nil when it is none.
    public init?(_ note: Note) {
        guard let beat = try? MessagePackDecoder().decode(WorkerBeat.self, from: note.bytes) else {
            return nil
        }
        self = beat
    }

    /// As it is noted.
    public func bytes() throws -> [UInt8] { try MessagePackEncoder().encode(self) }
}

/// What an operator wants of a worker, as a note in ``NoteFolder/orders`` under its number: the name
/// of the case, as text.
public enum WorkerOrder: String, Sendable, Hashable, Codable {
    /// Take nothing new; go on with what runs, and stay.
    case quiet
    /// Take new messages again.
    case resume
    /// End like on a graceful shutdown.
    case stop
}
