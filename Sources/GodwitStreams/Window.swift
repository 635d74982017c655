// SPDX-License-Identifier: Apache-2.0
import DequeModule
public import Godwit
public import Logging
import Synchronization

/// What a handler gets: a point, the points of its key before it, and the key's state.
public struct Window<Point: Sendable, State: Sendable>: Sendable {
    public let current: Point
    /// The points of the key before the current one, in the order they were appended, oldest first;
    /// at most the stream's window less one.
    public let previous: PreviousPoints<Point>
    /// Kept with the window in the commit; what the handler leaves here the next point finds. When
    /// the handler throws, it is as if it had not been touched.
    public var state: State

    /// A window by hand, for tests of handlers.
    public init(current: Point, previous: [Point] = [], state: State) {
        self.current = current
        self.previous = PreviousPoints(points: Deque(previous))
        self.state = state
    }

    init(current: Point, previous: PreviousPoints<Point>, state: State) {
        self.current = current
        self.previous = previous
        self.state = state
    }
}

/// Points in the order they were appended.
public struct PreviousPoints<Point: Sendable>: RandomAccessCollection, Sendable {
    var points: Deque<Point>

    public var startIndex: Int { 0 }
    public var endIndex: Int { points.count }
    public subscript(position: Int) -> Point { points[position] }
}

/// What a handler knows of the run it is in, and the way out for its messages.
public struct PointContext: Sendable {
    public let stream: QueueName
    public let key: String
    public let id: PointID
    /// The point came after a newer one of its key.
    public let isLate: Bool
    /// Which run this is by reported failures, from 1.
    public let attempt: Int
    let broker: any StreamBroker
    let outbox: EmissionBuffer
    let lease: LaneLease

    /// True once another worker may have the key: stop, nothing of this run counts any more.
    public var isLeaseLost: Bool { lease.isLost }

    /// The caller's logger with the stream, the key and the point.
    public var logger: Logger {
        var logger = Logger.current
        logger[metadataKey: "stream"] = "\(stream)"
        logger[metadataKey: "key"] = "\(key)"
        logger[metadataKey: "point"] = "\(id)"
        return logger
    }

    /// Buffers a job that goes out in the same step as the commit of this point, or not at all.
    ///
    /// - Repeated: when the point runs again, the same call in the same order makes the same id, so
    ///   the queue takes it once.
    /// - Throws: when the job can't be encoded or no store would take it; nothing was buffered.
    public func enqueue<J: Job>(
        _ job: J, to queue: QueueName, _ options: EnqueueOption...
    ) throws(EnqueueError) {
        let index = outbox.count
        let message = try Queue(queue, on: broker).message(
            for: job, id: .child(of: id, key: key, stream: stream, index: index), options)
        // Why here: later it would be the whole commit that is refused.
        do {
            try Validation(broker.limits, location: "the handler of stream '\(stream)'")
                .check([message], for: queue, at: .latest)
        } catch {
            throw .broker(error, ids: [message.id])
        }
        outbox.append(Emission(message, to: queue))
    }
}

/// The messages of one point, until it is committed.
final class EmissionBuffer: Sendable {
    private let emissions = Mutex<[Emission]>([])

    var count: Int { emissions.withLock { $0.count } }

    func append(_ emission: Emission) { emissions.withLock { $0.append(emission) } }

    func take() -> [Emission] {
        emissions.withLock { emissions in
            defer { emissions = [] }
            return emissions
        }
    }
}

/// Whether a worker still has a key.
package final class LaneLease: Sendable {
    private let flag = Atomic(false)

    package var isLost: Bool { flag.load(ordering: .relaxed) }

    func lose() { flag.store(true, ordering: .relaxed) }
}
