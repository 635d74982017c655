// SPDX-License-Identifier: Apache-2.0
import Godwit

/// What the body of a message says, whoever sent it: S3 itself, S3 through SNS, S3 through
/// EventBridge, a source of ours, or somebody who wrote down a key.
///
/// Shapes are those of the Amazon S3 user guide ("Event message structure", "EventBridge event
/// message structure") and the SNS one ("HTTP/HTTPS notification JSON format"). Every 2.x is read and
/// fields that are not known are left alone.
package struct Announcement: Sendable, Hashable {
    /// One record of the message and what it is.
    package struct Record: Sendable, Hashable {
        package enum Meaning: Sendable, Hashable {
            case appeared(ObjectEvent)
            /// Nothing for us to do: a delete, a test, another service.
            case ignored(String)
            /// Nobody can say what was meant.
            case unreadable(String)
        }

        package var meaning: Meaning
        /// As it came, so that it can be sent on alone.
        var raw: JSONValue
    }

    /// In the order of the message; never empty.
    package var records: [Record]

    /// Reads a body; one that is no announcement has one record that is unreadable.
    package init(_ body: String) {
        guard let value = JSONValue(text: body) else {
            self.init(unreadable: "the body is not JSON", .string(body))
            return
        }
        self.init(value, depth: 0)
    }

    /// A body that holds only these records.
    package static func body(of records: some Sequence<Record>) -> String {
        body(of: records.map(\.raw))
    }

    static func body(of records: [JSONValue]) -> String {
        JSONValue.object(["Records": .array(records)]).text
    }

    /// More records than S3 ever puts into one message are somebody's attack or mistake.
    private static let mostRecords = 1000

    private init(records: [Record]) { self.records = records }

    private init(unreadable reason: String, _ raw: JSONValue) {
        self.init(one: .unreadable(reason), raw)
    }

    private init(one meaning: Record.Meaning, _ raw: JSONValue) {
        self.init(records: [Record(meaning: meaning, raw: raw)])
    }

    private init(_ value: JSONValue, depth: Int) {
        if let list = value["Records"] {
            guard let list = list.array, !list.isEmpty else {
                self.init(unreadable: "'Records' is no list, or an empty one", value)
                return
            }
            guard list.count <= Self.mostRecords else {
                self.init(
                    unreadable: "it has \(list.count) records, \(Self.mostRecords) are read", value)
                return
            }
            self.init(records: list.map { Record(meaning: Self.meaning(ofRecord: $0), raw: $0) })
        } else if let event = value["Event"]?.string {
            self.init(
                one: event == "s3:TestEvent"
                    ? .ignored("the test event of S3") : .ignored(Self.other("event", event)), value)
        } else if let type = value["Type"]?.string, value["Message"] != nil || type != "Notification"
        {
            self.init(envelope: value, type: type, depth: depth)
        } else if let type = value["detail-type"]?.string {
            self.init(one: Self.meaning(ofBridge: value, type), value)
        } else {
            self.init(one: Self.meaning(ofPlain: value), value)
        }
    }

    private init(envelope value: JSONValue, type: String, depth: Int) {
        guard type == "Notification" else {
            // Why not ignored: an unanswered confirmation means that nothing will ever be announced.
            self.init(unreadable: Self.other("message of SNS", type), value)
            return
        }
        guard depth < 2, let text = value["Message"]?.string, let inner = JSONValue(text: text) else {
            self.init(unreadable: "the 'Message' in the envelope of SNS is not JSON", value)
            return
        }
        self.init(inner, depth: depth + 1)
    }

    // MARK: One record

    private static func meaning(ofRecord record: JSONValue) -> Record.Meaning {
        guard let version = record["eventVersion"]?.string, let name = record["eventName"]?.string
        else { return .unreadable("a record has no eventVersion or no eventName") }
        let source = record["eventSource"]?.string ?? ""
        guard source.hasSuffix(":s3") else { return .ignored(other("service", source)) }
        guard version == "2" || version.hasPrefix("2.") else {
            return .unreadable(
                "its eventVersion is '\(shown(version))', only 2.x is known: a newer reader is needed")
        }
        // Why the prefix: some stores that speak S3's language write it, S3 does not.
        let plain = name.hasPrefix("s3:") ? String(name.dropFirst(3)) : name
        guard plain.hasPrefix("ObjectCreated:") else { return .ignored(other("event", name)) }
        let object = record["s3"]?["object"]
        guard let encoded = object?["key"]?.string, !encoded.isEmpty else {
            return .unreadable("a record names no key")
        }
        guard let key = S3Key.decode(encoded) else {
            return .unreadable("the key '\(shown(encoded))' does not decode to UTF-8")
        }
        return appeared(
            bucket: record["s3"]?["bucket"]?["name"], key: key, object, etag: "eTag",
            version: "versionId")
    }

    private static func meaning(ofBridge value: JSONValue, _ type: String) -> Record.Meaning {
        guard value["source"]?.string == "aws.s3" else {
            return .ignored(other("service", value["source"]?.string ?? ""))
        }
        guard type == "Object Created" else { return .ignored(other("event", type)) }
        let object = value["detail"]?["object"]
        // The key stands here as it is: EventBridge does not encode it.
        guard let key = object?["key"]?.string, !key.isEmpty else {
            return .unreadable("the event names no key")
        }
        return appeared(
            bucket: value["detail"]?["bucket"]?["name"], key: key, object, etag: "etag",
            version: "version-id")
    }

    /// `{"file": …}`, or the fields of a track: for those who announce by hand. Nothing is encoded.
    private static func meaning(ofPlain value: JSONValue) -> Record.Meaning {
        guard value.isObject, let key = (value["file"] ?? value["key"])?.string, !key.isEmpty else {
            return .unreadable("it is no announcement of an object in any shape that is known")
        }
        return appeared(
            bucket: value["bucket"], key: key, value, etag: "etag", version: "version_id")
    }

    private static func appeared(
        bucket: JSONValue?, key: String, _ object: JSONValue?, etag: String, version: String
    ) -> Record.Meaning {
        if let bucket, bucket.string?.isEmpty != false {
            return .unreadable("the name of the bucket is no text")
        }
        return .appeared(
            ObjectEvent(
                bucket: bucket?.string, key: key, size: object?["size"]?.size,
                etag: object?[etag]?.string, versionID: object?[version]?.string,
                sequencer: (object?["sequencer"]?.string).map(Sequencer.init)))
    }

    private static func other(_ what: String, _ name: String) -> String {
        "another \(what): '\(shown(name))'"
    }

    private static func shown(_ text: String) -> String {
        String(text.prefix(120)).escapedForDisplay
    }
}
