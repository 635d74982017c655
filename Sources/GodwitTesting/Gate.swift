// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// A door that tasks wait at until it is opened; once open it stays open.
///
/// With it a test says "when this has happened" instead of sleeping and hoping.
public final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var arrivals = 0
        var waiting: [Int: CheckedContinuation<Void, Never>] = [:]
        var actions: [@Sendable () -> Void] = []
        var watchers: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    public init() {}

    public var isOpen: Bool { state.withLock { $0.isOpen } }

    /// Lets through all who wait and all who come.
    public func open() {
        let (waiting, actions) = state.withLock { state in
            state.isOpen = true
            defer {
                state.waiting = [:]
                state.actions = []
            }
            return (state.waiting.values.map { $0 }, state.actions)
        }
        waiting.forEach { $0.resume() }
        actions.forEach { $0() }
    }

    /// Runs `action` once the gate is open: for those who can't wait in a task.
    func whenOpen(_ action: @escaping @Sendable () -> Void) {
        _ = arrive()
        let isOpen = state.withLock { state -> Bool in
            if !state.isOpen { state.actions.append(action) }
            return state.isOpen
        }
        if isOpen { action() }
    }

    /// Returns once the gate is open, or when the task is cancelled.
    public func wait() async {
        let number = arrive()
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let passes = state.withLock { state -> Bool in
                    if state.isOpen || Task.isCancelled { return true }
                    state.waiting[number] = continuation
                    return false
                }
                if passes { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: number) }?.resume()
        }
    }

    /// Returns once so many have come to the gate, whether they passed or wait.
    public func arrivals(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state -> Bool in
                if state.arrivals >= count { return true }
                state.watchers.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    private func arrive() -> Int {
        let (number, watchers) = state.withLock { state in
            state.arrivals += 1
            let arrived = state.arrivals
            let there = state.watchers.filter { $0.count <= arrived }
            state.watchers.removeAll { $0.count <= arrived }
            return (arrived, there)
        }
        watchers.forEach { $0.continuation.resume() }
        return number
    }
}
