// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitGRPC
import GodwitProtos
import GodwitTesting
import GRPCCore
import Synchronization
import Testing

/// Work streams over a real connection.
@Suite(.timeLimit(.minutes(2))) struct `Work` {
    private let queue: QueueName
    private let broker = MemoryBroker()

    init() throws { queue = try QueueName("mail") }

    private func fill(_ count: Int, bytes: Int = 10) async throws {
        let messages = try (0..<count).map { _ in try NewMessage.sample(bytes: bytes) }
        _ = try await broker.enqueue(messages, to: queue)
    }

    private func completed() async throws -> Int {
        try await broker.inspector.counts(of: queue).completed
    }

    // MARK: a client of any language

    @Test func `no more than the credits are out, and every settlement is answered`() async throws {
        try await fill(10)
        try await withWorkDoor(broker) { [broker, queue] port in
            try await RawWork.with(port) { work in
                work.open("mail", credits: 3)
                var got: [Godwit_V1_Delivery] = []
                while got.count < 3 { got += try await work.next()?.deliveries ?? [] }
                #expect(got.count == 3)
                #expect(try await broker.inspector.counts(of: queue).leased == 3)
                var stranger = got[0]
                stranger.token = Data(repeating: 9, count: 56)
                var none = got[0]
                none.token = Data([1, 2])
                work.ack([got[0], stranger, none, got[1], got[2]], credits: 7)
                let answer = try await work.next { !$0.settled.isEmpty }
                #expect(answer?.settled == [.done, .stale, .stale, .done, .done])
                var more = answer?.deliveries ?? []
                while more.count < 7 { more += try await work.next()?.deliveries ?? [] }
                #expect(Set((got + more).map(\.token)).count == 10)
                work.ack(more)
                work.close()
                var settled = 0
                while let answer = try await work.next() { settled += answer.settled.count }
                #expect(settled == 7)
            }
        }
        #expect(try await completed() == 10)
    }

    @Test func `a message that comes later wakes a stream that waits`() async throws {
        try await withWorkDoor(broker) { [broker, queue] port in
            try await RawWork.with(port) { work in
                work.open("mail", credits: 5)
                for _ in 0..<3 {
                    _ = try await broker.enqueue([.sample()], to: queue)
                    let answer = try await work.next { !$0.deliveries.isEmpty }
                    #expect(answer?.deliveries.count == 1)
                    work.ack(answer?.deliveries ?? [], credits: 1)
                    _ = try await work.next { !$0.settled.isEmpty }
                }
            }
        }
    }

    @Test func `renewals and checkpoints are answered in their places`() async throws {
        try await fill(1)
        try await withWorkDoor(broker) { port in
            try await RawWork.with(port) { work in
                work.open("mail", credits: 1)
                guard let token = try await work.next()?.deliveries.first?.token else { return }
                work.say {
                    $0.renewals = [Data([1]), token]
                    var progress = Godwit_V1_Progress()
                    progress.token = token
                    progress.bytes = Data([1, 2, 3])
                    $0.checkpoints = [progress]
                }
                #expect(try await work.next { !$0.renewed.isEmpty }?.renewed == [.stale, .done])
                #expect(try await work.next { !$0.kept.isEmpty }?.kept == [.done])
                work.say {
                    var settlement = Godwit_V1_Settlement()
                    settlement.token = token
                    settlement.verdict.release = Godwit_V1_Release()
                    $0.settlements = [settlement]
                    $0.credits = 1
                }
                let again = try await work.next { !$0.deliveries.isEmpty }
                #expect(again?.deliveries.first?.checkpoint == Data([1, 2, 3]))
            }
        }
    }

    @Test func `after stop nothing is sent, and settlements are still answered`() async throws {
        try await fill(2)
        try await withWorkDoor(broker) { [broker, queue] port in
            try await RawWork.with(port) { work in
                work.open("mail", credits: 1)
                let first = try await work.next()?.deliveries ?? []
                work.say { $0.stop = true }
                work.ack(first, credits: 10)
                #expect(try await work.next { !$0.settled.isEmpty }?.settled == [.done])
                work.close()
                while let answer = try await work.next() { #expect(answer.deliveries.isEmpty) }
                #expect(try await broker.inspector.counts(of: queue).ready == 1)
            }
        }
    }

    @Test(arguments: ["first", "second", "verdict", "checkpoint", "self", "lease"])
    func `what can never be accepted ends the stream with an explanation`(
        _ what: String
    ) async throws {
        try await withWorkDoor(broker) { port in
            try await RawWork.with(port) { work in
                if what == "first" { work.say { $0.credits = 1 } }
                work.open("mail", leaseMs: what == "lease" ? 1 : 0)
                work.say { request in
                    var settlement = Godwit_V1_Settlement()
                    settlement.token = Data(repeating: 1, count: 56)
                    switch what {
                    case "second": request.open.queue = "other"
                    case "verdict": request.settlements = [settlement]
                    case "self":
                        settlement.verdict.forward.queue = "mail"
                        request.settlements = [settlement]
                    case "checkpoint":
                        var progress = Godwit_V1_Progress()
                        progress.bytes = Data(repeating: 0, count: 5000)
                        request.checkpoints = [progress]
                    default: break
                    }
                }
                do {
                    while try await work.next() != nil {}
                    Issue.record("the stream ended in order")
                } catch let error as RPCError {
                    #expect(error.code == .invalidArgument)
                    #expect(!error.message.isEmpty)
                }
            }
        }
    }

    @Test func `absurd credits get what the door allows`() async throws {
        try await fill(100)
        var limits = DoorLimits()
        limits.credits = 10
        try await withWorkDoor(broker, limits: limits) { [broker, queue] port in
            try await RawWork.with(port) { work in
                work.open("mail", credits: .max)
                work.say { $0.credits = .max }
                var got: [Godwit_V1_Delivery] = []
                while got.count < 10 { got += try await work.next()?.deliveries ?? [] }
                // The answer to a renewal says that the server has looked again since.
                work.say { $0.renewals = [Data()] }
                _ = try await work.next { !$0.renewed.isEmpty }
                #expect(try await broker.inspector.counts(of: queue).leased == 10)
            }
        }
    }

    // MARK: clients that go wrong

    @Test func `a client that is cut off gets its leases run out, and its last word counts`()
        async throws
    {
        try await fill(3)
        try await withWorkDoor(broker) { [broker, queue] port in
            try await RawWork.with(port) { work in
                work.open("mail", credits: 3, leaseMs: 300)
                var got: [Godwit_V1_Delivery] = []
                while got.count < 3 { got += try await work.next()?.deliveries ?? [] }
                work.ack(got.prefix(1))
                _ = try await work.next { !$0.settled.isEmpty }
            }
            // Another client of the queue: the door takes back what the first one held.
            try await RawWork.with(port) { work in
                work.open("mail", credits: 3, leaseMs: 300)
                // On a slow machine a lease may run out here too: then they come again.
                while try await broker.inspector.counts(of: queue).completed < 3,
                    let answer = try await work.next()
                {
                    if !answer.deliveries.isEmpty { work.ack(answer.deliveries, credits: 3) }
                }
            }
            #expect(try await broker.inspector.counts(of: queue).completed == 3)
        }
    }

    @Test func `one that does not read holds a little, and the others get the rest`() async throws {
        try await fill(100, bytes: 256 << 10)
        try await withWorkDoor(broker) { port in
            try await RawWork.with(port, reads: false) { stuck in
                stuck.open("mail", credits: 1000, leaseMs: 600_000)
                try await RawWork.with(port) { work in
                    work.open("mail", credits: 100)
                    var count = 0
                    while count < 30, let answer = try await work.next() {
                        count += answer.deliveries.count
                        work.ack(answer.deliveries)
                    }
                    // The rest may be in the window of the connection, 8 MiB, and in buffers on its way.
                    #expect(count >= 30)
                }
            }
        }
    }

    @Test func `a store that fails leaves outcomes unknown, and the stream goes on`() async throws {
        try await fill(2)
        let faulty = FaultyBroker(broker)
        try await withWorkDoor(faulty) { port in
            try await RawWork.with(port) { work in
                work.open("mail", credits: 1)
                let first = try await work.next()?.deliveries ?? []
                faulty.inject(.fail(FaultyBroker.unavailable()), into: .settle)
                work.ack(first)
                let answer = try await work.next { !$0.settled.isEmpty }
                #expect(answer?.settled == [.unknown])
                #expect(answer?.hasFailure == true)
                work.ack(first, credits: 1)
                #expect(try await work.next { !$0.settled.isEmpty }?.settled == [.done])
            }
        }
    }

    // MARK: the Swift client

    @Test func `the client works all, and stops`() async throws {
        try await fill(1000)
        try await withWorkDoor(broker) { [queue] port in
            try await withRemote(port) { remote in
                let work = WorkStream(remote, queue: queue, concurrency: 8)
                let left = Atomic(1000)
                try await work.run { _ in
                    if left.subtract(1, ordering: .relaxed).newValue == 0 { work.stop() }
                    return .ack
                }
            }
        }
        #expect(try await completed() == 1000)
    }

    @Test func `a handler that takes longer than its lease keeps it`() async throws {
        try await fill(1)
        try await withWorkDoor(broker) { [queue] port in
            try await withRemote(port) { remote in
                var options = WorkStream.Options()
                options.lease = .milliseconds(300)
                let work = WorkStream(remote, queue: queue, concurrency: 2, options: options)
                let runs = Atomic(0)
                try await work.run { _ in
                    runs.add(1, ordering: .relaxed)
                    // Longer than several leases.
                    try? await Task.sleep(for: .milliseconds(1200))
                    work.stop()
                    return .ack
                }
                #expect(runs.load(ordering: .relaxed) == 1)
            }
        }
        #expect(try await completed() == 1)
    }

    @Test func `a server that is killed and comes back loses nothing`() async throws {
        try await fill(400)
        let handled = Counted()
        // Below those that systems give to whoever asks for any: nobody else takes it in between.
        let port = Int.random(in: 20_000..<30_000)
        let (isOpen, half) = (Signal(), Signal())
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { [broker] in
                try await withWorkDoor(broker, port: port) { _ in
                    isOpen.fire()
                    await half.wait()
                }
                try await withWorkDoor(broker, port: port) { _ in await handled.all.wait() }
            }
            tasks.addTask { [queue, broker] in
                await isOpen.wait()
                try await withRemote(port) { remote in
                    // What was on its way when the server ended comes again after so long.
                    var options = WorkStream.Options()
                    options.lease = .seconds(3)
                    let work = WorkStream(remote, queue: queue, concurrency: 4, options: options)
                    try await work.run { message in
                        let count = handled.note(message.token.id)
                        if count == 100 { half.fire() }
                        if count == 400 { work.stop() }
                        return .ack
                    }
                    // What could not be said on the stream is said by a call.
                    while try await broker.inspector.counts(of: queue).completed < 400 {
                        try await Task.sleep(for: .milliseconds(10))
                    }
                }
                handled.all.fire()
            }
            try await tasks.waitForAll()
        }
        #expect(try await completed() == 400)
    }
}

/// Different messages that were handled.
private final class Counted: Sendable {
    private let seen = Mutex<Set<MessageID>>([])
    let all = Signal()

    func note(_ id: MessageID) -> Int {
        seen.withLock { seen in
            seen.insert(id)
            return seen.count
        }
    }
}
