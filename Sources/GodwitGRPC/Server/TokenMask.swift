// SPDX-License-Identifier: Apache-2.0
package import Godwit

/// Makes a lease token good for one client only.
///
/// The nonce of the token, its secret part, goes out XORed with a keyed hash of the rest and of the
/// client's name. Another client that comes by the token unmasks it with another name, and so shows a
/// nonce that no store gave: `stale`, as for every token that is not good.
package struct TokenMask: Sendable {
    /// 64 bits that depend on a key of the server, the client and these bytes.
    private let pad: @Sendable (UnsafeRawBufferPointer) -> UInt64

    package init(pad: @escaping @Sendable (UnsafeRawBufferPointer) -> UInt64) { self.pad = pad }

    /// The same again gives back what was there before.
    package func callAsFunction(_ token: LeaseToken) -> LeaseToken {
        let mask = token.withUnsafeBytes {
            pad(UnsafeRawBufferPointer(rebasing: $0[..<(LeaseToken.size - 8)]))
        }
        return LeaseToken(
            entry: token.entry, executedAt: token.executedAt, nonce: token.nonce ^ mask)
    }

    package func callAsFunction(_ token: LaneToken, in stream: QueueName) -> LaneToken {
        // A queue's token has 48 bytes here, a lane's never has: names hold no slash.
        let name = "lane/\(stream)/\(token.key)"
        var bytes = Array(name.utf8)
        return LaneToken(key: token.key, nonce: token.nonce ^ bytes.withUnsafeBytes { pad($0) })
    }
}

extension TokenMask? {
    /// As the client sees it.
    package func shown(_ token: LeaseToken) -> LeaseToken { self.map { $0(token) } ?? token }

    /// As the store knows it: the same as ``shown(_:)``.
    package func known(_ token: LeaseToken) -> LeaseToken { shown(token) }

    package func shown(_ token: LaneToken, in stream: QueueName) -> LaneToken {
        self.map { $0(token, in: stream) } ?? token
    }

    package func known(_ token: LaneToken, in stream: QueueName) -> LaneToken {
        shown(token, in: stream)
    }
}
