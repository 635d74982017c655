// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import MessagePack

/// A line of a list of messages.
struct MessageRow: Row {
    static let columns = ["id", "kind", "state", "attempt", "count", "finished", "reason"]
    let id: String
    let kind: String?
    let state: MessageState
    let attempt: Int
    let count: Int
    let finishedAt: String?
    let reason: String?

    init(_ record: MessageRecord) {
        id = "\(record.id)"
        kind = record.kind
        state = record.state
        attempt = Int(record.entry.attempt)
        count = record.count
        finishedAt = record.finishedAt?.text
        reason = record.reason
    }

    var cells: [String] {
        [
            id, kind ?? "?", state.rawValue, "\(attempt)", "\(count)", finishedAt ?? "-",
            reason ?? "",
        ]
    }
}

/// One message with its payload, as `job show` and `dead show` print it.
struct MessageDetail: Row {
    struct Attempt: Encodable, Sendable {
        let at: String
        let count: Int
        let verdict: String
        let reason: String
    }

    let id: String
    let state: MessageState
    let kind: String?
    let priority: Int
    /// Reported failures (I6).
    let attempt: Int
    let maxAttempts: Int?
    /// Reserves.
    let count: Int
    /// Leases that ran out.
    let lost: Int
    let insertedAt: String
    let executedAt: String?
    let finishedAt: String?
    let dueAt: String?
    let leaseDeadline: String?
    let worker: UInt32?
    let uniqueKey: String?
    let reason: String?
    let attempts: [Attempt]
    let contentType: String?
    let headers: [String: String]?
    /// The payload where it is text; MessagePack in a readable form.
    let payload: String?
    /// The payload's bytes where they are not text.
    let payloadBase64: String?
    let payloadBytes: Int?
    let checkpointBase64: String?

    init(_ record: MessageRecord) {
        let entry = record.entry
        id = "\(record.id)"
        state = record.state
        priority = Int(entry.priority.band)
        attempt = Int(entry.attempt)
        maxAttempts = entry.maxAttempts == 255 ? nil : Int(entry.maxAttempts)
        count = record.count
        lost = Int(entry.lost)
        insertedAt = entry.insertedAt.text
        executedAt = record.executedAt?.text
        finishedAt = record.finishedAt?.text
        dueAt = record.dueAt?.text
        leaseDeadline = record.leaseDeadline?.text
        worker = record.worker
        uniqueKey = record.uniqueKey
        reason = record.reason
        attempts = record.attempts.map {
            Attempt(at: $0.at.text, count: $0.count, verdict: $0.verdict, reason: $0.reason)
        }
        checkpointBase64 = record.checkpoint.map { Data($0).base64EncodedString() }
        let envelope = record.body.flatMap { try? Envelope($0) }
        kind = record.kind ?? envelope?.kind
        contentType = envelope?.contentType.text
        headers = envelope?.headers
        // A body that is no envelope is shown as it stands: the bytes are kept (I11).
        let bytes = envelope?.payload ?? record.body
        payloadBytes = bytes?.count
        payload = bytes.flatMap { Self.text($0, envelope?.contentType) }
        payloadBase64 =
            payload == nil || envelope?.contentType == .messagePack
            ? bytes.map { Data($0).base64EncodedString() } : nil
    }

    private static func text(_ bytes: [UInt8], _ type: ContentType?) -> String? {
        if type == .messagePack,
            let value = try? MessagePackDecoder().decode(MessagePackValue.self, from: bytes)
        {
            return value.readable
        }
        return String(validating: bytes, as: UTF8.self)
    }

    static let columns = [
        "id", "state", "kind", "priority", "attempt", "max attempts", "count", "lost leases",
        "inserted",
        "executed", "finished", "due", "lease until", "worker", "unique key", "reason", "runs",
        "content type", "headers", "payload",
    ]

    var cells: [String] {
        [
            id, state.rawValue, kind ?? "?", "\(priority)", "\(attempt)",
            maxAttempts.map(String.init) ?? "no limit",
            "\(count)", "\(lost)", insertedAt, executedAt ?? "-", finishedAt ?? "-", dueAt ?? "-",
            leaseDeadline ?? "-", worker.map(String.init) ?? "-", uniqueKey ?? "-", reason ?? "-",
            attempts.isEmpty
                ? "-"
                : attempts.map { "\($0.at) \($0.verdict) \($0.reason)" }.joined(separator: "; "),
            contentType ?? "-",
            headers.map {
                $0.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
            } ?? "-",
            payload ?? payloadBase64.map { "base64 \($0)" } ?? "not kept",
        ]
    }
}

extension MessagePackValue {
    /// For people: like JSON, with binary as hexadecimal digits.
    var readable: String {
        switch self {
        case .null: "null"
        case .bool(let value): "\(value)"
        case .int(let value): "\(value)"
        case .uint(let value): "\(value)"
        case .float(let value): "\(value)"
        case .double(let value): "\(value)"
        case .string(let value): "\"" + value.escapedForDisplay + "\""
        case .binary(let bytes): "h'" + bytes.map { Self.hex($0) }.joined() + "'"
        case .array(let values): "[" + values.map(\.readable).joined(separator: ", ") + "]"
        case .map(let entries):
            "{" + entries.map { "\($0.key.readable): \($0.value.readable)" }.joined(separator: ", ")
                + "}"
        case .timestamp(let value): "\(value)"
        case .extension(let value): "\(value)"
        }
    }

    private static func hex(_ byte: UInt8) -> String {
        String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
    }
}
