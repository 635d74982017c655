// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// A point outside its stream: a dead letter that was given up, or a late one that was diverted.
///
/// Its bytes are those of the stream, whole. A dead one that is redriven is appended to its stream
/// again, marked late, by the next worker of the stream that looks after it.
public struct StrayPoint: Sendable, Hashable {
    public var stream: QueueName
    public var key: String
    public var id: PointID
    /// What the bytes are, such as `msgpack`.
    public var coding: String
    public var body: [UInt8]

    /// The kind of its message, in the queue with the stream's name.
    public static let kind: Kind = "godwit.point"

    public init(stream: QueueName, key: String, id: PointID, coding: String, body: [UInt8]) {
        self.stream = stream
        self.key = key
        self.id = id
        self.coding = coding
        self.body = body
    }

    /// Reads it from a message's body; nil when the body is none.
    package init?(messageBody: [UInt8]) {
        guard let envelope = try? Envelope(messageBody), envelope.kind == Self.kind.name,
            let stream = envelope.headers["stream"].flatMap({ try? QueueName($0) }),
            let key = envelope.headers["key"],
            let id = envelope.headers["id"].flatMap({ UInt64($0, radix: 16) })
        else { return nil }
        self.init(
            stream: stream, key: key, id: PointID(rawValue: id),
            coding: envelope.headers["coding"] ?? "", body: envelope.payload)
    }

    package func message(_ messageID: MessageID) -> NewMessage {
        NewMessage(
            id: messageID, kind: Self.kind,
            body: Envelope.body(
                kind: Self.kind, contentType: .bytes,
                headers: [
                    "stream": stream.text, "key": key, "id": String(id.rawValue, radix: 16),
                    "coding": coding,
                ],
                payload: body))
    }
}

extension StrayPoint {
    /// The dead letter of a point that is given up at a place of its key.
    package static func letter(
        _ point: StoredPoint, key: String, position: UInt64, stream: QueueName,
        coding: String = "", _ reason: String
    ) -> Emission {
        // Why the place too: a point that was redriven and dies again is another letter.
        let id = MessageID.child(
            of: point.id, key: key, stream: stream,
            index: Int(truncatingIfNeeded: position) | 1 << 62)
        let stray = StrayPoint(
            stream: stream, key: key, id: point.id, coding: coding, body: point.body)
        return Emission(stray.message(id), to: stream, deadReason: reason)
    }
}

extension MessageID {
    /// The id of what a point brings about: the same in every run of the point, so that a message
    /// that went out with a commit can't go out twice. The point's own time, then 74 bits of a hash
    /// (FNV-1a by Fowler, Noll and Vo, two of them, mixed) in the form of a UUIDv7.
    static func child(
        of point: PointID, key: String, stream: QueueName, index: Int
    ) -> MessageID {
        var first: UInt64 = 0xcbf2_9ce4_8422_2325
        var second: UInt64 = 0x8422_2325_cbf2_9ce4
        func add(_ byte: UInt8) {
            first = (first ^ UInt64(byte)) &* 0x100_0000_01b3
            second = (second ^ UInt64(byte ^ 0x5A)) &* 0x100_0000_01b3
        }
        for byte in stream.text.utf8 { add(byte) }
        add(0)
        for byte in key.utf8 { add(byte) }
        add(0)
        for shift in stride(from: 56, through: 0, by: -8) {
            add(UInt8(truncatingIfNeeded: point.rawValue >> UInt64(shift)))
        }
        for shift in stride(from: 56, through: 0, by: -8) {
            add(UInt8(truncatingIfNeeded: index >> shift))
        }
        second = (second ^ second >> 29) &* 0xbf58_476d_1ce4_e5b9
        second ^= second >> 32
        return MessageID(
            high: (point.rawValue & ~0xFFFF) | 0x7000 | first & 0xFFF,
            low: second >> 2 | 0x8000_0000_0000_0000)
    }
}
