// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// Work as a value: what a producer enqueues and a handler gets.
///
/// A job is encoded once, when it is enqueued. Fields that are added later need a default, because
/// messages of the older shape may still wait: give them optional types.
public protocol Job: Codable, Sendable {
    /// The wire name of the kind; the type's own name unless said otherwise. Set it before you
    /// rename the type: waiting messages carry it.
    static var name: String { get }

    /// What holds for every job of this type unless the enqueue says otherwise.
    static var defaults: JobDefaults { get }
}

extension Job {
    public static var name: String { "\(Self.self)" }
    public static var defaults: JobDefaults { JobDefaults() }

    /// The wire name, checked; a type whose name is none (a generic one) must set `name`.
    package static func kind() throws(InvalidName) -> Kind {
        try KindTable.shared.kind(of: Self.self)
    }
}

/// What holds for every job of one type.
public struct JobDefaults: Sendable {
    public var retry: RetryPolicy
    /// How long one run may take; then its task is cancelled and the run counts as failed.
    public var timeout: Duration?
    public var priority: Priority

    public init(
        retry: RetryPolicy = .exponential(), timeout: Duration? = nil, priority: Priority = .normal
    ) {
        self.retry = retry
        self.timeout = timeout
        self.priority = priority
    }
}

/// Kinds by type, so that a name is made and checked once.
final class KindTable: Sendable {
    static let shared = KindTable()

    private let kinds = Mutex<[ObjectIdentifier: Kind]>([:])

    func kind<J: Job>(of type: J.Type) throws(InvalidName) -> Kind {
        if let kind = kinds.withLock({ $0[ObjectIdentifier(type)] }) { return kind }
        let kind = try Kind(type.name)
        kinds.withLock { $0[ObjectIdentifier(type)] = kind }
        return kind
    }
}
