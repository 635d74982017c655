// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Godwit
import Logging
import Synchronization

extension SQSRun {
    /// Does what a verdict says. What can't be told to SQS comes again when its visibility runs out.
    func settle(_ held: SQSState.Held, _ verdict: SourceVerdict) async {
        switch verdict {
        case .done: delete(held)
        case .later(let after, let reason):
            Logger.current.info(
                "message \(held.message.id) of \(source.name) comes again in \(after): \(reason)")
            await hide(held, for: after)
        case .replace(let body, let after, let reason):
            Logger.current.info(
                "message \(held.message.id) of \(source.name) goes on with its rest: \(reason)")
            let rest = rest(of: held, body, after)
            await send(rest, to: source.queue, insteadOf: held, "its rest")
        case .dead(let reason):
            await bury(held, reason)
        }
    }

    private func delete(_ held: SQSState.Held) {
        let now = source.time.now()
        let signals = cell.withLock { cell -> [Signal] in
            cell.deletes.add(
                DeleteBatcher.Entry(number: held.number, receipt: held.message.receiptHandle),
                at: now)
            // The first one needs somebody who waits for its delay.
            let isUrgent = cell.deletes.count == 1 || cell.deletes.count >= SQSClient.batch
            return isUrgent || cell.state.phase != .working ? cell.takeSettlers() : []
        }
        signals.forEach { $0.fire() }
    }

    private func forget(_ held: SQSState.Held) {
        cell.withLock { $0.state.forget([held.number]) }
    }

    /// Hides a message for as long as was asked, within what is left of its 12 h.
    private func hide(_ held: SQSState.Held, for duration: Duration) async {
        cell.withLock { $0.state.hides(held.number) }
        let left = held.receivedAt + source.options.horizon - source.time.now()
        let visibility = max(.zero, min(duration, left))
        let result = await tryAgain(held) { [source] () async throws(SQSError) in
            let outcomes = try await source.settling.changeVisibility(
                [(held.message.receiptHandle, visibility)], in: source.queue)
            if let error = outcomes.first?.error { throw error }
        }
        if case .failure(let error) = result {
            Logger.current.warning(
                """
                message \(held.message.id) of \(source.name) could not be put off and comes again when \
                its visibility runs out: \(error)
                """)
        }
        forget(held)
    }

    /// A message that takes the place of one in hand: first it is sent, then the old one deleted, so that
    /// a crash between the two leaves both, never none.
    private func send(
        _ message: SQSNewMessage, to queue: String, insteadOf held: SQSState.Held, _ what: String
    ) async {
        let result = await tryAgain(held) { [source] () async throws(SQSError) in
            _ = try await source.settling.send(message, to: queue)
        }
        switch result {
        case .success: delete(held)
        case .failure(let error):
            Logger.current.error(
                """
                message \(held.message.id) of \(source.name): \(what) could not be sent, the message \
                stays and comes again: \(error)
                """)
            forget(held)
        }
    }

    private var isFIFO: Bool { source.queue.hasSuffix(".fifo") }

    private func rest(of held: SQSState.Held, _ body: String, _ after: Duration) -> SQSNewMessage {
        guard isFIFO else {
            return SQSNewMessage(
                body, delay: min(after, .seconds(900)), attributes: held.message.attributes)
        }
        // A FIFO queue delays no single message, and wants to know what is the same.
        return SQSNewMessage(
            body, attributes: held.message.attributes,
            group: held.message.system["MessageGroupId"] ?? "rest",
            deduplicationID: "rest-\(held.message.id)")
    }

    // MARK: Dead letters

    private func bury(_ held: SQSState.Held, _ reason: String) async {
        let id = held.message.id
        let shown = reason.escapedForDisplay
        guard let queue = await deadLetters(for: held) else {
            Logger.current.error(
                """
                message \(id) of \(source.name) will never work, and the queue has no dead-letter queue \
                that can be reached: it is left where it is, hidden for \(source.options.deadVisibility). \
                Give the queue a RedrivePolicy. \(shown)
                """)
            return await hide(held, for: source.options.deadVisibility)
        }
        Logger.current.error(
            "message \(id) of \(source.name) goes to its dead-letter queue: \(shown)")
        await send(
            Self.deadLetter(held.message, reason, isFIFO: isFIFO), to: queue, insteadOf: held,
            "its dead letter")
    }

    /// The same body with the reason beside it; without what is beside it where that takes it over the
    /// limits of a message.
    static func deadLetter(
        _ message: SQSMessage, _ reason: String, isFIFO: Bool
    ) -> SQSNewMessage {
        var letter = SQSNewMessage(message.body, attributes: message.attributes)
        if letter.attributes.count < 10 {
            let reason = SQSText.allowed(reason).cut(to: BrokerLimits.reasonBytes)
            letter.attributes["godwit.reason"] = .text(reason.isEmpty ? "none given" : reason)
        }
        if isFIFO {
            letter.group = message.system["MessageGroupId"] ?? "dead"
            letter.deduplicationID = "dead-\(message.id)"
        }
        if letter.bytes > SQSClient.batchBytes { letter.attributes = [:] }
        return letter
    }

    /// Where the queue's policy says; looked up once.
    private func deadLetters(for held: SQSState.Held) async -> String? {
        if let known = cell.withLock({ $0.deadLetters }) { return known }
        let result = await tryAgain(held) { [source] () async throws(SQSError) -> String? in
            guard let policy = try await source.settling.redrivePolicy(of: source.queue) else {
                return nil
            }
            return try await source.settling.url(ofARN: policy.deadLetterTarget)
        }
        switch result {
        case .success(let url):
            // Why none is not remembered: somebody may mend just that.
            if url != nil { cell.withLock { $0.deadLetters = .some(url) } }
            return url
        case .failure(let error):
            Logger.current.error(
                "the dead-letter queue of \(source.name) is not to be found: \(error)")
            return nil
        }
    }

    /// Repeats a call while it may help and the message is ours.
    private func tryAgain<R: Sendable>(
        _ held: SQSState.Held, _ call: @Sendable () async throws(SQSError) -> R
    ) async -> Result<R, SQSError> {
        var failures = 0
        while true {
            do throws(SQSError) {
                return .success(try await call())
            } catch {
                let now = source.time.now()
                let goesOn = cell.withLock { cell in
                    cell.state.phase != .graceOver && cell.state.isOurs(held.number, at: now)
                }
                guard error.isPassing, goesOn else { return .failure(error) }
            }
            failures += 1
            await source.time.sleep(for: .milliseconds(min(5000, 50 << min(failures, 7))))
        }
    }

    // MARK: Deletes and returns

    private enum SettleStep {
        case delete([DeleteBatcher.Entry])
        case giveBack([String])
        case wait(Signal, Timestamp?)
        case end([DeleteBatcher.Entry])
    }

    func runSettler() async {
        while true {
            let now = source.time.now()
            let step = cell.withLock { cell -> SettleStep in
                if !cell.returns.isEmpty {
                    let batch = Array(cell.returns.prefix(SQSClient.batch))
                    cell.returns.removeFirst(batch.count)
                    cell.sending += 1
                    return .giveBack(batch)
                }
                let isFlushing = cell.state.phase != .working
                if let batch = cell.deletes.next(at: now, isFlushing: isFlushing) {
                    cell.sending += 1
                    return .delete(batch)
                }
                if cell.isFinished { return .end([]) }
                if cell.state.phase == .graceOver, cell.state.isDrained, cell.sending == 0 {
                    return .end(cell.deletes.takeAll())
                }
                let signal = Signal()
                cell.idleSettlers.append(signal)
                return .wait(signal, cell.deletes.nextDue)
            }
            switch step {
            case .delete(let batch): await delete(batch)
            case .giveBack(let receipts): await giveBack(receipts)
            case .wait(let signal, let until): await wait(signal, until: until)
            case .end(let left):
                if !left.isEmpty {
                    Logger.current.error(
                        """
                        stopped while SQS could not be reached: \(left.count) message(s) of \
                        \(source.name) are done and not deleted; they come again
                        """)
                }
                return wakeAll()
            }
        }
    }

    private func delete(_ batch: [DeleteBatcher.Entry]) async {
        var again: [DeleteBatcher.Entry] = []
        var ended: [UInt64] = []
        do throws(SQSError) {
            let outcomes = try await source.settling.delete(
                batch.map(\.receipt), from: source.queue)
            for (entry, outcome) in zip(batch, outcomes) {
                switch outcome {
                case .done: ended.append(entry.number)
                case .failed(let error) where error.isPassing: again.append(entry)
                case .failed(let error):
                    ended.append(entry.number)
                    Logger.current.warning(
                        "a message of \(source.name) is done, but not deleted, and comes again: \(error)"
                    )
                }
            }
        } catch {
            Logger.current.warning(
                "could not delete \(batch.count) message(s) of \(source.name), trying again: \(error)"
            )
            again = batch
        }
        let now = source.time.now()
        let (signals, late) = cell.withLock { cell -> ([Signal], Int) in
            cell.sending -= 1
            cell.state.forget(ended)
            // Why: what is ours no more may be deleted by nobody but its new receiver.
            let ours = again.filter { cell.state.isOurs($0.number, at: now) }
            if again.isEmpty {
                cell.deletes.succeeded()
            } else {
                cell.deletes.failed(ours, at: now)
            }
            let signals = cell.state.phase == .working ? cell.takePolls() : cell.takeAll()
            return (signals, again.count - ours.count)
        }
        if late > 0 {
            Logger.current.warning(
                "\(late) message(s) of \(source.name) are done, could not be deleted in time, and come again"
            )
        }
        signals.forEach { $0.fire() }
    }

    private func giveBack(_ receipts: [String]) async {
        do throws(SQSError) {
            _ = try await source.settling.changeVisibility(
                receipts.map { ($0, .zero) }, in: source.queue)
        } catch {
            Logger.current.warning(
                """
                \(receipts.count) message(s) of \(source.name) could not be given back and come again \
                when their visibility runs out: \(error)
                """)
        }
        cell.withLock { $0.sending -= 1 }
        wakeAll()
    }
}
