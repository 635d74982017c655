// SPDX-License-Identifier: Apache-2.0
import Godwit
import Logging

/// What an archiver does once a minute: notes how its queues stand, and drops what is old.
struct HistoryUpkeep {
    private let archiver: Archiver
    private var duty: Duty
    private var sampledMinute: Int64 = -1
    private var prunedMinute: Int64 = -1

    init(_ archiver: Archiver) {
        self.archiver = archiver
        duty = Duty("prune", owner: archiver.owner, time: archiver.options.dutyTime)
    }

    mutating func once(for queues: [QueueName]) async throws {
        let minute = archiver.now.milliseconds / HistorySpan.minute
        if sampledMinute != minute {
            // Why before: what fails is not tried again within the minute, and work goes on.
            sampledMinute = minute
            let samples = try await Sampler(archiver.broker).samples(of: queues, minute: minute)
            if !samples.isEmpty { try await archiver.history.add([], samples) }
        }
        guard prunedMinute != minute,
            try await duty.isHeld(on: archiver.broker.board, now: archiver.now)
        else { return }
        prunedMinute = minute
        // A bounded amount: what is left has its turn in a minute.
        for _ in 0..<500 where !archiver.isStopping {
            guard try await archiver.history.prune(archiver.options.retention, now: archiver.now)
            else { return }
        }
    }

    mutating func giveUp() async { await duty.giveUp(on: archiver.broker.board) }
}

/// How queues stand now.
struct Sampler {
    private let broker: any Broker

    init(_ broker: any Broker) { self.broker = broker }

    func samples(
        of queues: [QueueName], minute: Int64
    ) async throws(BrokerError) -> [QueueSample] {
        guard !queues.isEmpty else { return [] }
        let slots = StoreWalk.slots(of: try await broker.board.notes(in: .workers))
        var samples: [QueueSample] = []
        for queue in queues {
            let counts = try await broker.inspector.counts(of: queue)
            let now = broker.time.now() + broker.clockOffset
            let oldest = try await broker.inspector.kinds(of: queue)
                .compactMap(\.oldestReadyAt).min()
            samples.append(
                QueueSample(
                    queue: queue.text,
                    at: Timestamp(milliseconds: minute * HistorySpan.minute), ready: counts.ready,
                    scheduled: counts.scheduled, leased: counts.leased, dead: counts.dead,
                    enqueued: counts.enqueued,
                    ended: counts.ended,
                    oldestReadyMilliseconds: oldest.map { max(0, (now - $0).milliseconds) } ?? 0,
                    slots: slots[queue.text]?.all ?? 0, busySlots: slots[queue.text]?.busy ?? 0))
        }
        return samples
    }
}
