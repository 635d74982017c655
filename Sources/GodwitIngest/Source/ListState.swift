// SPDX-License-Identifier: Apache-2.0
package import Godwit

/// What a source that looks at a listing again and again knows of it: a value that decides which
/// objects to announce.
///
/// An object is announced once it was there in `looks` passes in a row with the same size and etag: two
/// for a directory, where a file grows in sight; one for a store where objects appear whole. An object
/// is its key, size and etag: changed, it is another one; the same one is not announced twice.
package struct ListState: Sendable {
    package struct Item: Sendable, Hashable {
        package var id: MessageID
        package var info: ObjectInfo
        package var count: Int
        /// What a verdict put in the place of the announcement.
        package var body: String?
    }

    private enum Stage: Sendable {
        case seen
        case waiting(until: Timestamp, body: String?)
        case handled
        case settled
    }

    private struct Known: Sendable {
        var pass: UInt64
        var looks: Int
        var count = 0
        var stage: Stage
    }

    private let looks: Int
    private var known: [MessageID: Known] = [:]
    private var pass: UInt64 = 1
    /// Found in the last pages and not announced yet.
    private var ready: [Item] = []

    package init(looks: Int) { self.looks = max(1, looks) }

    package static func id(of info: ObjectInfo) -> MessageID {
        MessageID(
            hashOf: ["object", info.key, "\(info.size)", info.etag, info.versionID ?? ""])
    }

    /// Takes in a page of the listing.
    package mutating func listed(_ page: [ObjectInfo], at now: Timestamp) {
        for info in page {
            let id = Self.id(of: info)
            var one = known[id] ?? Known(pass: 0, looks: 0, stage: .seen)
            if one.pass != pass {
                // Why: one that was away for a pass is looked at anew.
                one.looks = one.pass == pass - 1 ? one.looks + 1 : 1
                one.pass = pass
            }
            switch one.stage {
            case .seen where one.looks >= looks:
                one.count += 1
                one.stage = .handled
                ready.append(Item(id: id, info: info, count: one.count))
            case .waiting(let until, let body) where until <= now:
                one.count += 1
                one.stage = .handled
                ready.append(Item(id: id, info: info, count: one.count, body: body))
            case .seen, .waiting, .handled, .settled: break
            }
            known[id] = one
        }
    }

    /// The listing is through: what was not in it is forgotten, unless it is being handled.
    package mutating func endPass() {
        known = known.filter { _, one in
            if case .handled = one.stage { return true }
            return one.pass == pass
        }
        pass += 1
    }

    package mutating func next() -> Item? { ready.isEmpty ? nil : ready.removeFirst() }

    package mutating func settled(_ id: MessageID, _ verdict: SourceVerdict, at now: Timestamp) {
        switch verdict {
        case .done, .dead: known[id]?.stage = .settled
        case .later(let after, _): known[id]?.stage = .waiting(until: now + after, body: nil)
        case .replace(let body, let after, _):
            known[id]?.stage = .waiting(until: now + after, body: body)
        }
    }
}
