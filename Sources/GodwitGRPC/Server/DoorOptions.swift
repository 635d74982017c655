// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GRPCNIOTransportHTTP2Posix
import NIOCore

/// Where a door stands, and who may come in; by default holders of tokens, on loopback.
public struct DoorOptions: Sendable {
    /// Files in PEM form; they are read once.
    public struct TLS: Sendable, Hashable {
        /// The certificate and those between it and its authority.
        public var certificate: String
        public var key: String
        /// Whose clients' certificates are taken (mTLS); nil: clients need none. They need a token too.
        public var clientAuthorities: String?

        public init(certificate: String, key: String, clientAuthorities: String? = nil) {
            self.certificate = certificate
            self.key = key
            self.clientAuthorities = clientAuthorities
        }
    }

    /// An address in numbers, or `localhost`.
    public var host = "127.0.0.1"
    /// 0 lets the system choose.
    public var port = 50051
    public var tls: TLS?
    /// Lets others than this machine connect without TLS: something in front of the door does that.
    public var allowsPlaintext = false
    /// Everybody on this machine may do everything, without a token; only for a door on loopback.
    public var letsAnybodyIn = false
    public var limits = DoorLimits()

    public init() {}

    /// The address in numbers; throws when the door would be open to those it is not meant for.
    func checkedHost() throws(DoorError) -> String {
        let host = host == "localhost" ? "127.0.0.1" : host
        guard let isLoopback = Loopback.holds(host) else { throw .noAddress(host) }
        if letsAnybodyIn, !isLoopback { throw .open(host) }
        if tls == nil, !isLoopback, !allowsPlaintext { throw .plaintext(host) }
        return host
    }

    func security() throws(DoorError) -> HTTP2ServerTransport.Posix.TransportSecurity {
        guard let tls else { return .plaintext }
        let (chain, key): ([UInt8], [UInt8])
        var authorities: [UInt8]?
        do throws(PEMFile.Unusable) {
            chain = try PEMFile.read(tls.certificate)
            key = try PEMFile.read(tls.key)
            if let path = tls.clientAuthorities { authorities = try PEMFile.read(path) }
        } catch {
            throw .file(error.path, error.reason)
        }
        guard let authorities else {
            return .tls(
                certificateChain: [.bytes(chain, format: .pem)],
                privateKey: .bytes(key, format: .pem)
            ) { $0.requireALPN = true }
        }
        return .mTLS(
            certificateChain: [.bytes(chain, format: .pem)], privateKey: .bytes(key, format: .pem)
        ) {
            $0.requireALPN = true
            $0.trustRoots = .certificates([.bytes(authorities, format: .pem)])
        }
    }
}

/// Why a door is not opened.
@nonexhaustive
public enum DoorError: Error, Sendable, Hashable, CustomStringConvertible {
    case noAddress(String)
    case open(String)
    case plaintext(String)
    case file(String, String)

    public var description: String {
        switch self {
        case .noAddress(let host):
            """
            '\(String(host.prefix(80)).escapedForDisplay)' is no address for the gRPC door: give it in \
            numbers, such as 127.0.0.1 or ::1, or localhost. Nothing was started.
            """
        case .open(let host):
            """
            \(host) can be reached by others, and without tokens everybody there could do everything. \
            Nothing was started. Listen on 127.0.0.1, or let clients have tokens of `godwit token add`.
            """
        case .plaintext(let host):
            """
            \(host) can be reached by others, and without TLS they could read tokens and messages on \
            their way. Nothing was started. Give a certificate and its key, or listen on 127.0.0.1; \
            where something in front does TLS, say that plaintext is meant.
            """
        case .file(let path, let reason):
            """
            the file '\(path.escapedForDisplay)' is no use for TLS: \(reason.escapedForDisplay). \
            Nothing was started. It must be readable, in PEM form.
            """
        }
    }
}

/// Addresses that nobody from outside of this machine gets to.
enum Loopback {
    /// Nil for what is no address in numbers.
    static func holds(_ host: String) -> Bool? {
        guard let address = try? SocketAddress(ipAddress: host, port: 0) else { return nil }
        switch address {
        case .v4: return host.hasPrefix("127.")
        case .v6(let address):
            return withUnsafeBytes(of: address.address.sin6_addr) { bytes in
                bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
            }
        case .unixDomainSocket: return nil
        }
    }
}

/// A file of certificates or a key.
enum PEMFile {
    /// No such file is longer.
    private static let most = 1 << 20

    struct Unusable: Error {
        let path: String
        let reason: String
    }

    static func read(_ path: String) throws(Unusable) -> [UInt8] {
        guard let handle = FileHandle(forReadingAtPath: path) else {
            throw Unusable(path: path, reason: "it is not there or can't be read")
        }
        defer { try? handle.close() }
        let bytes: [UInt8]
        do {
            bytes = Array(try handle.read(upToCount: most + 1) ?? Data())
        } catch {
            throw Unusable(path: path, reason: error.localizedDescription)
        }
        if bytes.count > most { throw Unusable(path: path, reason: "it is longer than 1 MiB") }
        guard String(decoding: bytes, as: UTF8.self).contains("-----BEGIN ") else {
            throw Unusable(path: path, reason: "it holds no PEM block")
        }
        return bytes
    }
}
