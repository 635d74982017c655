// SPDX-License-Identifier: Apache-2.0
package import NIOCore
import NIOPosix
import Synchronization

/// How a sink treats its clients: as told, so that tests and stories can be hard on them.
package final class SinkRules: Sendable {
    /// A recipient whose address begins like this is unknown: 550, each time.
    package static let nobody = "nobody"

    /// What the reply to each mail waits, as a server far away would let us wait.
    package let delay: TimeAmount
    /// Each n-th recipient is answered by 451; 0: none.
    package let deferEvery: Int
    /// Behind each n-th mail that was taken the connection is cut and no reply given; 0: none.
    package let cutEvery: Int
    /// Repeats are told by their Message-ID; a sink without this shows what the test must catch.
    package let dropsRepeats: Bool
    private let counts = Mutex((recipients: 0, mails: 0))

    package init(
        delay: TimeAmount = .nanoseconds(0), deferEvery: Int = 0, cutEvery: Int = 0,
        dropsRepeats: Bool = true
    ) {
        self.delay = delay
        self.deferEvery = deferEvery
        self.cutEvery = cutEvery
        self.dropsRepeats = dropsRepeats
    }

    func defers() -> Bool {
        guard deferEvery > 0 else { return false }
        return counts.withLock { counts in
            counts.recipients += 1
            return counts.recipients % deferEvery == 0
        }
    }

    func cuts() -> Bool {
        guard cutEvery > 0 else { return false }
        return counts.withLock { counts in
            counts.mails += 1
            return counts.mails % cutEvery == 0
        }
    }
}

/// A mail server that keeps nothing: it counts mails, and drops repeats by their Message-ID.
///
/// It is the example's own, made to be counted by; up to 256 connections, each silent for five minutes at most.
package final class Sink: Sendable {
    package static let connections = 256

    package let port: Int
    private let channel: any Channel
    private let sums: SinkSums

    private init(port: Int, channel: any Channel, sums: SinkSums) {
        self.port = port
        self.channel = channel
        self.sums = sums
    }

    /// Listens; port 0 takes a free one.
    package static func start(
        host: String = "127.0.0.1", port: Int = 0, rules: SinkRules = SinkRules(),
        messageIDs: Int = 10_000_000,
        on group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
    ) async throws -> Sink {
        let sums = SinkSums(limit: messageIDs, dropsRepeats: rules.dropsRepeats)
        let open = Mutex(0)
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 256)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let count = open.withLock { count in
                        count += 1
                        return count
                    }
                    channel.closeFuture.whenComplete { _ in open.withLock { $0 -= 1 } }
                    guard count <= connections else { throw SinkError.full }
                    try channel.pipeline.syncOperations.addHandlers([
                        IdleStateHandler(readTimeout: .minutes(5)), SinkHandler(rules, sums),
                    ])
                }
            }
            .bind(host: host, port: port).get()
        return Sink(port: channel.localAddress?.port ?? port, channel: channel, sums: sums)
    }

    /// As it stands now.
    package var report: SinkReport { sums.report }

    /// Listens no more; connections that are open go on until their clients end.
    package func stop() async {
        channel.close(promise: nil)
        try? await channel.closeFuture.get()
    }
}

enum SinkError: Error { case full }
