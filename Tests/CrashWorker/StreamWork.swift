// SPDX-License-Identifier: Apache-2.0
package import Godwit
package import GodwitStreams

/// A point of the crash tests: the `place`th of its key, from 0.
package struct CrashPoint: Codable, Sendable, Hashable {
    package var key: Int
    package var place: Int

    package init(key: Int, place: Int) {
        self.key = key
        self.place = place
    }
}

/// What a key has learnt; wrong as soon as a point was handled twice, left out or out of order.
package struct CrashState: StreamState, Hashable {
    package var next = 0
    package var digest: UInt64 = 0

    package init() {}

    package mutating func take(_ point: CrashPoint) {
        next = point.place + 1
        digest = (digest ^ UInt64(point.place)) &* 0x100_0000_01b3
    }
}

/// A message that every tenth point sends with its commit.
package struct CrashAlert: Job, Hashable {
    package static let name = "crash.alert"
    package var point: CrashPoint
}

/// How the crash tests and their workers see the stream.
package enum CrashStream {
    package static let window = 8
    package static let alerts: QueueName = "crash-alerts"

    package static func make(
        _ name: QueueName, on broker: any StreamBroker
    ) -> KeyedStream<CrashPoint, CrashState> {
        KeyedStream(
            name, of: CrashPoint.self, key: { "key-\($0.key)" }, window: window,
            state: CrashState.self, on: broker)
    }

    static func worker(
        _ stream: KeyedStream<CrashPoint, CrashState>, lease: Duration
    ) -> StreamWorker<CrashPoint, CrashState> {
        var options = StreamWorkerOptions()
        options.lease = lease
        options.batch = 8
        options.retry = .constant(.milliseconds(20))
        return StreamWorker(stream, concurrency: 4, options: options) { window, context in
            let point = window.current
            Report.point(point, .began).write()
            // Order and window are what the stream promises (I7).
            let expected = Array(max(0, point.place - Self.window + 1)..<point.place)
            if window.state.next != point.place || window.previous.map(\.place) != expected {
                Report.point(point, .disorder).write()
            }
            if point.place % 10 == 0 {
                try context.enqueue(CrashAlert(point: point), to: alerts)
            }
            await SystemTime().sleep(for: .milliseconds(point.place % 3))
            if point.place % 50 == 7, context.attempt == 1 {
                Report.point(point, .failed).write()
                throw Mishap(attempt: 1)
            }
            window.state.take(point)
            Report.point(point, .ended).write()
        }
    }
}
