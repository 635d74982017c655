// SPDX-License-Identifier: Apache-2.0
import Foundation
import Synchronization

/// A small server on loopback whose every connection is one call of a closure on a thread of its own.
final class LoopbackServer: Sendable {
    let port: Int
    private let listener: Int32

    init(_ serve: @escaping @Sendable (Int32) -> Void) throws {
        let listener = try Self.socket()
        var address = Self.address(0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 16) == 0
                    && getsockname(listener, $0, &length) == 0
            }
        }
        guard isBound else { throw POSIXError(.EADDRINUSE) }
        self.listener = listener
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread {
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                Thread.detachNewThread {
                    serve(connection)
                    close(connection)
                }
            }
        }
    }

    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    static func socket() throws -> Int32 {
        #if os(Linux)
        let descriptor = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #else
        let descriptor = Foundation.socket(AF_INET, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { throw POSIXError(.EMFILE) }
        return descriptor
    }

    static func address(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    /// Sends all of it; false when the other side is gone.
    @discardableResult
    static func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    static func read(_ descriptor: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer.prefix(count)) : nil
    }
}

/// Answers every request with the same bytes.
func cannedServer(_ answer: String) throws -> LoopbackServer {
    try LoopbackServer { connection in
        var received: [UInt8] = []
        while let bytes = LoopbackServer.read(connection) {
            received += bytes
            let text = String(decoding: received, as: UTF8.self)
            guard let head = text.range(of: "\r\n\r\n") else { continue }
            let length =
                text[..<head.lowerBound].lowercased().components(separatedBy: "content-length: ")
                .dropFirst().first.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
            guard text[head.upperBound...].utf8.count >= length else { continue }
            LoopbackServer.write(Array(answer.utf8)[...], to: connection)
            return
        }
    }
}

/// Passes bytes on to a port of loopback, and cuts connections where it is told to.
final class CuttingProxy: Sendable {
    enum Cut: Sendable, Equatable {
        case nowhere
        /// After so many bytes of what the client sends.
        case after(Int)
        /// When the answer begins: the server has done it all, and nobody hears of it.
        case beforeAnswer
    }

    private let server: LoopbackServer

    var port: Int { server.port }

    convenience init(to port: Int) throws { try self.init(to: { port }) }

    init(to target: @escaping @Sendable () -> Int) throws {
        let cut = SharedCut()
        shared = cut
        server = try LoopbackServer { client in
            guard let upstream = try? LoopbackServer.socket() else { return }
            defer { close(upstream) }
            var address = LoopbackServer.address(target())
            let isConnected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(upstream, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
                }
            }
            guard isConnected else { return }
            cut.open.withLock { _ = $0.insert(client) }
            defer { cut.open.withLock { _ = $0.remove(client) } }
            let isDone = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                while let bytes = LoopbackServer.read(upstream) {
                    if cut.value.withLock({ $0 }) == .beforeAnswer { break }
                    guard LoopbackServer.write(bytes[...], to: client) else { break }
                }
                shutdown(client, Int32(SHUT_RDWR))
                shutdown(upstream, Int32(SHUT_RDWR))
                isDone.signal()
            }
            var passed = 0
            while let bytes = LoopbackServer.read(client) {
                var part = bytes[...]
                if case .after(let limit) = cut.value.withLock({ $0 }) {
                    part = bytes.prefix(max(0, limit - passed))
                }
                passed += part.count
                guard LoopbackServer.write(part, to: upstream), part.count == bytes.count else {
                    break
                }
            }
            shutdown(client, Int32(SHUT_RDWR))
            shutdown(upstream, Int32(SHUT_RDWR))
            isDone.wait()
        }
    }

    private final class SharedCut: Sendable {
        let value = Mutex(Cut.nowhere)
        let open = Mutex(Set<Int32>())
    }
    private let shared: SharedCut

    /// Ends the connections that are open.
    func dropOpen() {
        shared.open.withLock { for one in $0 { shutdown(one, Int32(SHUT_RDWR)) } }
    }

    func cut(_ where: Cut) { shared.value.withLock { $0 = `where` } }

    func stop() { server.stop() }
}

/// Another server until it is switched over; then always the same answer.
final class SwitchingServer: Sendable {
    private let canned: LoopbackServer
    private let front: CuttingProxy

    private final class Target: Sendable {
        let port: Mutex<Int>
        init(_ port: Int) { self.port = Mutex(port) }
    }
    private let target: Target

    var port: Int { front.port }

    init(first: Int, then answer: String) throws {
        let target = Target(first)
        self.target = target
        canned = try cannedServer(answer)
        front = try CuttingProxy(to: { target.port.withLock { $0 } })
    }

    /// Why the cut: connections that are open already would go on with the first.
    func switchOver() {
        target.port.withLock { $0 = canned.port }
        front.dropOpen()
    }

    func stop() {
        front.stop()
        canned.stop()
    }
}
