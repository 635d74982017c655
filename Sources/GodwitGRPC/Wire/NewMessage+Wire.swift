// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Godwit
package import GodwitProtos

extension ContentType {
    /// The media type as a client writes it; JSON where it says nothing.
    package init(wire text: String) {
        switch text.lowercased() {
        case "", ContentType.json.text: self = .json
        case ContentType.messagePack.text, "application/msgpack": self = .messagePack
        case ContentType.bytes.text: self = .bytes
        default: self = .other(text)
        }
    }
}

extension Godwit_V1_Content {
    package init(_ envelope: Envelope) {
        self.init()
        contentType = envelope.contentType.text
        headers = envelope.headers
        payload = Data(wire: envelope.payload)
    }

    /// The stored form.
    package func body(kind: Kind) throws(WireError) -> [UInt8] {
        let size = headers.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        if headers.count > WireLimits.headers || size > WireLimits.headerBytes {
            throw WireError(
                "read the headers of a message of kind '\(kind)'",
                "there are \(headers.count) with \(size) bytes",
                "Send at most \(WireLimits.headers) with \(WireLimits.headerBytes) bytes in all.")
        }
        return Envelope.body(
            kind: kind, contentType: ContentType(wire: contentType), headers: headers,
            payload: payload.array)
    }
}

extension NewMessage {
    /// Reads a message; `makeID` gives one to a message without.
    package init(
        _ wire: Godwit_V1_NewMessage, makeID: () -> MessageID
    ) throws(WireError) {
        let kind = try Kind(wire: wire.kind)
        if wire.hasContent, !wire.body.isEmpty {
            throw WireError(
                "read a message of kind '\(kind)'", "it has both `content` and `body`",
                "Send `content`; `body` is for clients that write the stored form themselves.")
        }
        let number = wire.hasPriority ? Int(wire.priority) : Int(Priority.normal.band)
        guard let priority = Priority(number) else {
            throw WireError(
                "read a message of kind '\(kind)'", "its priority is \(number)",
                "Use 0 (served first) to 7.")
        }
        let attempts = wire.hasMaxAttempts ? wire.maxAttempts : 255
        guard let maxAttempts = UInt8(exactly: attempts) else {
            throw WireError(
                "read a message of kind '\(kind)'", "its max_attempts is \(attempts)",
                "Use 1 to 254, or 255 for without end.")
        }
        let due: Due =
            switch wire.due {
            case .delayMs(let delay): .after(Duration(wire: delay))
            case .atMs(let moment): .at(Timestamp(wire: moment))
            case nil: .now
            }
        self.init(
            id: wire.id.isEmpty ? makeID() : try MessageID(wire: wire.id), kind: kind,
            priority: priority, maxAttempts: maxAttempts,
            uniqueKey: wire.hasUniqueKey ? wire.uniqueKey : nil, due: due,
            isResend: wire.isResend,
            body: wire.hasContent ? try wire.content.body(kind: kind) : wire.body.array)
    }

    package var wire: Godwit_V1_NewMessage {
        var wire = Godwit_V1_NewMessage()
        wire.id = id.wire
        wire.kind = kind.name
        wire.body = Data(wire: body)
        if priority != .normal { wire.priority = UInt32(priority.band) }
        if maxAttempts != 255 { wire.maxAttempts = UInt32(maxAttempts) }
        if let uniqueKey { wire.uniqueKey = uniqueKey }
        switch due {
        case .now: break
        case .after(let delay): wire.delayMs = delay.wire
        case .at(let moment): wire.atMs = moment.wire
        }
        wire.isResend = isResend
        return wire
    }

    /// About how many bytes it takes on its way.
    package var wireSize: Int {
        body.count + kind.name.utf8.count + (uniqueKey?.utf8.count ?? 0) + 64
    }
}

extension EnqueueOutcome {
    /// Nil for a word of a newer server, which this client can't understand.
    package init?(_ wire: Godwit_V1_EnqueueOutcome) {
        switch wire.result {
        case .enqueued: self = .enqueued
        case .known: self = .known
        case .unknown: self = .unknown
        case .duplicate:
            guard let id = try? MessageID(wire: wire.duplicateOf) else { return nil }
            self = .duplicate(of: id)
        case .full: self = .full
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }

    package var wire: Godwit_V1_EnqueueOutcome {
        var wire = Godwit_V1_EnqueueOutcome()
        switch self {
        case .enqueued: wire.result = .enqueued
        case .known: wire.result = .known
        case .unknown: wire.result = .unknown
        case .duplicate(let id):
            wire.result = .duplicate
            wire.duplicateOf = id.wire
        case .full: wire.result = .full
        }
        return wire
    }
}
