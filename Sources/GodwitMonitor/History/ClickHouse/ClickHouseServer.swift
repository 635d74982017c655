// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Foundation
import Godwit
import NIOCore
import NIOHTTP1
import NIOPosix

/// A ClickHouse by its HTTP interface, from 18.16.1 on.
///
/// What that version asks for: `wait_end_of_query=1`, or a query that fails half-way answers 200;
/// even then what is wrong stands as `Code: n` in the body, whatever the status.
struct ClickHouseServer: Sendable {
    /// Where it is, without credentials.
    let location: String
    private let base: String
    private let authorization: String?
    private let client: HTTPClient

    /// An answer is held in memory whole; none of our questions has a longer one.
    private static let answerBytes = 128 << 20

    init(
        host: String, port: Int, database: String, user: String?, password: String?, isTLS: Bool
    ) {
        let scheme = isTLS ? "https" : "http"
        let name = host.contains(":") ? "[\(host)]" : host
        base = "\(scheme)://\(name):\(port)/"
        location = "ClickHouse at \(base)\(database)"
        let credentials = "\(user ?? "default"):\(password ?? "")"
        authorization =
            user == nil && password == nil
            ? nil : "Basic " + Data(credentials.utf8).base64EncodedString()
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(5)
        configuration.timeout.read = .seconds(120)
        configuration.redirectConfiguration = .disallow
        // Why: ClickHouse closes an idle connection after 3 s; a request must not meet that.
        configuration.connectionPool.idleTimeout = .seconds(2)
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func shutdown() async { try? await client.shutdown() }

    /// Runs a statement that has no answer.
    func run(_ sql: String, for what: String) async throws(HistoryError) {
        let body = try await send([], body: Array(sql.utf8), for: what)
        if !body.isEmpty { throw failure(String(decoding: body, as: UTF8.self), 200, what) }
    }

    /// Inserts JSON lines; anything but an empty 200 is a failure, after which all may be there or a part.
    func insert(
        into table: String, _ lines: [UInt8], for what: String
    ) async throws(HistoryError) {
        let query = [
            ("query", "INSERT INTO \(table) FORMAT JSONEachRow"),
            ("input_format_skip_unknown_fields", "1"),
        ]
        let body = try await send(query, body: lines, for: what)
        if !body.isEmpty { throw failure(String(decoding: body, as: UTF8.self), 200, what) }
    }

    /// Asks; one row is one array of cells.
    func ask(_ sql: String, for what: String) async throws(HistoryError) -> [ClickHouseRow] {
        let bytes = Array((sql + "\nFORMAT JSONCompact").utf8)
        let body: [UInt8]
        do {
            body = try await send([], body: bytes, for: what)
        } catch {
            guard case .unavailable = error, !Task.isCancelled, error.isConnection else {
                throw error
            }
            // Why once more: a question changes nothing, and the connection may have been an old one.
            body = try await send([], body: bytes, for: what)
        }
        // Why the whole: an error is written behind what was answered before it.
        guard let document = try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any],
            let rows = document["data"] as? [[Any]]
        else { throw failure(String(decoding: body.suffix(4096), as: UTF8.self), 200, what) }
        return rows.map { ClickHouseRow($0, location) }
    }

    private func send(
        _ query: [(String, String)], body: [UInt8], for what: String
    ) async throws(HistoryError) -> [UInt8] {
        let words = ([("wait_end_of_query", "1")] + query).map { name, value in
            "\(name)=\(value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")"
        }
        var request = HTTPClientRequest(url: "\(base)?\(words.joined(separator: "&"))")
        request.method = .POST
        if let authorization { request.headers.add(name: "Authorization", value: authorization) }
        request.body = .bytes(ByteBuffer(bytes: body))
        let status: UInt
        let answer: ByteBuffer
        do {
            let response = try await client.execute(request, timeout: .seconds(180))
            status = response.status.code
            answer = try await response.body.collect(upTo: Self.answerBytes)
        } catch {
            throw .unavailable(
                .init(
                    what: what, location: location, cause: Self.cause(error),
                    advice:
                        "Check that it runs and listens there; what is not archived yet waits in the queue's store."
                ))
        }
        let bytes = Array(answer.readableBytesView)
        guard status == 200 else {
            throw failure(String(decoding: bytes, as: UTF8.self), status, what)
        }
        return bytes
    }

    /// The system's word for what happened to the connection.
    private static func cause(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            let first = error.connectionErrors.first.map { cause($0.error) }
            return first ?? "the name '\(error.host)' has no address"
        case let error as IOError: return String(cString: strerror(error.errnoCode))
        case is CancellationError: return "the call was cancelled"
        default: return "\(error)"
        }
    }

    /// What the server said: the text after `Code: n` where it stands, of any version.
    private func failure(_ text: String, _ status: UInt, _ what: String) -> HistoryError {
        let code = Self.code(in: text)
        let start = text.range(of: "Code: ", options: .backwards)?.lowerBound ?? text.startIndex
        let said = String(text[start...].prefix(400))
            .trimmingCharacters(in: .whitespacesAndNewlines).escapedForDisplay
        func problem(_ advice: String) -> BrokerError.Problem {
            .init(
                what: what, location: location,
                cause: said.isEmpty
                    ? "status \(status) without a word" : "status \(status): \(said)",
                advice: advice)
        }
        switch code {
        case 192, 193, 194, 291, 497, 516:
            return .invalid(
                problem("Check the user in the URL, and GODWIT_CLICKHOUSE_PASSWORD."))
        case 60, 81:
            return .unavailable(
                problem("Its tables are gone: start the program again, which makes them."))
        case 159, 160, 158, 241:
            return .unavailable(
                problem("It is short of memory or time: ask for less, or give it more."))
        case nil where status == 401 || status == 403:
            return .invalid(
                problem("Check the user in the URL, and GODWIT_CLICKHOUSE_PASSWORD."))
        default:
            return .unavailable(problem("See its own log; nothing is lost by trying again."))
        }
    }

    static func code(in text: String) -> Int? {
        guard let range = text.range(of: "Code: ", options: .backwards) else { return nil }
        return Int(text[range.upperBound...].prefix { $0.isNumber && $0.isASCII })
    }
}

extension HistoryError {
    /// The connection failed, and no word of the server came.
    fileprivate var isConnection: Bool { !problem.cause.hasPrefix("status ") }
}

/// A row of an answer; UInt64 and Int64 come as strings or as numbers, by version and settings.
struct ClickHouseRow {
    private let cells: [Any]
    private let location: String

    init(_ cells: [Any], _ location: String) {
        self.cells = cells
        self.location = location
    }

    func int(_ index: Int) throws(HistoryError) -> Int64 {
        guard cells.indices.contains(index), let value = Self.int(cells[index]) else {
            throw unreadable(index, "a whole number")
        }
        return value
    }

    func text(_ index: Int) throws(HistoryError) -> String {
        guard cells.indices.contains(index), let value = cells[index] as? String else {
            throw unreadable(index, "text")
        }
        return value
    }

    func doubles(_ index: Int) throws(HistoryError) -> [Double] {
        guard cells.indices.contains(index), let values = cells[index] as? [Any] else {
            throw unreadable(index, "a list")
        }
        return values.compactMap { ($0 as? NSNumber)?.doubleValue ?? Double($0 as? String ?? "") }
    }

    func texts(_ index: Int) throws(HistoryError) -> [String] {
        guard cells.indices.contains(index), let values = cells[index] as? [String] else {
            throw unreadable(index, "a list of texts")
        }
        return values
    }

    /// What sumMap answers: keys and their sums.
    func map(_ index: Int) throws(HistoryError) -> [(Int64, Int64)] {
        guard cells.indices.contains(index), let lists = cells[index] as? [[Any]], lists.count == 2
        else { throw unreadable(index, "two lists") }
        return zip(lists[0].compactMap(Self.int), lists[1].compactMap(Self.int)).map { ($0, $1) }
    }

    private static func int(_ cell: Any) -> Int64? {
        if let text = cell as? String {
            return Int64(text) ?? UInt64(text).map { Int64(bitPattern: $0) }
        }
        return (cell as? NSNumber)?.int64Value
    }

    private func unreadable(_ index: Int, _ wanted: String) -> HistoryError {
        .corrupt(
            .init(
                what: "read an answer", location: location,
                cause: "column \(index) is not \(wanted)",
                advice: "Was the table changed by another program? Report this otherwise."))
    }
}
