// SPDX-License-Identifier: Apache-2.0
import GRDB
public import Godwit

/// SQLite keeps its own indexes; what can be wrong is what our words keep beside each other.
extension SQLiteBroker: Repairable {
    public func faults(in queue: QueueName, limit: Int) async throws(BrokerError) -> [Fault] {
        let now = time.now().milliseconds
        return try await reader.read("look for faults in '\(queue)'") { db in
            try db.faults(in: queue, limit: limit, now: now)
        }
    }

    public func repair(_ fault: Fault, isDryRun: Bool) async throws(BrokerError) -> RepairOutcome {
        switch fault.kind {
        case .expiredLease:
            guard try await isThere(fault) else { return .gone }
            if isDryRun { return .mended("leases that ran out are taken back, 64 at a time") }
            var count = 0
            while true {
                let step = try await reclaim(Upkeep.limit, in: fault.queue)
                count += step.ready + step.dead
                if step.ready + step.dead == 0 { return .mended("\(count) leases were taken back") }
            }
        case .overBound:
            guard try await isThere(fault) else { return .gone }
            if isDryRun { return .mended("records beyond the bound are dropped, 64 at a time") }
            for _ in 0..<10_000 where try await isThere(fault) {
                _ = try await prune(Upkeep.limit, in: fault.queue)
            }
            return .mended("records beyond the bound were dropped")
        default:
            return try await run("repair '\(fault.queue)'") { (store) throws(StoreFault) in
                try store.repair(fault, isDryRun: isDryRun)
            }
        }
    }

    private func isThere(_ fault: Fault) async throws(BrokerError) -> Bool {
        let now = time.now().milliseconds
        return try await reader.read("look for faults in '\(fault.queue)'") { db in
            guard let queue = try db.queueState(fault.queue) else { return false }
            return try db.boundFaults(of: queue, fault.queue, now: now).contains {
                $0.kind == fault.kind
            }
        }
    }
}

extension Store {
    /// Looks for the fault again inside this transaction, then mends it.
    func repair(_ fault: Fault, isDryRun: Bool) throws(StoreFault) -> RepairOutcome {
        var queue = try open(fault.queue)
        let number = queue.number
        let now = now
        do {
            // Reentrant: the writer holds the connection already, with our transaction open on it.
            let outcome = try connection.unsafeReentrantWrite { db in
                try db.repair(fault, number, now: now, isDryRun: isDryRun)
            }
            guard case .counters(let fields) = outcome else {
                if case .done(let outcome) = outcome { return outcome }
                return .gone
            }
            // The row of the queue is in memory until the commit: what was counted goes there.
            var changes: [String] = []
            for (name, path) in QueueState.counted {
                guard let found = fields[name], queue[keyPath: path] != found else { continue }
                changes.append("'\(name)' says \(queue[keyPath: path]) and becomes \(found)")
                queue[keyPath: path] = found
            }
            if changes.isEmpty { return .gone }
            if !isDryRun { put(queue) }
            return .mended("the counter " + changes.joined(separator: ", "))
        } catch {
            throw StoreFault(error)
        }
    }
}

extension QueueState {
    /// Counters that are the number of rows in one index.
    static var counted: [(name: String, path: WritableKeyPath<QueueState, Int64>)] {
        [
            ("ready", \.ready), ("suspects", \.suspects), ("leased", \.leased),
            ("scheduled", \.scheduled), ("dead", \.dead), ("ended", \.ended),
        ]
    }
}
