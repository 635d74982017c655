// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// Hands out credentials, and gets new ones before they run out, one refresh at a time.
///
/// A refresh begins five minutes before the end. If it fails while the old ones hold, those are handed
/// out and the next try is half a minute later. Whoever comes during a refresh waits for its result;
/// if the one who refreshes is cancelled, the next of them goes on. Kept in memory only.
public final class CredentialProvider: Sendable {
    private struct State {
        var current: Credentials?
        var isRefreshing = false
        var notBefore = Date.distantPast
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
        var next: UInt64 = 0
    }

    private static let ahead: TimeInterval = 300
    private static let pause: TimeInterval = 30

    private let sources: [any CredentialSource]
    private let now: @Sendable () -> Date
    private let state = Mutex(State())

    /// Asks `sources` in order; the first that has some wins.
    public init(_ sources: [any CredentialSource], _ surroundings: Surroundings = Surroundings()) {
        self.sources = sources
        now = surroundings.now
    }

    /// Credentials that hold, of at least some minutes where the source gives such.
    ///
    /// `notThese` were refused by a service: they are not handed out again.
    public func get(notThese refused: Credentials? = nil) async throws(AWSError) -> Credentials {
        while true {
            if Task.isCancelled { throw AWSError(.cancelled, "cancelled") }
            switch state.withLock({ step(&$0, refused) }) {
            case .use(let credentials): return credentials
            case .wait: await waitForRefresh()
            case .refresh: return try await refresh(refused)
            }
        }
    }

    private enum Step {
        case use(Credentials)
        case wait
        case refresh
    }

    private func step(_ state: inout State, _ refused: Credentials?) -> Step {
        let now = now()
        if let current = state.current, current != refused {
            let left = current.expiration?.timeIntervalSince(now) ?? .infinity
            if left > Self.ahead { return .use(current) }
            if left > 0, state.isRefreshing || now < state.notBefore { return .use(current) }
        }
        if state.isRefreshing { return .wait }
        state.isRefreshing = true
        return .refresh
    }

    private func refresh(_ refused: Credentials?) async throws(AWSError) -> Credentials {
        var fetched: Credentials?
        var failure: AWSError?
        do throws(AWSError) {
            fetched = try await fetch()
        } catch {
            failure = error
        }
        let now = now()
        let (old, waiting) = state.withLock { state in
            state.isRefreshing = false
            if let fetched {
                state.current = fetched
            } else if failure?.kind != .cancelled {
                state.notBefore = now.addingTimeInterval(Self.pause)
            }
            defer { state.waiting = [:] }
            return (state.current, Array(state.waiting.values))
        }
        for continuation in waiting { continuation.resume() }
        if let fetched { return fetched }
        // Why: a service for credentials that is down for a moment stops nobody who still has some.
        if let old, old != refused, failure?.kind != .cancelled,
            (old.expiration ?? .distantFuture) > now
        {
            return old
        }
        throw failure ?? AWSError(.denied, "no credentials")
    }

    private func fetch() async throws(AWSError) -> Credentials {
        for source in sources {
            guard let found = try await source.fetch() else { continue }
            if let expiration = found.expiration, expiration <= now() {
                throw AWSError(
                    .denied,
                    "the credentials of \(source.name) have run out: renew them, and check this "
                        + "machine's clock")
            }
            return found
        }
        throw AWSError(
            .denied,
            "no credentials were found in \(sources.map(\.name).joined(separator: ", ")): set "
                + "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give this machine a role"
        )
    }

    private func waitForRefresh() async {
        let id = state.withLock { state in
            state.next += 1
            return state.next
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // Why looked at under the lock: the refresh, or the cancelling, may have come first.
                    guard state.isRefreshing, !Task.isCancelled else { return true }
                    state.waiting[id] = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }
}
