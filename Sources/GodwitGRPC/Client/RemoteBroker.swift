// SPDX-License-Identifier: Apache-2.0
public import Godwit
import GodwitProtos
package import GRPCCore
import GRPCNIOTransportHTTP2Posix
package import Logging

/// A broker on the other side of a gRPC door: every word is a call, so all that stands on a broker works
/// across the wire.
///
/// Calls that fail before anything was sent are `unavailable`; a lost answer of one that may have changed
/// something is `unknown` (I12). A connection that breaks is made again with growing pauses up to 5
/// seconds. Close it with `shutdown()`.
public final class RemoteBroker: Broker {
    let courier: Courier
    let words: Godwit_V1_Queue.Client<HTTP2ClientTransport.Posix>
    let store: Godwit_V1_Store.Client<HTTP2ClientTransport.Posix>
    public let limits: BrokerLimits
    public let time: any TimeSource
    public let clockOffset: Duration
    let validation: Validation
    let logger: Logger

    /// Comes in, and asks what the store holds its callers to.
    ///
    /// Throws `unavailable` when nobody answers for 5 seconds; a door that goes away later is waited for.
    package convenience init(
        host: String, port: Int, token: String? = nil, time: any TimeSource = SystemTime(),
        logger: Logger = .current
    ) async throws(BrokerError) {
        try await self.init(
            .ipv4(address: host, port: port), .plaintext, location: "grpc://\(host):\(port)",
            token: token, time: time, logger: logger)
    }

    init(
        _ target: any ResolvableTarget, _ security: HTTP2ClientTransport.Posix.TransportSecurity,
        location: String, token: String?, time: any TimeSource, logger: Logger
    ) async throws(BrokerError) {
        self.time = time
        do {
            courier = try Courier(
                target, security, location: location, token: token,
                timeout: time.isVirtual ? nil : .seconds(30))
        } catch {
            throw BrokerError(error, what: "open", location: location, isRead: true)
        }
        words = Godwit_V1_Queue.Client(wrapping: courier.client)
        store = Godwit_V1_Store.Client(wrapping: courier.client)
        do throws(BrokerError) {
            let greeting = try await Greeting(
                store, over: courier, time, patience: .seconds(time.isVirtual ? 60 : 5))
            limits = greeting.limits
            clockOffset = greeting.clockOffset
        } catch {
            await courier.shutdown()
            throw error
        }
        validation = Validation(limits, location: location)
        self.logger = logger
    }

    public var `operator`: any Operator { self }
    public var inspector: any Inspector { self }
    public var eventLog: any EventLog { self }
    public var board: any Board { self }

    public var isShutDown: Bool { courier.isShutDown }

    public func shutdown() async { await courier.shutdown() }
}
