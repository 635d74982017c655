// SPDX-License-Identifier: Apache-2.0

/// Why a command has no good answer: what the caller does next, the text, and which server.
///
/// The text never holds a password.
public struct RedisError: Error, Sendable, Equatable {
    /// What the caller does next. New kinds may be added.
    public enum Kind: Sendable, Hashable {
        /// Nothing was sent: try later. The next attempt to connect is already held back.
        case unavailable
        /// It may or may not have happened: ask, or repeat what is safe to repeat.
        case unknown
        /// The caller's task was cancelled before anything was sent.
        case cancelled
        /// The client was shut down: stop.
        case closed
        /// The URL, a credential or an argument is refused here, before any server saw it: mend it.
        case invalid
        /// `LOADING`, `MASTERDOWN`, `CLUSTERDOWN`: nothing ran; try later.
        case loading
        /// `READONLY`: a replica; nothing ran. The client reconnects by itself; try again.
        case readOnly
        /// `MISCONF`: the server cannot persist and so refuses writes; its operator must act.
        case misconfigured
        /// `OOM`: the server's memory is full; slow down.
        case outOfMemory
        /// `NOREPLICAS`: too few replicas to accept writes; try later.
        case noReplicas
        /// `BUSY`: a script runs for too long on the server; try later.
        case busy
        /// `TRYAGAIN`: the slot is on its way to another server; nothing ran; try again soon.
        case tryAgain
        /// `MOVED`, `ASK`: the key lives on another server.
        case moved
        /// `UNBLOCKED`: the server ended a blocking command by itself, as on a failover.
        case unblocked
        /// `NOAUTH`: the server wants a password and has none from us.
        case noAuth
        /// `WRONGPASS`: user or password is wrong.
        case wrongPassword
        /// `NOPERM`: the ACL user may not do this.
        case noPermission
        /// `NOSCRIPT`: handled by the connection; seen only when no source was at hand.
        case noScript
        /// Any other error of the server: `ERR`, `WRONGTYPE`, what a script raised.
        case server
    }

    /// What the caller does next.
    public let kind: Kind
    /// What happened, likely why, and what to do; for an error of the server, its own words.
    public let text: String
    /// Host and port, or path; never a password. Empty where no server is concerned.
    public let server: String

    /// Makes an error; brokers and tests do, too.
    public init(_ kind: Kind, _ text: String, server: String = "") {
        self.kind = kind
        self.text = text
        self.server = server
    }

    /// Sorts a server's error by its first word.
    public init(reply: ArraySlice<UInt8>, server: String = "") {
        let text = String(decoding: reply.prefix(2048), as: UTF8.self)
        self.init(Self.kind(of: text.prefix { $0 != " " }), text, server: server)
    }

    private static func kind(of code: Substring) -> Kind {
        switch code {
        case "LOADING", "MASTERDOWN", "CLUSTERDOWN": .loading
        case "READONLY": .readOnly
        case "MISCONF": .misconfigured
        case "OOM": .outOfMemory
        case "NOREPLICAS", "NOGOODSLAVE": .noReplicas
        case "BUSY": .busy
        case "TRYAGAIN": .tryAgain
        case "MOVED", "ASK": .moved
        case "UNBLOCKED": .unblocked
        case "NOAUTH": .noAuth
        case "WRONGPASS": .wrongPassword
        case "NOPERM": .noPermission
        case "NOSCRIPT": .noScript
        default: .server
        }
    }
}

extension RedisError: CustomStringConvertible {
    /// What happened, where, and what to do next.
    public var description: String {
        let place = server.isEmpty ? "" : " (Redis at \(server))"
        return advice.map { "\(text)\(place). \($0)" } ?? "\(text)\(place)"
    }

    /// The next step for a server's own words; our own texts hold theirs.
    private var advice: String? {
        switch kind {
        case .loading: "The server is not ready yet; try again in a moment."
        case .readOnly: "This server is a replica; point the URL at the primary."
        case .misconfigured: "The server cannot write to its disk; look into its log and disk."
        case .outOfMemory: "Raise maxmemory, or let consumers drain before producing more."
        case .noReplicas: "Too few replicas are connected; see min-replicas-to-write."
        case .busy: "A script blocks the server; SCRIPT KILL ends one that has not written."
        case .noAuth: "Give user and password in the URL or in GODWIT_REDIS_PASSWORD."
        case .wrongPassword: "Check the user and password of the URL or environment."
        case .noPermission: "Let the operator widen the rights of this ACL user."
        case .moved: "The server is a cluster and this key lives on another node."
        default: nil
        }
    }
}

extension RESPValue {
    /// The value itself, or the server's error as a thrown one.
    public func get(server: String = "") throws(RedisError) -> RESPValue {
        if case .error(let text) = self { throw RedisError(reply: text, server: server) }
        return self
    }
}
