// SPDX-License-Identifier: Apache-2.0
import Godwit
import MessagePack

/// What the watch on duty knows beyond one look, and what of it stands on the board.
struct AlertMemory: Sendable {
    var judge: AlertJudge
    /// Dead letters from before are nobody's news: the store was watched from here on.
    var since: Timestamp
    /// Decided on and not yet known to be enqueued.
    var waiting: [AlertMessage] = []
    var eyes: [QueueName: AlertEyes] = [:]
    /// As they stand on the board.
    var keptEyes: [QueueName: AlertEyes] = [:]
    /// The version of the note with the decisions; nil: there is none.
    var version: Int64?
    var kept: Decisions?

    /// The most messages that wait for a store that does not take them.
    static let mostWaiting = 100

    /// The part that must be written in one step.
    struct Decisions: Sendable, Hashable, Codable {
        var since: Timestamp
        var sent: [Timestamp]
        var digestAt: Timestamp?
        var waiting: [AlertMessage]
    }

    var decisions: Decisions {
        Decisions(since: since, sent: judge.sent, digestAt: judge.digestAt, waiting: waiting)
    }
}

extension AlertWatch {
    private static let decisionsName = "alerts"
    private static func eyesName(_ queue: QueueName) -> String { "alerts.\(queue)" }

    /// Goes on where the last holder of the duty left off.
    func load() async throws(BrokerError) {
        let board = broker.board
        let note = try await board.note(Self.decisionsName, in: .state)
        let kept = note.flatMap {
            try? MessagePackDecoder().decode(AlertMemory.Decisions.self, from: $0.bytes)
        }
        let groups = try await GroupShelf.load(from: board).values.flatMap(\.groups)
        var judge = AlertJudge(groups: groups, sent: kept?.sent ?? [], digestAt: kept?.digestAt)
        for message in kept?.waiting ?? [] { judge.remember(message) }
        // Why ten minutes: who starts the first watch after an accident wants to hear of it.
        var memory = AlertMemory(judge: judge, since: kept?.since ?? now - .seconds(600))
        memory.waiting = kept?.waiting ?? []
        memory.version = note?.version
        memory.kept = kept
        self.memory = memory
        lastCounts = [:]
    }

    func eyes(of queue: QueueName) async throws(BrokerError) -> AlertEyes {
        if let eyes = memory?.eyes[queue] { return eyes }
        let note = try await broker.board.note(Self.eyesName(queue), in: .state)
        let eyes = note.flatMap { try? MessagePackDecoder().decode(AlertEyes.self, from: $0.bytes) }
        memory?.keptEyes[queue] = eyes
        return eyes ?? AlertEyes()
    }

    /// Writes what was decided, if nobody else has; gives the duty up when somebody has.
    func keepDecisions() async throws(BrokerError) {
        guard var memory, memory.decisions != memory.kept else { return }
        var bytes = encoded(memory.decisions)
        // Over the bound of a note the oldest that wait are left out of it: only a crash loses them.
        while bytes.count > BoardLimits.noteBytes, !memory.waiting.isEmpty {
            memory.waiting.removeFirst(max(1, memory.waiting.count / 4))
            bytes = encoded(memory.decisions)
        }
        let isKept = try await broker.board.write(
            bytes, as: Self.decisionsName, in: .state, for: nil,
            if: memory.version.map { .version($0) } ?? .absent)
        let note = isKept ? try await broker.board.note(Self.decisionsName, in: .state) : nil
        // Why the bytes too: between the two calls somebody else may have written.
        guard isKept, note == nil || note?.bytes == bytes else { return giveUp() }
        self.memory?.version = note?.version
        self.memory?.kept = memory.decisions
    }

    /// Writes the groups and places in queues that changed. Crash halfway: letters of the last look are
    /// counted again, and told of by the same ids.
    func keepDetails() async throws(BrokerError) {
        guard let judge = memory?.judge else { return }
        var shelves: [Int: [AlertGroup]] = [:]
        for key in judge.changed { shelves[GroupShelf.number(of: key)] = [] }
        if !shelves.isEmpty {
            for group in judge.groups.values {
                shelves[GroupShelf.number(of: group.key)]?.append(group)
            }
        }
        for (number, groups) in shelves {
            if groups.isEmpty {
                try await broker.board.erase(GroupShelf.name(number), in: .groups, if: .any)
            } else {
                try await broker.board.write(
                    GroupShelf.bytes(of: groups), as: GroupShelf.name(number), in: .groups,
                    for: nil, if: .any)
            }
        }
        memory?.judge.changed = []
        for (queue, eyes) in memory?.eyes ?? [:] where memory?.keptEyes[queue] != eyes {
            var bytes = encoded(eyes)
            if bytes.count > BoardLimits.noteBytes {
                // Why: rates that begin anew after a crash are better than a watch that stops.
                var shorter = eyes
                shorter.deaths = [:]
                bytes = encoded(shorter)
            }
            try await broker.board.write(
                bytes, as: Self.eyesName(queue), in: .state, for: nil, if: .any)
            memory?.keptEyes[queue] = eyes
        }
    }

    private func encoded(_ value: some Encodable) -> [UInt8] {
        // What is encoded here are plain values; an empty note reads as none.
        (try? MessagePackEncoder().encode(value)) ?? []
    }
}
