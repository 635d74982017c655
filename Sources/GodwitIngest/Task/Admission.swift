// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// What this machine lends to tasks, and what of it is lent: a value that decides, without waiting.
package struct AdmissionBook: Sendable {
    package let cpuSlots: Int
    package let tempBytes: UInt64
    package private(set) var lentSlots = 0
    package private(set) var lentBytes: UInt64 = 0
    /// In the order in which they came: who needs much is not overtaken for ever.
    private var waiting: [(number: UInt64, cost: Cost)] = []
    private var next: UInt64 = 0

    package init(cpuSlots: Int, tempBytes: UInt64) {
        self.cpuSlots = max(1, cpuSlots)
        self.tempBytes = tempBytes
    }

    /// What a run is counted as: more slots than there are means all of them.
    package func counted(_ cost: Cost) -> Cost {
        Cost(cpuSlots: max(0, min(cost.cpuSlots, cpuSlots)), tempBytes: cost.tempBytes)
    }

    /// Puts a run into the line; nil when it could never be let in.
    package mutating func ask(_ cost: Cost) -> UInt64? {
        guard cost.tempBytes <= tempBytes else { return nil }
        next += 1
        waiting.append((next, counted(cost)))
        return next
    }

    /// Those who are let in now, from the head of the line.
    package mutating func admit() -> [UInt64] {
        var admitted: [UInt64] = []
        while let first = waiting.first, lentSlots + first.cost.cpuSlots <= cpuSlots,
            lentBytes + first.cost.tempBytes <= tempBytes
        {
            lentSlots += first.cost.cpuSlots
            lentBytes += first.cost.tempBytes
            admitted.append(first.number)
            waiting.removeFirst()
        }
        return admitted
    }

    /// Takes one out of the line that waits no more; false when it was let in already.
    package mutating func leave(_ number: UInt64) -> Bool {
        guard let place = waiting.firstIndex(where: { $0.number == number }) else { return false }
        waiting.remove(at: place)
        return true
    }

    package mutating func giveBack(_ cost: Cost) {
        let cost = counted(cost)
        lentSlots -= cost.cpuSlots
        lentBytes -= cost.tempBytes
    }
}

/// Lets runs in as long as there are CPU slots and room for temporary files, whatever stage they are of.
public final class Admission: Sendable {
    private struct State {
        var book: AdmissionBook
        var admitted: Set<UInt64> = []
        var waiters: [UInt64: CheckedContinuation<Bool, Never>] = [:]
    }

    private let state: Mutex<State>

    public init(cpuSlots: Int, tempBytes: UInt64) {
        state = Mutex(State(book: AdmissionBook(cpuSlots: cpuSlots, tempBytes: tempBytes)))
    }

    /// Runs `body` once there is room for it, and gives the room back however it ends.
    ///
    /// Throws ``TaskFailure/mediaLimit(_:)`` when there could never be room.
    public func with<R>(_ cost: Cost, _ body: () async throws -> R) async throws -> R {
        guard let number = state.withLock({ $0.book.ask(cost) }) else {
            let limit = state.withLock { $0.book.tempBytes }
            throw TaskFailure.mediaLimit(
                "it needs \(cost.tempBytes) bytes of temporary files, and \(limit) are allowed on this machine: raise temp.bytes if such tracks are wanted"
            )
        }
        try await enter(number, cost)
        defer { leave(cost) }
        return try await body()
    }

    private func enter(_ number: UInt64, _ cost: Cost) async throws {
        letIn()
        let isIn = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = state.withLock { state -> Bool? in
                    if state.admitted.remove(number) != nil { return true }
                    if Task.isCancelled {
                        return !state.book.leave(number)
                    }
                    state.waiters[number] = continuation
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter = state.withLock { state -> CheckedContinuation<Bool, Never>? in
                guard let waiter = state.waiters.removeValue(forKey: number) else { return nil }
                _ = state.book.leave(number)
                return waiter
            }
            waiter?.resume(returning: false)
        }
        guard isIn else {
            // Why: who stood behind it may fit.
            letIn()
            throw CancellationError()
        }
    }

    private func leave(_ cost: Cost) {
        state.withLock { $0.book.giveBack(cost) }
        letIn()
    }

    private func letIn() {
        let waiters = state.withLock { state in
            state.book.admit().compactMap { number in
                let waiter = state.waiters.removeValue(forKey: number)
                // It asked and does not wait yet: it will find this.
                if waiter == nil { state.admitted.insert(number) }
                return waiter
            }
        }
        for waiter in waiters { waiter.resume(returning: true) }
    }
}
