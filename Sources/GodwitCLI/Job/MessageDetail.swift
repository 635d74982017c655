// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import MessagePack

/// One message with its payload, as `job show` and `dead show` print it.
struct MessageDetail: Row {
    static let schema = "godwit.job.detail/1"
    static let columns: [Column<MessageDetail>] =
        JobRow.columns.map { column in
            Column<MessageDetail>(
                name: column.name, type: column.type, about: column.about, place: .list
            ) {
                column.name == "kind" ? .optional($0.kind) : column.value($0.row)
            }
        } + [
            .int("max_attempts", "failures until it is dead; null: without a limit") {
                $0.record.entry.maxAttempts == 255 ? nil : Int($0.record.entry.maxAttempts)
            },
            .time("lease_deadline", "when its lease runs out") { $0.record.leaseDeadline },
            .span("wait_ms", "from ready to its last start") { $0.wait },
            .span("run_ms", "from its last start to its end") { $0.run },
            .list("attempts", "the last 10 runs that failed or were lost, oldest first") {
                $0.record.attempts.map { attempt in
                    .object([
                        ("at", .time(attempt.at)), ("worker", .text("\(attempt.worker)")),
                        ("count", .int(attempt.count)), ("verdict", .text(attempt.verdict)),
                        ("reason", .text(attempt.reason)),
                    ])
                }
            },
            .text("content_type", "what the payload is") { $0.envelope?.contentType.text },
            .object("headers", "what travels along") { detail in
                detail.envelope.map { envelope in
                    envelope.headers.sorted { $0.key < $1.key }.map { ($0.key, .text($0.value)) }
                }
            },
            .int("payload_bytes", "its length") { $0.bytes?.count },
            .text("payload", "as text, exactly; MessagePack in a readable form; null: see base64") {
                $0.payload
            },
            .text("payload_base64", "the bytes, where they are no text or MessagePack") {
                $0.payloadBase64
            },
            .text("checkpoint_base64", "progress that the next run gets") {
                $0.record.checkpoint.map { Data($0).base64EncodedString() }
            },
            .text("command", "the command that enqueues the same again") { $0.command },
        ]
    let row: JobRow
    let kind: String?
    fileprivate let envelope: Envelope?
    /// A body that is no envelope is shown as it stands: the bytes are kept (I11).
    let bytes: [UInt8]?

    init(_ found: FoundMessage) {
        row = JobRow(found)
        envelope = found.record.body.flatMap { try? Envelope($0) }
        kind = found.record.kind ?? envelope?.kind
        bytes = envelope?.payload ?? found.record.body
    }

    fileprivate var record: MessageRecord { row.record }

    private var payload: String? {
        guard let bytes else { return nil }
        if envelope?.contentType == .messagePack,
            let value = try? MessagePackDecoder().decode(MessagePackValue.self, from: bytes)
        {
            return value.readable
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private var payloadBase64: String? {
        guard let bytes, payload == nil || envelope?.contentType == .messagePack else { return nil }
        return Data(bytes).base64EncodedString()
    }

    private var wait: Duration? {
        record.executedAt.map { max(.zero, $0 - record.entry.readyAt) }
    }

    private var run: Duration? {
        guard let start = record.executedAt, let end = record.finishedAt else { return nil }
        return max(.zero, end - start)
    }

    /// Only where it is short and whole: MessagePack and long payloads go by `dead export`.
    private var command: String? {
        guard let kind, let bytes, bytes.count <= 1024, let envelope,
            envelope.contentType != .messagePack
        else { return nil }
        var words = ["godwit", "enqueue", row.queue, kind.quoted]
        if record.entry.priority != .normal {
            words += ["--priority", "\(record.entry.priority.band)"]
        }
        for (name, value) in envelope.headers.sorted(by: { $0.key < $1.key }) {
            guard !"\(name)\(value)".unicodeScalars.contains(where: \.drivesTerminals) else {
                return nil
            }
            words += ["--header", "\(name)=\(value)".quoted]
        }
        let text = String(validating: bytes, as: UTF8.self)
        if let text, !text.unicodeScalars.contains(where: \.drivesTerminals), text != "-" {
            return (words + ["--", text.quoted]).joined(separator: " ")
        }
        // printf's %b reads octal escapes in every shell (POSIX).
        let octal = bytes.map { byte in
            byte > 0x20 && byte < 0x7F && byte != 0x27 && byte != 0x5C
                ? String(UnicodeScalar(byte))
                : "\\0" + String(repeating: "0", count: byte < 8 ? 2 : byte < 64 ? 1 : 0)
                    + String(byte, radix: 8)
        }.joined()
        return "printf '%b' '\(octal)' | " + (words + ["-"]).joined(separator: " ")
    }
}

extension String {
    /// One word of a shell's command line.
    var quoted: String {
        let isPlain =
            !isEmpty
            && unicodeScalars.allSatisfy {
                $0.isASCII
                    && ($0.properties.isAlphabetic
                        || "0123456789._-/:=,@%+".unicodeScalars.contains($0))
            }
        return isPlain ? self : "'" + replacing("'", with: "'\\''") + "'"
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
        case .string(let value): "\"" + value.shown + "\""
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
