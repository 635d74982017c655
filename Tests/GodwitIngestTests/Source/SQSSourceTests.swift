// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Godwit
import GodwitIngest
import GodwitTesting
import Synchronization
import Testing

/// A source over ``FakeSQS`` that runs while a test looks.
struct SQSBed {
    let room = FakeSQS()
    var options = SQSSourceOptions()

    init() { options.visibility = .seconds(30) }

    var source: SQSSource {
        SQSSource(
            queue: FakeSQS.url, polling: room.client("poll"), settling: room.client("settle"),
            options: options, time: room.clock)
    }

    /// Runs the source while `body` runs, then cancels it and waits for its end.
    func run(
        concurrency: Int = 1, _ handle: @escaping @Sendable (SourceMessage) async -> SourceVerdict,
        while body: () async throws -> Void
    ) async throws {
        try await GodwitIngestTests.run(
            source, concurrency: concurrency, handle, while: body)
    }
}

/// Moves the clock until something is as asked; the turns between let others run.
///
/// With `timers` it moves only while so many wait: whoever works meanwhile, as a beat does, has none in
/// line, and the clock stands still for it.
func advance(
    _ clock: VirtualClock, by step: Duration = .milliseconds(50), timers: Int = 0,
    until isThere: () -> Bool
) async {
    // Why the look at the task: a time limit only cancels, and this would turn for ever.
    while !isThere(), !Task.isCancelled {
        if clock.pendingTimers >= timers { clock.advance(by: step) }
        for _ in 0..<20 { await Task.yield() }
    }
}

@Suite(.timeLimit(.minutes(2))) struct `SQS source` {
    private let bed = SQSBed()

    @Test func `polls go one way, everything else the other`() async throws {
        let room = bed.room
        room.put("a", "b")
        room.state.withLock { $0.deadLetters[FakeSQS.url] = "dead" }
        try await bed.run(concurrency: 2) { message in
            message.body == "a" ? .done : .dead(reason: "no")
        } while: {
            await advance(room.clock) { room.bodies().isEmpty }
        }
        let lanes = room.state.withLock { state in
            Dictionary(grouping: state.calls, by: \.lane).mapValues { Set($0.map(\.operation)) }
        }
        #expect(lanes["poll"] == ["ReceiveMessage"])
        #expect(lanes["settle"]?.contains("DeleteMessageBatch") == true)
        #expect(lanes["settle"]?.contains("SendMessage") == true)
        #expect(lanes["settle"]?.contains("ReceiveMessage") == false)
    }

    @Test func `a poll is given up five seconds after its wait`() async throws {
        try await bed.run { _ in
            .done
        } while: {
            await bed.room.until { !$0.calls.isEmpty }
        }
        let polls = bed.room.state.withLock { $0.calls.filter { $0.operation == "ReceiveMessage" } }
        #expect(polls.allSatisfy { $0.timeout == .seconds(25) })
    }

    @Test func `a message is kept from its receipt on, the buffer included`() async throws {
        let room = bed.room
        room.put("handled", "buffered")
        let gate = Gate()
        let handled = Mutex<[String]>([])
        try await bed.run { message in
            handled.withLock { $0.append(message.body) }
            await gate.wait()
            return .done
        } while: {
            await gate.arrivals(1)
            // Four times the visibility: without the beat both would have come again by then.
            let end = room.clock.now() + .seconds(120)
            await advance(room.clock, by: .seconds(1), timers: 2) { room.clock.now() >= end }
            let counts = room.state.withLock { $0.queues[FakeSQS.url]?.map(\.count) }
            #expect(counts == [1, 1])
            gate.open()
            await advance(room.clock) { room.bodies().isEmpty }
        }
        #expect(handled.withLock { $0 } == ["handled", "buffered"])
        let extended = room.state.withLock { Set($0.extensions.map(\.id)) }
        #expect(extended == ["m1", "m2"])
    }

    @Test func `a handler whose receipt is lost is cancelled and its word counts no more`()
        async throws
    {
        let room = bed.room
        room.put("a")
        let cancelled = Gate()
        let began = Gate()
        let counts = Mutex<[Int]>([])
        try await bed.run { message in
            counts.withLock { $0.append(message.receiveCount) }
            if message.receiveCount > 1 { return .done }
            began.open()
            await Gate().wait()  // until cancelled
            cancelled.open()
            return .done
        } while: {
            await began.wait()
            // Somebody else took it: its receipt is another one now.
            room.state.withLock { $0.queues[FakeSQS.url]?[0].receipt = "stolen" }
            await advance(room.clock, by: .seconds(1)) { cancelled.isOpen }
            #expect(room.bodies() == ["a"])
            await advance(room.clock, by: .seconds(1)) { room.bodies().isEmpty }
        }
        #expect(counts.withLock { $0 } == [1, 2])
    }

    @Test func `at the horizon of twelve hours the handler is told`() async throws {
        let room = bed.room
        var bed = bed
        bed.options.visibility = .seconds(7200)
        room.put("a")
        let began = Gate()
        let told = Gate()
        try await bed.run { _ in
            if began.isOpen { return .done }
            began.open()
            await Gate().wait()
            told.open()
            return .done
        } while: {
            await began.wait()
            let start = room.clock.now()
            await advance(room.clock, by: .seconds(600), timers: 2) { told.isOpen }
            #expect(room.clock.now() - start >= .seconds(43_200))
        }
    }

    @Test func `an entry of a batch that failed is sent again`() async throws {
        let room = bed.room
        room.put("a")
        room.fail("DeleteMessageBatch", .failedEntries(code: "InternalError", senderFault: false))
        let handled = Mutex(0)
        try await bed.run { _ in
            handled.withLock { $0 += 1 }
            return .done
        } while: {
            await advance(room.clock) { room.bodies().isEmpty }
        }
        #expect(room.calls("DeleteMessageBatch") == 2)
        #expect(handled.withLock { $0 } == 1)
    }

    @Test func `a delete whose answer was lost is sent again and harms nothing`() async throws {
        let room = bed.room
        room.put("a", "b")
        room.fail("DeleteMessageBatch", .lostAnswer, .lostRequest)
        let handled = Mutex(0)
        try await bed.run { _ in
            handled.withLock { $0 += 1 }
            return .done
        } while: {
            await advance(room.clock) {
                room.bodies().isEmpty && room.calls("DeleteMessageBatch") >= 3
            }
        }
        #expect(handled.withLock { $0 } == 2)
    }

    @Test func `deletes go together`() async throws {
        let room = bed.room
        var bed = bed
        bed.options.prefetch = 20
        for number in 0..<20 { room.put("\(number)") }
        try await bed.run { _ in
            .done
        } while: {
            await advance(room.clock, by: .milliseconds(1)) { room.bodies().isEmpty }
        }
        #expect(room.calls("DeleteMessageBatch") <= 6)
    }

    @Test func `a stop gives back the buffer, ends what is handled, and settles it`() async throws {
        let room = bed.room
        room.put("a", "b", "c")
        let gate = Gate()
        let source = bed.source
        let task = Task {
            try await source.run(concurrency: 1) { message in
                await gate.wait()
                return Task.isCancelled ? .later(after: .zero, reason: "cancelled") : .done
            }
        }
        await gate.arrivals(1)
        task.cancel()
        await room.until { $0.extensions.count { $0.visibility == 0 } == 2 }
        gate.open()
        try await task.value
        #expect(room.bodies() == ["b", "c"])
        let now = room.clock.now()
        let visible = room.state.withLock {
            $0.queues[FakeSQS.url]?.allSatisfy { $0.visibleAt <= now }
        }
        #expect(visible == true)
    }

    @Test
    func
        `a handler that does not end is cancelled when the grace is over and its message given back`()
        async throws
    {
        let room = bed.room
        room.put("a")
        let began = Gate()
        let source = bed.source
        let task = Task {
            try await source.run(concurrency: 1) { _ in
                began.open()
                await Gate().wait()
                return .done
            }
        }
        await began.wait()
        task.cancel()
        let isOver = Gate()
        let watch = Task {
            try await task.value
            isOver.open()
        }
        await advance(room.clock, by: .seconds(1)) { isOver.isOpen }
        try await watch.value
        #expect(room.bodies() == ["a"])
        #expect(room.state.withLock { $0.extensions.last?.visibility } == 0)
    }

    @Test func `a rest is sent before the old message is deleted`() async throws {
        let room = bed.room
        room.put("both")
        room.fail("SendMessage", .lostRequest)
        let handled = Mutex<[String]>([])
        try await bed.run { message in
            handled.withLock { $0.append(message.body) }
            return message.body == "both"
                ? .replace(body: "rest", after: .seconds(10), reason: "half") : .done
        } while: {
            await advance(room.clock) { room.bodies().isEmpty }
        }
        #expect(handled.withLock { $0 } == ["both", "rest"])
        let order = room.state.withLock { state in
            state.calls.map(\.operation).filter { $0 != "ReceiveMessage" }
        }
        #expect(
            order == ["SendMessage", "SendMessage", "DeleteMessageBatch", "DeleteMessageBatch"])
    }

    @Test func `a dead one goes to the queue of the policy, with its reason`() async throws {
        let room = bed.room
        room.put("bad")
        room.state.withLock { $0.deadLetters[FakeSQS.url] = "dead" }
        try await bed.run { _ in
            .dead(reason: "no key\u{1}")
        } while: {
            await advance(room.clock) { room.bodies().isEmpty }
        }
        let letters = room.state.withLock { $0.queues[FakeSQS.deadURL] ?? [] }
        #expect(letters.map(\.body) == ["bad"])
        #expect(letters.first?.attributes["godwit.reason"] == "no key\u{FFFD}")
    }

    @Test func `without a dead-letter queue a dead one stays, hidden for long`() async throws {
        let room = bed.room
        room.put("bad")
        try await bed.run { _ in
            .dead(reason: "no")
        } while: {
            await room.until { $0.extensions.contains { $0.visibility == 3600 } }
        }
        #expect(room.bodies() == ["bad"])
    }

    @Test func `bytes that differ from their digest are left alone`() async throws {
        let room = bed.room
        room.state.withLock { $0.breaksBodies = true }
        room.put("a")
        let handled = Mutex(0)
        try await bed.run { _ in
            handled.withLock { $0 += 1 }
            return .done
        } while: {
            await room.until { $0.queues[FakeSQS.url]?.first?.count == 1 }
        }
        #expect(room.bodies() == ["a"])
        #expect(handled.withLock { $0 } == 0)
    }

    @Test func `a service that is away for a while is asked again`() async throws {
        let room = bed.room
        room.fail("ReceiveMessage", .lostRequest, .lostRequest, .lostAnswer, .lostRequest)
        room.put("a")
        try await bed.run { _ in
            .done
        } while: {
            await advance(room.clock) { room.bodies().isEmpty }
        }
    }

    @Test func `a queue that is not there ends the run with what to do`() async throws {
        let room = bed.room
        let fault = FakeSQS.Fault.error("QueueDoesNotExist", status: 400)
        room.fail("ReceiveMessage", fault, fault, fault, fault, fault)
        let source = bed.source
        let isOver = Gate()
        let task = Task {
            defer { isOver.open() }
            try await source.run(concurrency: 1) { _ in .done }
        }
        await advance(room.clock) { isOver.isOpen }
        await #expect { try await task.value } throws: { error in
            if case .config? = error as? SQSError { true } else { false }
        }
    }
}
