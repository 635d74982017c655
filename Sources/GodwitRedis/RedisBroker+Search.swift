// SPDX-License-Identifier: Apache-2.0
public import Godwit
import RedisClient

extension RedisBroker {
    public func search(
        _ plan: QueryPlan, after cursor: PageCursor?, budget: SearchBudget
    ) async throws(BrokerError) -> SearchPage {
        try await run(plan, after: cursor, budget)
    }
}

/// A slice walks one sorted set or list by ranks, refuses what it can by the entries that stand
/// there, and reads records and then bodies only of the rest. No text of a query goes into a key,
/// a pattern or a script: all that is sent is ranks, scores, and members that the server gave us.
extension RedisBroker: SearchSource {
    package func slice(_ step: SearchStep) async throws(BrokerError) -> SearchSlice {
        var look = RedisLook(
            step: step, what: "search '\(step.queue)'", queue: book(step.queue), kinds: [:])
        look.kinds = try await kinds(of: step.queue, look.what)
        switch step.walk {
        case .leased: return try await sortedSlice(.leased, "le", look, Int64.min...Int64.max)
        case .scheduled: return try await sortedSlice(.scheduled, "d", look, step.plan.due)
        case .dead: return try await sortedSlice(.dead, "x", look, step.plan.finished)
        case .ready: return try await readySlice(look)
        case .ended: return try await endedSlice(look)
        }
    }

    package func searchTime() -> Timestamp { time.now() }

    package var location: String { failure.location }

    // MARK: Sorted sets

    private func sortedSlice(
        _ state: MessageState, _ set: StaticString, _ look: RedisLook, _ times: ClosedRange<Int64>
    ) async throws(BrokerError) -> SearchSlice {
        let key = look.queue.keys.key(set)
        let isDown = state == .dead
        let start = try await firstRank(of: look, key, isDown, times)
        let want = min(look.step.records, Self.sliceRecords)
        var words = ["ZRANGE", key, "\(start)", "\(start + want)"]
        if isDown { words.append("REV") }
        words.append("WITHSCORES")
        let rows = Self.rows(try await value(of: RedisCommand(words), look.what))
        var candidates: [Candidate] = []
        var isOver = rows.count <= want
        for row in rows.prefix(want) {
            let score = row.score.milliseconds
            if isDown ? score < times.lowerBound : score > times.upperBound {
                isOver = true
                break
            }
            guard let entry = row.member.withUnsafeBytes({ Entry(bytes: $0) }) else {
                throw failure.unreadable(look.what)
            }
            var candidate = Candidate(
                id: row.member.prefix(16), state: state, entry: entry, time: row.score,
                cursor: "\(score).\(Hex.string(row.member))")
            if state == .leased {
                candidate.token = row.member.withUnsafeBytes { LeaseToken(bytes: $0) }
            }
            candidates.append(candidate)
        }
        return try await judge(candidates, isLast: isOver, look)
    }

    /// Where the walk goes on, or else where its times begin. Where the member of a cursor is gone
    /// meanwhile, it goes on with what has its score.
    private func firstRank(
        of look: RedisLook, _ key: String, _ isDown: Bool, _ times: ClosedRange<Int64>
    ) async throws(BrokerError) -> Int {
        let parts = look.step.after?.split(separator: ".") ?? []
        if parts.count == 2, let score = Int64(parts[0]), let member = Self.bytes(ofHex: parts[1]) {
            var rank = RedisCommand(isDown ? "ZREVRANK" : "ZRANK", capacity: 192)
            rank.append(key)
            rank.append(member)
            let before = RedisCommand(
                isDown
                    ? ["ZCOUNT", key, "(\(score)", "+inf"] : ["ZCOUNT", key, "-inf", "(\(score)"])
            let values = try await values(of: [rank, before], look.what)
            return values.first?.int.map { $0 + 1 } ?? values.last?.int ?? 0
        }
        if isDown, times.upperBound < .max {
            let before = RedisCommand(["ZCOUNT", key, "(\(times.upperBound)", "+inf"])
            return try await value(of: before, look.what).int ?? 0
        }
        if !isDown, times.lowerBound > .min {
            let before = RedisCommand(["ZCOUNT", key, "-inf", "(\(times.lowerBound)"])
            return try await value(of: before, look.what).int ?? 0
        }
        return 0
    }

    // MARK: Ready

    /// A cursor is list and place; what left the head meanwhile shifts it.
    private func readySlice(_ look: RedisLook) async throws(BrokerError) -> SearchSlice {
        let wanted = look.step.plan.kinds
        let kinds = look.kinds.filter { wanted?.contains($0.value) ?? true }
        var lists = Self.lists(of: kinds.keys)[...]
        var place = 0
        let parts = look.step.after?.split(separator: ".").compactMap { Int($0) } ?? []
        if parts.count == 4 {
            let rest = lists.drop {
                !(Int($0.band) == parts[0] && Int($0.kind) == parts[1]
                    && $0.suspects == (parts[2] == 1))
            }
            // A list that is not there is of no walk: begin anew.
            if !rest.isEmpty {
                lists = rest
                place = max(0, parts[3])
            }
        }
        var lengths: [RedisCommand] = []
        for item in lists {
            var command = RedisCommand("LLEN", capacity: 128)
            look.queue.keys.appendList(
                band: item.band, kind: item.kind, suspects: item.suspects, to: &command)
            lengths.append(command)
        }
        let counts = try await values(of: lengths, look.what).map { $0.int ?? 0 }
        let want = min(look.step.records, Self.sliceRecords)
        var candidates: [Candidate] = []
        var isLast = true
        for (item, count) in zip(lists, counts) {
            while place < count, candidates.count < want {
                var range = RedisCommand("LRANGE", capacity: 160)
                look.queue.keys.appendList(
                    band: item.band, kind: item.kind, suspects: item.suspects, to: &range)
                range.append(place)
                range.append(place + want - candidates.count - 1)
                let entries =
                    try await value(of: range, look.what).elements?.compactMap(\.bytes) ?? []
                if entries.isEmpty { break }
                for bytes in entries {
                    guard let entry = bytes.withUnsafeBytes({ Entry(bytes: $0) }) else {
                        throw failure.unreadable(look.what)
                    }
                    place += 1
                    candidates.append(
                        Candidate(
                            id: bytes.prefix(16), state: .ready, entry: entry,
                            cursor: "\(item.band).\(item.kind).\(item.suspects ? 1 : 0).\(place)"))
                }
            }
            if place < count {
                isLast = candidates.count < want
                if !isLast { break }
            }
            place = 0
        }
        // Why: a list behind may still hold something; the next slice sees that it does not.
        if candidates.count >= want { isLast = false }
        return try await judge(candidates, isLast: isLast, look)
    }

    // MARK: Ended

    /// From the end of the list `c`; a cursor is the number of the ending that was looked at last.
    private func endedSlice(_ look: RedisLook) async throws(BrokerError) -> SearchSlice {
        let key = look.queue.keys.key("c")
        let want = min(look.step.records, Self.sliceRecords)
        var index = try await value(of: RedisCommand(["LLEN", key]), look.what).int ?? 0
        var before = Int.max
        if let after = look.step.after.flatMap({ Int($0) }) {
            if after <= 0 { return SearchSlice() }
            before = after
            index = min(index, try await firstElement(endingAfter: after - 1, key, look.what) + 1)
        }
        var candidates: [Candidate] = []
        while index > 0, candidates.count < want {
            let first = max(0, index - 16)
            let range = RedisCommand(["LRANGE", key, "\(first)", "\(index - 1)"])
            let elements = try await value(of: range, look.what).elements?.compactMap(\.bytes) ?? []
            if elements.isEmpty { break }
            index = first
            for element in elements.reversed() {
                let number = Int(element.number(at: 0, bytes: 6))
                let count = max(0, (element.count - 13) / 16)
                let state: MessageState =
                    switch UInt8(truncatingIfNeeded: element.number(at: 12, bytes: 1)) {
                    case UInt8(ascii: "a"): .completed
                    case UInt8(ascii: "k"): .cancelled
                    default: .forwarded
                    }
                for offset in stride(from: min(count, before - number) - 1, through: 0, by: -1) {
                    candidates.append(
                        Candidate(
                            id: element.dropFirst(13 + 16 * offset).prefix(16), state: state,
                            time: element.timestamp(at: 6), cursor: "\(number + offset)"))
                }
            }
        }
        return try await judge(
            Array(candidates.prefix(want)), isLast: index == 0 && candidates.count <= want, look)
    }

    // MARK: Judging

    /// What was found at a place; the entry is in the record where the place has none.
    private struct Candidate {
        var id: ArraySlice<UInt8>
        var state: MessageState
        var entry: Entry?
        var token: LeaseToken?
        /// Due, deadline, or when it ended.
        var time: Timestamp?
        /// To go on behind it.
        var cursor: String
    }

    /// Records read at once.
    private static let detailBatch = 128

    /// Goes through candidates in their order until the page is full.
    private func judge(
        _ candidates: [Candidate], isLast: Bool, _ look: RedisLook
    ) async throws(BrokerError) -> SearchSlice {
        var slice = SearchSlice()
        var rest = candidates[...]
        var bytes = 0
        while !rest.isEmpty {
            if slice.found.count >= look.step.messages || bytes >= look.step.bytes {
                slice.next =
                    slice.scanned > 0 ? candidates[slice.scanned - 1].cursor : look.step.after
                return slice
            }
            let batch = batch(of: rest, look)
            let records = try await records(of: batch, look)
            for record in records {
                if slice.found.count >= look.step.messages { break }
                slice.scanned += 1
                rest = rest.dropFirst()
                guard var record else { continue }
                bytes += record.body?.count ?? 0
                if look.step.matches(record) {
                    record.body = nil
                    slice.found.append(record)
                }
            }
        }
        if !isLast { slice.next = candidates.last?.cursor }
        return slice
    }

    /// So many that those whose record must be read are at most ``detailBatch``, and their bodies, if
    /// they are read, stay within a batch's bytes, but for one.
    private func batch(of rest: ArraySlice<Candidate>, _ look: RedisLook) -> ArraySlice<Candidate> {
        var count = 0
        var read = 0
        var bytes = 0
        for candidate in rest {
            if mayMatch(candidate, look) {
                let bound = look.step.matcher.stage == .body ? candidate.entry?.sizeBound ?? 0 : 0
                if read == Self.detailBatch || (read > 0 && bytes + bound > limits.batchBytes) {
                    break
                }
                read += 1
                bytes += bound
            }
            count += 1
        }
        return rest.prefix(count)
    }

    /// By its place alone.
    private func mayMatch(_ candidate: Candidate, _ look: RedisLook) -> Bool {
        guard let entry = candidate.entry else {
            return look.step.plan.states.contains(candidate.state)
                && candidate.time.map { look.step.plan.finished.contains($0.milliseconds) } ?? true
        }
        var record = MessageRecord(
            state: candidate.state, entry: entry, kind: look.kinds[entry.kindHash], count: 0)
        switch candidate.state {
        case .scheduled: record.dueAt = candidate.time
        case .leased: record.leaseDeadline = candidate.time
        default: record.finishedAt = candidate.time
        }
        return look.step.mayMatch(record)
    }

    /// The records of a batch, with bodies where the query asks for them; nil for what can't match
    /// or is no more.
    private func records(
        of batch: ArraySlice<Candidate>, _ look: RedisLook
    ) async throws(BrokerError) -> [MessageRecord?] {
        let batch = Array(batch)
        var records = [MessageRecord?](repeating: nil, count: batch.count)
        let wanted = batch.indices.filter { mayMatch(batch[$0], look) }
        if wanted.isEmpty { return records }
        let stored = try await details(wanted.map { batch[$0].id }, in: look.queue, look.what)
        for (index, stored) in zip(wanted, stored) {
            records[index] = message(batch[index], stored, look)
        }
        var alive = wanted.filter { index in
            records[index].map { look.step.matcher.matches($0, in: look.step.queue, at: .record) }
                ?? false
        }
        for index in wanted where !alive.contains(index) { records[index] = nil }
        // A tombstone in a list has an empty body.
        let isReady = look.step.walk == .ready
        let needsBody = look.step.matcher.stage == .body
        alive.removeAll { batch[$0].state.hasEnded }
        guard !alive.isEmpty, isReady || needsBody else { return records }
        if !needsBody {
            let lengths = alive.map { index in
                var command = RedisCommand("HSTRLEN", capacity: 128)
                command.append(look.queue.keys.key("p"))
                command.append(batch[index].id)
                return command
            }
            for (index, length) in zip(alive, try await values(of: lengths, look.what))
            where length.int ?? 0 == 0 { records[index] = nil }
            return records
        }
        var command = RedisCommand("HMGET", capacity: 64 + 24 * alive.count)
        command.append(look.queue.keys.key("p"))
        for index in alive { command.append(batch[index].id) }
        let bodies = try await value(of: command, look.what).elements ?? []
        guard bodies.count == alive.count else { throw failure.unreadable(look.what) }
        for (index, body) in zip(alive, bodies) {
            if let bytes = body.bytes, !bytes.isEmpty {
                records[index]?.body = StoredValue.body(of: bytes)
            } else if isReady {
                records[index] = nil
            }
        }
        return records
    }

    private func message(
        _ candidate: Candidate, _ stored: StoredMessage, _ look: RedisLook
    ) -> MessageRecord? {
        if let token = candidate.token, let time = candidate.time {
            return stored.message((token, time), kinds: look.kinds)
        }
        if let entry = candidate.entry {
            return stored.message(
                candidate.state, entry, kinds: look.kinds, score: candidate.time)
        }
        // A forwarded message may have come back, or a record be gone.
        guard let record = stored.record, record.state == candidate.state,
            case .settled(_, let when, _) = record.place, when == candidate.time
        else { return nil }
        return stored.message(candidate.state, record.entry, kinds: look.kinds)
    }
}

/// What a slice works with.
private struct RedisLook {
    let step: SearchStep
    let what: String
    let queue: RedisQueue
    var kinds: [UInt32: String]
}
