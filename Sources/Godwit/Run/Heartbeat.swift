// SPDX-License-Identifier: Apache-2.0
import Logging

/// Says every few seconds that a worker lives, and hears what operators want of it.
///
/// Per round one read (the order) and one write (the beat); an idle worker has rounds of twice the
/// length. A round that fails hurts nobody: the next one comes, and the note outlives two of them.
package struct Heartbeat: Sendable {
    private let broker: any Broker
    private let name: String
    private let period: Duration
    private let beat: @Sendable () -> WorkerBeat
    private let obey: @Sendable (WorkerOrder) -> Void

    /// Rounds that a note outlives.
    private static let rounds = 3
    private static let longestErase = Duration.seconds(1)

    package init(
        _ broker: any Broker, number: UInt32, every period: Duration,
        beat: @escaping @Sendable () -> WorkerBeat, obey: @escaping @Sendable (WorkerOrder) -> Void
    ) {
        self.broker = broker
        self.name = "\(number)"
        self.period = max(.milliseconds(100), period)
        self.beat = beat
        self.obey = obey
    }

    /// Beats until its task is cancelled.
    package func run() async {
        let time = broker.time
        var finished = -1
        var toldAt: Timestamp?
        while !Task.isCancelled {
            var pause = period
            do {
                try await obeyOrder()
                // Why after the order: the beat shows what came of it.
                let beat = beat()
                if beat.held == 0, beat.finished == finished { pause = period * 2 }
                finished = beat.finished
                let bytes = try beat.bytes()
                try await broker.board.write(
                    bytes, as: name, in: .workers, for: pause * Self.rounds, if: .any)
            } catch {
                let now = time.now()
                if toldAt.map({ now - $0 >= .seconds(60) }) ?? true {
                    toldAt = now
                    Logger.current.debug("worker \(name) could not beat, trying again: \(error)")
                }
            }
            await time.sleep(for: pause)
        }
    }

    /// Takes the beat away, for at most a second: a store that does not answer holds nobody up, and the
    /// note's own time ends it then.
    package func leave() async {
        let done = Signal()
        let erase = Task {
            _ = try? await broker.board.erase(name, in: .workers, if: .any)
            done.fire()
        }
        let timer = broker.time.schedule(after: Self.longestErase) { done.fire() }
        await done.waitUntilFired()
        timer.cancel()
        erase.cancel()
    }

    /// An order that nobody knows is taken away too, or it would stand for ever.
    private func obeyOrder() async throws(BrokerError) {
        guard let note = try await broker.board.note(name, in: .orders) else { return }
        if let order = WorkerOrder(rawValue: String(decoding: note.bytes, as: UTF8.self)) {
            obey(order)
        }
        // Why the version: an order that came meanwhile is not this one.
        try await broker.board.erase(name, in: .orders, if: .version(note.version))
    }
}
