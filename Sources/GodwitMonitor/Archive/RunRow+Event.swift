// SPDX-License-Identifier: Apache-2.0
public import Godwit

extension RunRow {
    /// The run that an event ended; nil for a redrive, which ends none.
    ///
    /// What the row holds comes from the token, which is the same however often the event is read:
    /// a row made twice is the same row.
    public init?(_ event: Event, in queue: QueueName, kinds: KindNames) {
        guard event.move != .redrive else { return nil }
        let token = event.token
        let entry = token.entry
        let kind = kinds[entry.kindHash]
        let executedAt = token.executedAt
        let hasRun = executedAt.milliseconds > 0
        let reason = event.text.isEmpty ? "" : event.text.cleanedForHistory
        self.init(
            id: entry.id, generation: entry.generation, run: entry.epoch, queue: queue.text,
            kind: kind, verdict: event.move, attempt: entry.attempt, lost: entry.lost,
            count: hasRun && entry.count < .max ? entry.count + 1 : entry.count,
            worker: hasRun ? token.worker : 0, insertedAt: entry.insertedAt,
            readyAt: entry.readyAt, executedAt: hasRun ? executedAt : nil, finishedAt: event.at,
            reason: reason, fingerprint: "")
        guard isFailure else { return }
        // Why the move's name: a lost lease has nobody who could give a reason.
        fingerprint =
            Fingerprint(kind: kind, reason: reason.isEmpty ? verdict.rawValue : reason).id
    }
}

/// The wire names of a queue's kinds, by their hashes.
public struct KindNames: Sendable {
    private var names: [UInt32: String] = [:]

    public init(_ kinds: [KindCount] = []) {
        for kind in kinds { names[kind.hash] = kind.kind.cleanedForHistory }
    }

    public func knows(_ hash: UInt32) -> Bool { names[hash] != nil }

    /// The name; `#` and the hash in hex where it is not known.
    public subscript(_ hash: UInt32) -> String {
        if let name = names[hash] { return name }
        let digits = String(hash, radix: 16)
        return "#" + String(repeating: "0", count: 8 - digits.count) + digits
    }
}

extension LeaseToken {
    /// Who asked for it: the first four bytes of the nonce.
    var worker: UInt32 {
        withUnsafeBytes { UInt32(bigEndian: $0.loadUnaligned(fromByteOffset: 48, as: UInt32.self)) }
    }
}

extension String {
    /// At most 200 bytes, with a space in place of each control byte: text from jobs goes on to
    /// databases, terminals and pages.
    var cleanedForHistory: String {
        var copy = self
        let isClean = copy.withUTF8 { bytes in
            bytes.count <= 200 && bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != 0xC2 }
        }
        if isClean { return copy }
        var out = String.UnicodeScalarView()
        for scalar in unicodeScalars.prefix(200) {
            out.append(scalar.properties.generalCategory == .control ? " " : scalar)
        }
        return String(out).cut(to: 200)
    }
}
