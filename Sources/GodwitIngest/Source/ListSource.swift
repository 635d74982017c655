// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging
import Synchronization

/// How a listing is watched.
public struct ListSourceOptions: Sendable {
    /// The pause between two passes.
    public var interval: Duration
    /// After a stop, what is handled may take so long; then it is cancelled.
    public var grace: Duration
    /// Where the messages go that will never work; without it they are only logged.
    public var deadLetters: DeadLetterFolder?

    public init(
        interval: Duration = .seconds(2), grace: Duration = .seconds(30),
        deadLetters: DeadLetterFolder? = nil
    ) {
        self.interval = interval
        self.grace = grace
        self.deadLetters = deadLetters
    }
}

/// The shell of ``ListState``: goes through a listing, page by page, again and again.
///
/// What it knows is in memory: a new process announces everything again, and whoever follows finds what
/// is done already.
struct ListSource: Sendable {
    typealias Page = @Sendable (_ after: String?) async throws(StoreError) -> [ObjectInfo]

    let name: String
    let bucket: String
    let looks: Int
    let options: ListSourceOptions
    let time: any TimeSource
    /// The keys after one, in their order; an empty page is the end.
    let page: Page

    func run(
        concurrency: Int, _ handle: @escaping @Sendable (SourceMessage) async -> SourceVerdict
    ) async throws {
        let stop = Stop()
        defer { stop.keep(nil) }
        try await runUntilStopped { cancel in
            stop.fire()
            stop.keep(time.schedule(after: options.grace) { cancel() })
        } _: {
            try await serve(max(1, concurrency), handle, stop)
        }
    }

    private func serve(
        _ concurrency: Int, _ handle: @escaping @Sendable (SourceMessage) async -> SourceVerdict,
        _ stop: Stop
    ) async throws {
        var state = ListState(looks: looks)
        var failures = 0
        while !stop.isFired {
            do throws(StoreError) {
                try await pass(&state, concurrency, handle, stop)
                failures = 0
            } catch {
                failures += 1
                if case .config = error, failures >= 5 { throw error }
                Logger.current.warning("could not list \(name), trying again: \(error)")
            }
            let pause = min(
                max(.seconds(60), options.interval), options.interval * (1 << min(failures, 6)))
            await stop.wait(upTo: pause, time)
        }
    }

    private func pass(
        _ state: inout ListState, _ concurrency: Int,
        _ handle: @escaping @Sendable (SourceMessage) async -> SourceVerdict, _ stop: Stop
    ) async throws(StoreError) {
        var after: String?
        while !stop.isFired {
            let found = try await page(after)
            guard let last = found.last else { return state.endPass() }
            after = last.key
            state.listed(found, at: time.now())
            state = await announce(state, concurrency, handle, stop)
        }
    }

    /// Hands out what a page brought and waits for its end, so that no more than a page is in hand.
    private func announce(
        _ before: ListState, _ concurrency: Int,
        _ handle: @escaping @Sendable (SourceMessage) async -> SourceVerdict, _ stop: Stop
    ) async -> ListState {
        await withTaskGroup(of: (MessageID, SourceVerdict).self) { group in
            var state = before
            var running = 0
            while true {
                if running == concurrency, let (id, verdict) = await group.next() {
                    state.settled(id, verdict, at: time.now())
                    running -= 1
                }
                guard !stop.isFired, let item = state.next() else { break }
                running += 1
                group.addTask { (item.id, await one(item, handle)) }
            }
            for await (id, verdict) in group { state.settled(id, verdict, at: time.now()) }
            return state
        }
    }

    private func one(
        _ item: ListState.Item,
        _ handle: @Sendable (SourceMessage) async -> SourceVerdict
    ) async -> SourceVerdict {
        let event = ObjectEvent(
            bucket: bucket, key: item.info.key, size: item.info.size, etag: item.info.etag,
            versionID: item.info.versionID)
        let message = SourceMessage(
            id: "\(item.id)", body: item.body ?? event.body, receiveCount: item.count)
        let verdict = await handle(message)
        guard case .dead(let reason) = verdict else { return verdict }
        Logger.current.error(
            "'\(item.info.key.escapedForDisplay)' of \(name) will never work: \(reason.escapedForDisplay)"
        )
        guard let folder = options.deadLetters else { return verdict }
        do throws(StoreError) {
            try await folder.put(message, from: name, reason: reason)
            return verdict
        } catch {
            Logger.current.error(
                "its dead letter could not be written, it is tried again: \(error)")
            return .later(after: .seconds(30), reason: "\(error)")
        }
    }
}

/// Says once that a run is to end, to whoever sleeps in it.
private final class Stop: Sendable {
    private let state = Mutex<(isFired: Bool, timer: ScheduledAction?)>((false, nil))
    private let signal = Signal()

    var isFired: Bool { state.withLock { $0.isFired } }

    func fire() {
        state.withLock { $0.isFired = true }
        signal.fire()
    }

    /// Takes a timer in the place of the one before, which is called off.
    func keep(_ timer: ScheduledAction?) {
        let old = state.withLock { state -> ScheduledAction? in
            defer { state.timer = timer }
            return state.timer
        }
        old?.cancel()
    }

    func wait(upTo limit: Duration, _ time: any TimeSource) async {
        if isFired { return }
        let timer = time.schedule(after: limit) { [signal] in signal.fire() }
        await signal.waitUntilFired()
        timer.cancel()
    }
}
