// SPDX-License-Identifier: Apache-2.0

/// A message as a handler sees it that takes any kind: the payload is bytes.
public struct Message: Sendable {
    public let id: MessageID
    public let kind: String
    public let contentType: ContentType
    public let headers: [String: String]
    public let payload: [UInt8]
    public let priority: Priority
    public let insertedAt: Timestamp

    init(_ leased: LeasedMessage) throws(EnvelopeError) {
        let envelope = try Envelope(leased.body)
        let entry = leased.token.entry
        id = entry.id
        kind = envelope.kind
        contentType = envelope.contentType
        headers = envelope.headers
        payload = envelope.payload
        priority = entry.priority
        insertedAt = entry.insertedAt
    }
}
