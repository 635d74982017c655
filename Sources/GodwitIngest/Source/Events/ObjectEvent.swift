// SPDX-License-Identifier: Apache-2.0

/// One object that appeared, as an announcement tells it. What it says of size and etag is a hint:
/// announcements come twice, late and in any order, so whoever acts on one asks the store first.
public struct ObjectEvent: Sendable, Hashable {
    /// The bucket, or the directory; nil when the announcement names only a key.
    public var bucket: String?
    /// As the store knows it: decoded.
    public var key: String
    public var size: UInt64?
    public var etag: String?
    public var versionID: String?
    /// Orders the events of one key; S3 only.
    public var sequencer: Sequencer?

    public init(
        bucket: String?, key: String, size: UInt64? = nil, etag: String? = nil,
        versionID: String? = nil, sequencer: Sequencer? = nil
    ) {
        self.bucket = bucket
        self.key = key
        self.size = size
        self.etag = etag
        self.versionID = versionID
        self.sequencer = sequencer
    }

    /// The event as a body that ``Announcement`` reads: one record in S3's form, its key encoded.
    public var body: String { Announcement.body(of: [record]) }

    var record: JSONValue {
        var object: [String: JSONValue] = ["key": .string(S3Key.encode(key))]
        if let size { object["size"] = .unsigned(size) }
        if let etag { object["eTag"] = .string(etag) }
        if let versionID { object["versionId"] = .string(versionID) }
        if let sequencer { object["sequencer"] = .string(sequencer.text) }
        var s3: [String: JSONValue] = ["object": .object(object)]
        if let bucket { s3["bucket"] = .object(["name": .string(bucket)]) }
        return .object([
            "eventVersion": .string("2.1"), "eventSource": .string("godwit:s3"),
            "eventName": .string("ObjectCreated:Put"), "s3": .object(s3),
        ])
    }
}

/// Orders the events of one key: hexadecimal text whose shorter form has zeros in front
/// (Amazon S3, "Event message structure"). Says nothing between two keys.
public struct Sequencer: Sendable, Hashable, Comparable {
    public var text: String

    public init(_ text: String) { self.text = text }

    public static func < (left: Sequencer, right: Sequencer) -> Bool {
        left.digits.count == right.digits.count
            ? left.digits.lexicographicallyPrecedes(right.digits)
            : left.digits.count < right.digits.count
    }

    public static func == (left: Sequencer, right: Sequencer) -> Bool { left.digits == right.digits }

    public func hash(into hasher: inout Hasher) { hasher.combine(digits) }

    /// Without the zeros in front, so that the longer one is the later one, and in one case.
    private var digits: [UInt8] {
        let digits = text.utf8.drop { $0 == UInt8(ascii: "0") }
        return digits.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
    }
}
