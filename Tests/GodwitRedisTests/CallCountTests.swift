// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitRedis
import RedisClient
import Synchronization
import TestRedis
import Testing

private struct Tick: Job {
    static let name = "tick"
    let number: Int
}

/// Every word is one call of the server for a whole batch; here it is counted and timed there.
@Suite(.serialized, .timeLimit(.minutes(3))) struct `Calls of the server` {
    /// Why the best of eight rounds: how many callers gather behind a flight is the scheduler's choice,
    /// and what else the machine does only ever adds calls. Without gathering every round takes over 10,000.
    @Test func `ten thousand jobs of a thousand producers, one by one, take at most 250 calls`()
        async throws
    {
        var best = Int.max
        for _ in 0..<8 where best > 250 {
            try await withRedisBroker { broker, _, client in
                best = min(best, try await callsForTenThousandJobs(broker, client))
            }
        }
        #expect(best <= 250)
    }

    private func callsForTenThousandJobs(
        _ broker: RedisBroker, _ client: RedisClient
    ) async throws -> Int {
        let jobs = 10_000
        let queue = Queue("ticks", on: broker)
        _ = try await client.send(RedisCommand(["CONFIG", "RESETSTAT"]))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for producer in 0..<1000 {
                group.addTask {
                    for number in 0..<jobs / 1000 {
                        try await queue.enqueue(Tick(number: producer * 1000 + number))
                    }
                }
            }
            try await group.waitForAll()
        }
        let produced = try await evalsha(client)
        let ran = Mutex(0)
        let worker = Worker(queue, concurrency: 256) { jobs in
            jobs.handle(Tick.self) { _, _ in ran.withLock { $0 += 1 } }
        }
        try await worker.run(until: .drained)
        #expect(ran.withLock { $0 } == jobs)
        let all = try await evalsha(client)
        print(
            "calls per 10,000 jobs: enqueue \(produced.calls), worker \(all.calls - produced.calls)"
        )
        return Int(all.calls)
    }

    @Test func `a full batch takes about a millisecond of the server`() async throws {
        try await withRedisBroker { broker, _, client in
            var times: [String: [Double]] = [:]
            func timed(_ word: String, _ body: () async throws -> Void) async throws {
                _ = try await client.send(RedisCommand(["CONFIG", "RESETSTAT"]))
                try await body()
                let stat = try await evalsha(client)
                times[word, default: []].append(stat.micros / Double(max(1, stat.calls)))
            }
            for _ in 0..<15 {
                try await timed("enqueue of 256") {
                    let messages = (0..<256).map { _ in NewMessage.sample() }
                    _ = try await broker.enqueue(messages, to: .work)
                }
                var leased: [LeasedMessage] = []
                for _ in 0..<2 {
                    try await timed("reserve of 128") {
                        let request = ReserveRequest(128, kinds: [.mail])
                        leased += try await broker.reserve(request, from: .work).messages
                    }
                }
                #expect(leased.count == 256)
                try await timed("ack of 256") {
                    let acks = leased.map { Settlement($0.token, .ack) }
                    _ = try await broker.settle(acks, in: .work)
                }
            }
            for (word, values) in times.sorted(by: { $0.key < $1.key }) {
                let sorted = values.sorted()
                print("\(word): median \(sorted[sorted.count / 2]) µs, least \(sorted[0]) µs")
                // Why so much: the time is of the wall, and the machine may do other things.
                #expect(sorted[sorted.count / 2] < 5000)
            }
        }
    }

    private func evalsha(_ client: RedisClient) async throws -> (calls: Int, micros: Double) {
        let info = try await client.send(RedisCommand(["INFO", "commandstats"])).string ?? ""
        // EVAL, too: that is how a script travels that the server has forgotten.
        var sum = (calls: 0, micros: 0.0)
        for line in info.split(whereSeparator: \.isNewline)
        where line.hasPrefix("cmdstat_eval") {
            let fields = line.drop { $0 != ":" }.dropFirst().split(separator: ",")
                .map { $0.split(separator: "=") }
            sum.calls += fields.first { $0.first == "calls" }?.last.flatMap { Int($0) } ?? 0
            sum.micros += fields.first { $0.first == "usec" }?.last.flatMap { Double($0) } ?? 0
        }
        return sum
    }
}
