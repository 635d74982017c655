// SPDX-License-Identifier: Apache-2.0
public import Foundation
import Synchronization

/// A store that speaks S3 and believes nothing that is not signed right, and fails where a test says so.
public final class VerifyingServer: StoppableServer, Sendable {
    /// What happens to a request instead of, or to, its answer.
    public enum Fault: Sendable {
        /// The connection closes without a word.
        case drop
        /// It is done, and the connection closes without a word.
        case dropAfter
        /// The answer's body ends after so many bytes.
        case half(Int)
        case status(Int, String)
        /// This answer, whatever was asked.
        case reply(LoopbackServer.Reply)
        /// It is done by somebody who puts these bytes there before.
        case change([UInt8])
    }

    public static let accessKey = "AKIDVERIFYING"
    public static let secret = "the+secret/of=tests"

    private struct Settings {
        var accounts: [String: (secret: String, token: String?)]
        var region = "eu-test-1"
        var now: @Sendable () -> Date = { Date() }
        var fault: @Sendable (LoopbackServer.Request, Int) -> Fault? = { _, _ in nil }
        var count = 0
        var refusals: [String] = []
    }

    private let settings = Mutex(
        Settings(accounts: [accessKey: (secret, nil)]))
    private let table = ObjectTable()
    private let listener = Mutex<LoopbackServer?>(nil)
    private let service: String

    private init(_ service: String) { self.service = service }

    /// Starts a server; `fault` gets each request with the number of those before it.
    public static func start(
        service: String = "s3", region: String = "eu-test-1",
        fault: @escaping @Sendable (LoopbackServer.Request, Int) -> Fault? = { _, _ in nil }
    ) async throws -> VerifyingServer {
        let server = VerifyingServer(service)
        server.settings.withLock {
            $0.fault = fault
            $0.region = region
        }
        let listener = try await LoopbackServer.start { server.answer($0) }
        server.listener.withLock { $0 = listener }
        return server
    }

    /// Runs a server for the length of `body`.
    public static func run<Result>(
        region: String = "eu-test-1",
        fault: @escaping @Sendable (LoopbackServer.Request, Int) -> Fault? = { _, _ in nil },
        _ body: (VerifyingServer) async throws -> Result
    ) async throws -> Result {
        try await start(region: region, fault: fault).serve(body)
    }

    public func stop() async { await listener.withLock { $0 }?.stop() }

    public var url: String { listener.withLock { $0?.url } ?? "" }
    public var requests: [LoopbackServer.Request] { listener.withLock { $0?.requests } ?? [] }
    public var sent: Int { listener.withLock { $0?.sent } ?? 0 }
    public var stalls: Int { listener.withLock { $0?.stalls } ?? 0 }
    /// Codes of what was refused for its signature.
    public var refusals: [String] { settings.withLock { $0.refusals } }
    /// Uploads in parts that nobody completed or gave up.
    public var openUploads: Int { table.openUploads }

    public func allow(_ accessKey: String, _ secret: String, token: String? = nil) {
        settings.withLock { $0.accounts[accessKey] = (secret, token) }
    }

    public func setClock(_ now: @escaping @Sendable () -> Date) {
        settings.withLock { $0.now = now }
    }

    public func bytes(_ bucket: String, _ key: String) -> [UInt8]? { table.bytes(bucket, key) }
    public func put(_ bytes: [UInt8], _ bucket: String, _ key: String) {
        table.put(bytes, bucket, key)
    }

    private func answer(_ request: LoopbackServer.Request) -> LoopbackServer.Reply {
        let (check, fault) = settings.withLock { settings in
            let check = SignatureCheck(
                accounts: settings.accounts, region: settings.region, service: service,
                now: settings.now())
            defer { settings.count += 1 }
            return (check, settings.fault(request, settings.count))
        }
        do throws(SignatureCheck.Refusal) {
            try check.check(request)
        } catch {
            settings.withLock { $0.refusals.append(error.code) }
            var reply = ObjectTable.error(error.status, error.code, region: error.region)
            reply.headers.append(("Date", Self.httpDate(check.now)))
            return reply
        }
        switch fault {
        case nil: return table.answer(request)
        case .drop?: return .drop
        case .dropAfter?:
            _ = table.answer(request)
            return .drop
        case .half(let count)?:
            var reply = table.answer(request)
            reply.cut = count
            return reply
        case .status(let status, let code)?: return ObjectTable.error(status, code)
        case .reply(let reply)?: return reply
        case .change(let bytes)?:
            let words = request.path.split(separator: "/", maxSplits: 1)
            if words.count == 2 {
                table.put(bytes, String(words[0]), SignatureCheck.decode(words[1]))
            }
            return table.answer(request)
        }
    }

    static func httpDate(_ date: Date) -> String {
        let writer = DateFormatter()
        writer.locale = Locale(identifier: "en_US_POSIX")
        writer.timeZone = TimeZone(identifier: "UTC")
        writer.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return writer.string(from: date)
    }
}
