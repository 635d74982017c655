// SPDX-License-Identifier: Apache-2.0
import FibonacciNumbers
import Godwit

/// Reads from the store what became of messages: records say when and how often, the event log who.
struct Courses {
    let broker: any Broker
    /// Which worker has this number in its leases, by the order of their start; nil for a stranger.
    let place: (UInt32) -> Int?

    /// What the event log says of one message.
    private struct Trace {
        var acks = 0
        var losses: [Course.Loss] = []
    }

    /// The courses of messages, by the number each asks for.
    func read(_ numbers: [MessageID: UInt32]) async throws -> [Course] {
        let traces = try await traces(of: numbers)
        var courses: [Course] = []
        for (id, n) in numbers {
            let record = try await broker.inspector.message(id, in: House.queue)
            courses.append(course(n, id, record, traces[id] ?? Trace()))
        }
        return courses.sorted { $0.n < $1.n }
    }

    private func course(
        _ n: UInt32, _ id: MessageID, _ record: MessageRecord?, _ trace: Trace
    ) -> Course {
        let end: Course.End =
            switch record?.state {
            case .completed: .completed
            case .dead: .dead
            default: .open
            }
        var course = Course(n: n, message: id.description, end: end)
        course.acks = trace.acks
        course.losses = trace.losses
        guard let record else { return course }
        course.runs = record.count
        course.failures = Int(record.entry.attempt)
        course.worker = record.worker.flatMap(place)
        course.reason = record.reason?.escapedForDisplay
        if let begin = record.executedAt, let finish = record.finishedAt {
            func span(_ from: Timestamp, _ to: Timestamp) -> Int {
                Int(to.milliseconds - from.milliseconds)
            }
            course.wait = span(record.entry.insertedAt, begin)
            course.run = span(begin, finish)
            course.total = span(record.entry.insertedAt, finish)
        }
        return course
    }

    private func traces(of numbers: [MessageID: UInt32]) async throws -> [MessageID: Trace] {
        var traces: [MessageID: Trace] = [:]
        var position: EventPosition?
        while true {
            let page = try await broker.eventLog.events(
                in: House.queue, after: position, limit: 256)
            for event in page.flatMap(\.events) where numbers[event.token.id] != nil {
                let token = event.token
                switch event.move {
                case .ack: traces[token.id, default: Trace()].acks += 1
                case .reclaim, .crashLoop:
                    traces[token.id, default: Trace()].losses.append(
                        Course.Loss(
                            worker: place(UInt32(truncatingIfNeeded: token.nonce >> 32)),
                            milliseconds: Int(
                                event.at.milliseconds - token.executedAt.milliseconds)))
                default: break
                }
            }
            guard let last = page.last else { return traces }
            position = last.position
        }
    }
}
