// SPDX-License-Identifier: Apache-2.0
import Synchronization

extension MemoryBroker: StreamBroker {
    public var streamOperator: any StreamOperator { self }
    public var streamInspector: any StreamInspector { self }

    public func append(
        _ points: [NewPoint], to stream: QueueName, options: AppendOptions
    ) async throws(BrokerError) -> [AppendOutcome] {
        try validation.check(points, for: stream)
        return try runStream("append to '\(stream)'", stream) { book, now in
            book.append(points, options, now: now)
        }
    }

    public func reserveLanes(
        _ request: LaneRequest, from stream: QueueName
    ) async throws(BrokerError) -> LaneReservation {
        try validation.check(request, from: stream)
        return try locked("reserve from '\(stream)'") { state in
            let nonce = state.random.next() << 8
            return state.streams[stream, default: StreamBook()]
                .reserve(request, now: time.now()) { nonce | UInt64($0) }
        }
    }

    public func memories(
        of keys: [String], window: Int, in stream: QueueName
    ) async throws(BrokerError) -> [LaneMemory] {
        try validation.check(window: window, for: "load windows of '\(stream)'")
        return try locked("load windows of '\(stream)'") { state in
            let book = state.streams[stream]
            return keys.map { book?.memory(of: $0, window: window) ?? LaneMemory() }
        }
    }

    public func settleLanes(
        _ settlements: [LaneSettlement], in stream: QueueName
    ) async throws(BrokerError) -> [SettleOutcome] {
        try validation.check(settlements, in: stream)
        return try locked("commit in '\(stream)'") { state in
            let now = time.now()
            // Why: both books change in one step, and two parts of one value can't be lent at once.
            var ledger = Ledger()
            swap(&ledger, &state.ledger)
            let outcomes = state.streams[stream, default: StreamBook()].settle(
                settlements, now: now,
                canEmit: { ledger.hasRoom(for: $0.emissions) },
                emit: { ledger.emit($0.emissions, now: now) })
            swap(&ledger, &state.ledger)
            for (settlement, outcome) in zip(settlements, outcomes) where outcome == .done {
                for emission in settlement.emissions { wake(emission.queue, &state, now) }
            }
            wakeStream(stream, &state)
            return outcomes
        }
    }

    public func renewLanes(
        _ tokens: [LaneToken], for lease: Duration, in stream: QueueName,
        then: @escaping @Sendable (Result<[SettleOutcome], BrokerError>) -> Void
    ) {
        let result: Result<[SettleOutcome], BrokerError>
        do throws(BrokerError) {
            try validation.check(lease: lease, for: "renew in '\(stream)'")
            result = .success(
                try runStream("renew in '\(stream)'", stream) { book, now in
                    book.renew(tokens, for: lease, now: now)
                })
        } catch {
            result = .failure(error)
        }
        then(result)
    }

    @discardableResult
    public func reclaimLanes(_ limit: Int, in stream: QueueName) async throws(BrokerError) -> Int {
        try runStream("reclaim in '\(stream)'", stream) { $0.reclaim(limit, now: $1) }
    }

    @discardableResult
    public func expireLanes(
        idleFor idle: Duration, limit: Int, in stream: QueueName
    ) async throws(BrokerError) -> Int {
        try runStream("drop idle keys of '\(stream)'", stream) {
            $0.expire(idleFor: idle, limit: limit, now: $1)
        }
    }

    public func waitForLanes(in stream: QueueName, upTo timeout: Duration) async {
        guard timeout > .zero else { return }
        let signal = Signal()
        let waiting = state.withLock { state -> (key: UInt64, until: Duration)? in
            let book = state.streams[stream]
            let due = book?.nextDue.map { $0 - time.now() } ?? timeout
            if state.isShutDown || book?.hasReady == true || due <= .zero { return nil }
            state.lastKey += 1
            state.streamWaiters[stream, default: [:]][state.lastKey] = signal
            return (state.lastKey, min(timeout, due))
        }
        guard let waiting else { return }
        let timer = time.schedule(after: waiting.until) { signal.fire() }
        await signal.wait()
        timer.cancel()
        state.withLock { state in
            state.streamWaiters[stream]?[waiting.key] = nil
            if state.streamWaiters[stream]?.isEmpty == true { state.streamWaiters[stream] = nil }
        }
    }

    // MARK: One step

    private func runStream<Answer: Sendable>(
        _ what: @autoclosure () -> String, _ stream: QueueName,
        _ word: (inout StreamBook, Timestamp) -> Answer
    ) throws(BrokerError) -> Answer {
        try locked(what()) { state in
            let answer = word(&state.streams[stream, default: StreamBook()], time.now())
            wakeStream(stream, &state)
            return answer
        }
    }

    private func wakeStream(_ stream: QueueName, _ state: inout State) {
        guard let book = state.streams[stream], book.hasReady || book.nextDue != nil else { return }
        for signal in (state.streamWaiters[stream] ?? [:]).values { signal.fire() }
    }
}

extension MemoryBroker: StreamOperator {
    public func redriveLane(
        _ key: String, in stream: QueueName
    ) async throws(BrokerError) -> Bool {
        try runStream("redrive a key of '\(stream)'", stream) { book, _ in book.redrive(key) }
    }

    public func skipPoint(
        of key: String, at position: UInt64, _ emission: Emission, in stream: QueueName
    ) async throws(BrokerError) -> Bool {
        try validation.check([emission.message], for: emission.queue, at: .latest)
        return try locked("skip a point of '\(stream)'") { state in
            let now = time.now()
            guard state.ledger.hasRoom(for: [emission]),
                state.streams[stream]?.skip(key, at: position, now: now) == true
            else { return false }
            state.ledger.emit([emission], now: now)
            wake(emission.queue, &state, now)
            wakeStream(stream, &state)
            return true
        }
    }

    public func replayLane(
        _ key: String, window: Int, in stream: QueueName
    ) async throws(BrokerError) -> Bool {
        try validation.check(window: window, for: "replay a key of '\(stream)'")
        return try runStream("replay a key of '\(stream)'", stream) { book, _ in
            book.replay(key, window: window)
        }
    }

    public func forgetLane(_ key: String, in stream: QueueName) async throws(BrokerError) -> Bool {
        try runStream("forget a key of '\(stream)'", stream) { $0.forget(key, now: $1) }
    }
}

extension MemoryBroker: StreamInspector {
    public func streams() async throws(BrokerError) -> [QueueName] {
        try locked("list streams") { $0.streams.keys.sorted { $0.text < $1.text } }
    }

    public func counts(ofStream stream: QueueName) async throws(BrokerError) -> StreamCounts {
        try locked("count '\(stream)'") { $0.streams[stream]?.counts ?? StreamCounts() }
    }

    public func lanes(
        of stream: QueueName, by order: LaneOrder, limit: Int
    ) async throws(BrokerError) -> [LaneSummary] {
        try locked("list the keys of '\(stream)'") {
            $0.streams[stream]?.lanes(by: order, limit: limit) ?? []
        }
    }

    public func lane(
        _ key: String, window: Int, in stream: QueueName
    ) async throws(BrokerError) -> LaneRecord? {
        try validation.check(window: window, for: "look up a key of '\(stream)'")
        // Doubly optional: a key that is not there is an answer, a broker shut down is none.
        return try locked("look up a key of '\(stream)'") {
            [$0.streams[stream]?.lane(key, window: window)]
        }[0]
    }

    public func droppedKeys(of stream: QueueName) async throws(BrokerError) -> [DroppedKey] {
        try locked("list dropped keys of '\(stream)'") { $0.streams[stream]?.droppedKeys ?? [] }
    }
}
