// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Godwit
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Finds all addresses of a name; a stand-in answers in tests.
package protocol HostResolver: Sendable {
    /// Throws when the name can't be resolved now; it may be resolved later.
    func addresses(of host: String) async throws -> [NetworkAddress]
}

/// The system's resolver, on threads of its own: `getaddrinfo` blocks as long as it likes.
package struct SystemResolver: HostResolver {
    /// Why bounded: a resolver that hangs must not take a thread for every alert.
    private static let most = 4
    private static let busy = Atomic(0)
    private static let threads = DispatchQueue(label: "godwit.resolver", attributes: .concurrent)

    package init() {}

    /// Ends at once when the task is cancelled; the system call then ends by itself, unheard.
    package func addresses(of host: String) async throws -> [NetworkAddress] {
        guard Self.busy.add(1, ordering: .relaxed).newValue <= Self.most else {
            Self.busy.subtract(1, ordering: .relaxed)
            throw ResolverError(host: host, cause: "the resolver is busy with other names")
        }
        let signal = Signal()
        let answer = Answer()
        Self.threads.async {
            let result = Self.look(up: host)
            Self.busy.subtract(1, ordering: .relaxed)
            answer.put(result)
            signal.fire()
        }
        await signal.wait()
        guard let result = answer.take() else { throw CancellationError() }
        return try result.get()
    }

    private final class Answer: Sendable {
        private let result = Mutex<Result<[NetworkAddress], ResolverError>?>(nil)

        func put(_ value: Result<[NetworkAddress], ResolverError>) {
            result.withLock { $0 = value }
        }
        func take() -> Result<[NetworkAddress], ResolverError>? { result.withLock { $0 } }
    }

    private static func look(up host: String) -> Result<[NetworkAddress], ResolverError> {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        #if os(Linux)
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        #else
        hints.ai_socktype = SOCK_STREAM
        #endif
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, nil, &hints, &list)
        guard code == 0 else {
            return .failure(ResolverError(host: host, cause: String(cString: gai_strerror(code))))
        }
        defer { freeaddrinfo(list) }
        var addresses: [NetworkAddress] = []
        var next = list
        while let entry = next, addresses.count <= 64 {
            next = entry.pointee.ai_next
            guard let address = entry.pointee.ai_addr else { continue }
            let bytes: [UInt8]
            switch entry.pointee.ai_family {
            case AF_INET:
                bytes = address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    withUnsafeBytes(of: $0.pointee.sin_addr) { [UInt8]($0) }
                }
            case AF_INET6:
                bytes = address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    withUnsafeBytes(of: $0.pointee.sin6_addr) { [UInt8]($0) }
                }
            default: continue
            }
            if let found = NetworkAddress(bytes: bytes), !addresses.contains(found) {
                addresses.append(found)
            }
        }
        return .success(addresses)
    }
}

struct ResolverError: Error, CustomStringConvertible {
    var host: String
    var cause: String

    var description: String { "\(host) can't be resolved: \(cause)" }
}
