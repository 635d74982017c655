// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitGRPC
import Testing

/// The URL of a door.
@Suite("RemoteURL") struct RemoteURLTests {
    @Test func `names, addresses and files are read`() throws {
        #expect(try RemoteURL("grpc://127.0.0.1:7").port == 7)
        #expect(try RemoteURL("grpc://localhost").port == RemoteURL.standardPort)
        #expect(try "\(RemoteURL("grpc://[::1]:7/"))" == "grpc://[::1]:7")
        let url = try RemoteURL("grpcs://queue.example:443?ca=/a%20b&cert=c&key=k&token-file=t")
        #expect(url.isSecure && url.authorities == "/a b" && url.tokenFile == "t")
        #expect("\(url)" == "grpcs://queue.example:443")
        #expect(try !RemoteURL("grpc://10.0.0.1:7?plaintext=yes").isSecure)
    }

    @Test(arguments: [
        "", "http://a", "grpc://", "grpc://:7", "grpc://localhost:0", "grpc://localhost:65536",
        "grpc://localhost:7x", "grpc://[::1", "grpc://[a]:7", "grpc://[::1]7", "grpc://10.0.0.1:7",
        "grpc://127.evil.example:7", "grpc://queue.example", "grpc://localhost?x=1",
        "grpcs://a?ca=1&ca=2", "grpcs://a?cert=c", "grpcs://a?key=k", "grpc://localhost?ca=c",
        "grpcs://a?plaintext=yes", "grpc://a?plaintext=no", "grpcs://a?ca", "grpcs://a?ca=",
        "grpcs://a/b", "grpcs://a b", "grpcs://a?ca=%00", "grpcs://a\r\nb",
    ]) func `what can't be meant is refused`(_ text: String) {
        #expect(throws: RemoteURLError.self) { try RemoteURL(text) }
    }

    @Test(arguments: [
        "grpcs://gdw_a_b@host", "grpcs://user:pass@host:7", "grpcs://host?token=gdw_a_b",
        "grpcs://host?password=x",
    ]) func `a secret is refused, and not said again`(_ text: String) {
        let error = #expect(throws: RemoteURLError.self) { try RemoteURL(text) }
        #expect(error?.holdsSecret == true)
        #expect(error.map { !"\($0)".contains("gdw_a_b") && !"\($0)".contains("pass@") } == true)
    }

    @Test func `a door that others could reach needs TLS and tokens`() throws {
        func open(_ configure: (inout DoorOptions) -> Void) throws {
            var options = DoorOptions()
            configure(&options)
            _ = try QueueServer(MemoryBroker(), options: options)
        }
        for host in ["127.0.0.1", "localhost", "::1", "127.1.2.3"] {
            try open { $0.host = host }
            try open { ($0.host, $0.letsAnybodyIn) = (host, true) }
        }
        for host in ["0.0.0.0", "::", "10.0.0.1", "::2", "::ffff:127.0.0.1"] {
            #expect(throws: DoorError.plaintext(host)) { try open { $0.host = host } }
            #expect(throws: DoorError.open(host)) {
                try open { ($0.host, $0.letsAnybodyIn, $0.allowsPlaintext) = (host, true, true) }
            }
            try open { ($0.host, $0.allowsPlaintext) = (host, true) }
        }
        #expect(throws: DoorError.noAddress("127.evil")) { try open { $0.host = "127.evil" } }
        #expect(throws: DoorError.self) {
            try open { $0.tls = .init(certificate: "/nowhere", key: "/nowhere") }
        }
    }
}
