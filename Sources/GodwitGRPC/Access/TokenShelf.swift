// SPDX-License-Identifier: Apache-2.0
import Crypto
import Godwit
import GRPCCore
import Synchronization

/// The tokens of a store as this door last read them: all of them at once, at most ``longest`` old.
///
/// Why all at once: a folder holds at most 10,000 notes, a name that is not there is known to be none
/// without asking the store, and so no flood of forged tokens costs the store more than one reading each
/// ``shortest``. Nobody is locked out by the failures of others, as nobody's failures are counted.
final class TokenShelf: Sendable {
    /// After this time a removed token is good for nothing.
    static let longest = Duration.seconds(5)
    /// What is refused may be newer than the shelf; it is read again, but not more often.
    static let shortest = Duration.seconds(1)

    /// A token, ready to be asked.
    struct Client: Sendable {
        let record: TokenRecord
        let caller: Caller
    }

    private let broker: any Broker
    private let clients: SharedReading<[String: Client]>

    init(_ broker: any Broker) {
        self.broker = broker
        let book = TokenBook(broker.board)
        let key = Mutex<SymmetricKey?>(nil)
        clients = SharedReading(time: broker.time, failuresLast: Self.shortest) {
            () async throws(BrokerError) in
            let known = key.withLock { $0 }
            let maskKey = if let known { known } else { try await book.maskKey() }
            key.withLock { $0 = maskKey }
            var clients: [String: Client] = [:]
            for record in try await book.all() {
                let mask = TokenMask(key: maskKey, client: record.digest)
                clients[record.name] = Client(
                    record: record,
                    caller: Caller(mask: mask) { act, queue in record.allows(act, on: queue) })
            }
            return clients
        }
    }

    private var storeNow: Timestamp { broker.time.now() + broker.clockOffset }

    /// The client whose token this is; nil for what is forged, unknown, removed or expired.
    func client(of text: some StringProtocol) async throws(BrokerError) -> Client? {
        guard let token = AccessToken(text) else { return nil }
        if let client = Self.match(
            token, try await clients.value(within: Self.longest), at: storeNow)
        {
            return client
        }
        return Self.match(token, try await clients.value(within: Self.shortest), at: storeNow)
    }

    /// Returns when the token is no longer good, or the task is cancelled. A store that is away does
    /// not end it: then nothing can be done anyway.
    func waitForEnd(of client: Client) async {
        while !Task.isCancelled {
            var pause = Self.longest - Self.shortest
            if let end = client.record.expiresAt { pause = min(pause, end - storeNow) }
            await broker.time.sleep(for: max(.milliseconds(1), pause))
            guard client.record.isGood(at: storeNow) else { return }
            if let clients = try? await clients.value(within: Self.shortest),
                clients[client.record.name]?.record != client.record
            {
                return
            }
        }
    }

    /// Why a digest for an unknown name too: both take the same way and the same time.
    private static func match(
        _ token: AccessToken, _ clients: [String: Client], at now: Timestamp
    ) -> Client? {
        let client = clients[token.name]
        let known = client?.record.digest ?? [UInt8](repeating: 0, count: SHA256.byteCount)
        var difference: UInt8 = client == nil ? 1 : 0
        for (given, known) in zip(token.digest, known) { difference |= given ^ known }
        guard difference == 0, let client, client.record.isGood(at: now) else { return nil }
        return client
    }
}

extension TokenMask {
    /// HMAC-SHA256 (RFC 2104), its first 64 bits, under a key of the client's own.
    init(key: SymmetricKey, client: [UInt8]) {
        let own = SymmetricKey(
            data: HMAC<SHA256>.authenticationCode(for: client, using: key))
        self.init { bytes in
            HMAC<SHA256>.authenticationCode(for: bytes, using: own).withUnsafeBytes {
                $0.loadUnaligned(as: UInt64.self)
            }
        }
    }
}
