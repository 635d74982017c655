// SPDX-License-Identifier: Apache-2.0
import GodwitIngest
import Testing

@Suite struct `Announcements` {
    private func meanings(_ body: String) -> [Announcement.Record.Meaning] {
        Announcement(body).records.map(\.meaning)
    }

    private func events(_ body: String) -> [ObjectEvent] {
        meanings(body).compactMap { if case .appeared(let event) = $0 { event } else { nil } }
    }

    private func isUnreadable(_ body: String) -> Bool {
        let meanings = meanings(body)
        return !meanings.isEmpty
            && meanings.allSatisfy { if case .unreadable = $0 { true } else { false } }
    }

    private func isIgnored(_ body: String) -> Bool {
        let meanings = meanings(body)
        return !meanings.isEmpty
            && meanings.allSatisfy { if case .ignored = $0 { true } else { false } }
    }

    private func record(
        version: String = "2.1", name: String = "ObjectCreated:Put", source: String = "aws:s3",
        key: String = "song.wav", more: String = ""
    ) -> String {
        """
        {"eventVersion":"\(version)","eventSource":"\(source)","eventName":"\(name)",
         "awsRegion":"eu-west-1","userIdentity":{"principalId":"x"},"glacierEventData":{"deep":[1,2]},
         "s3":{"s3SchemaVersion":"1.0","configurationId":"c","bucket":{"name":"music","arn":"a"},
         "object":{"key":"\(key)","size":1024,"eTag":"d41d8cd9","sequencer":"0055AED6DCD90281E5"\(more)}}}
        """
    }

    private func records(_ records: String...) -> String {
        "{\"Records\":[\(records.joined(separator: ","))]}"
    }

    @Test(arguments: ["2.0", "2.1", "2.2", "2.5", "2.17"])
    func `every version 2 is read, and what is not known is left alone`(_ version: String) {
        let event = ObjectEvent(
            bucket: "music", key: "song.wav", size: 1024, etag: "d41d8cd9", versionID: "v7",
            sequencer: Sequencer("0055AED6DCD90281E5"))
        let body = records(record(version: version, more: #","versionId":"v7","new":null"#))
        #expect(events(body) == [event])
    }

    @Test(arguments: ["3.0", "1.0", "20.1", "", "x"])
    func `another version is not guessed at`(_ version: String) {
        #expect(isUnreadable(records(record(version: version))))
    }

    @Test(arguments: [
        "ObjectCreated:Put", "ObjectCreated:Post", "ObjectCreated:Copy",
        "ObjectCreated:CompleteMultipartUpload", "s3:ObjectCreated:Put", "ObjectCreated:New",
    ])
    func `however an object was made, it appeared`(_ name: String) {
        #expect(events(records(record(name: name))).count == 1)
    }

    @Test(arguments: [
        "ObjectRemoved:Delete", "ObjectRemoved:DeleteMarkerCreated", "ObjectRestore:Completed",
        "ReducedRedundancyLostObject", "ObjectTagging:Put", "LifecycleExpiration:Delete",
    ])
    func `other events are ignored`(_ name: String) {
        #expect(isIgnored(records(record(name: name))))
    }

    @Test(arguments: [
        ("plain.wav", "plain.wav"),
        ("my+song.wav", "my song.wav"),
        ("a%2Bb.wav", "a+b.wav"),
        ("a+%2B+b.wav", "a + b.wav"),
        ("100%25.wav", "100%.wav"),
        ("%2525.wav", "%25.wav"),
        ("f%C3%BCr+Elise.flac", "für Elise.flac"),
        ("%E3%81%95%E3%81%8F%E3%82%89/%F0%9F%8E%B5.mp3", "さくら/🎵.mp3"),
        ("e%CC%81.wav", "e\u{301}.wav"),
        ("a%2Fb%0A%22%5C.wav", "a/b\n\"\\.wav"),
        ("%00.wav", "\0.wav"),
        ("-i.wav", "-i.wav"),
        ("%ef%bf%bf", "\u{FFFF}"),
    ])
    func `a key is decoded, plus before percent`(_ encoded: String, _ key: String) {
        let found = events(records(record(key: encoded)))
        #expect(found.map { Array($0.key.utf8) } == [Array(key.utf8)])
    }

    @Test(arguments: ["%", "a%4", "%zz", "%C3", "%FF.wav", "%ED%A0%80", "%+1"])
    func `a key that does not decode is not guessed at`(_ encoded: String) {
        #expect(isUnreadable(records(record(key: encoded))))
    }

    @Test func `the test event is ignored, alone and in an envelope`() {
        let test =
            #"{"Service":"Amazon S3","Event":"s3:TestEvent","Time":"2026-01-01T00:00:00.000Z","Bucket":"music","RequestId":"r","HostId":"h"}"#
        #expect(isIgnored(test))
        #expect(isIgnored(envelope(test)))
    }

    private func envelope(_ message: String) -> String {
        let text = message.unicodeScalars.map { scalar -> String in
            switch scalar {
            case "\"": "\\\""
            case "\\": "\\\\"
            case "\n": "\\n"
            default: String(scalar)
            }
        }.joined()
        return
            #"{"Type":"Notification","MessageId":"m","TopicArn":"arn:aws:sns:eu-west-1:1:t","Subject":"Amazon S3 Notification","Message":"\#(text)","Timestamp":"2026-01-01T00:00:00Z","SignatureVersion":"1"}"#
    }

    @Test func `an envelope of SNS is opened, twice at most`() {
        let inner = records(record(key: "a+b.wav"))
        #expect(events(envelope(inner)).map(\.key) == ["a b.wav"])
        #expect(events(envelope(envelope(inner))).map(\.key) == ["a b.wav"])
        #expect(isUnreadable(envelope(envelope(envelope(inner)))))
        #expect(isUnreadable(envelope("no json")))
        #expect(isUnreadable(#"{"Type":"SubscriptionConfirmation","Message":"x","Token":"t"}"#))
    }

    private func bridge(
        type: String = "Object Created", source: String = "aws.s3", key: String = "a+b%20c.wav"
    ) -> String {
        """
        {"version":"0","id":"i","detail-type":"\(type)","source":"\(source)","account":"1","time":"t",
         "region":"eu-west-1","resources":["arn:aws:s3:::music"],"detail":{"version":"0",
         "bucket":{"name":"music"},"object":{"key":"\(key)","size":5,"etag":"b1","version-id":"IYV3",
         "sequencer":"00617F08299329D189"},"request-id":"N","requester":"1","reason":"PutObject"}}
        """
    }

    @Test func `a key from EventBridge is not decoded`() {
        let event = ObjectEvent(
            bucket: "music", key: "a+b%20c.wav", size: 5, etag: "b1", versionID: "IYV3",
            sequencer: Sequencer("00617F08299329D189"))
        #expect(events(bridge()) == [event])
        #expect(events(envelope(bridge())) == [event])
        #expect(isIgnored(bridge(type: "Object Deleted")))
        #expect(isIgnored(bridge(source: "aws.ec2")))
        #expect(isUnreadable(bridge(key: "")))
    }

    @Test func `several records are read one by one`() {
        let body = records(
            record(key: "one.wav"), record(name: "ObjectRemoved:Delete", key: "two.wav"),
            record(key: "%FF"), record(key: "four.wav"), "7", "null")
        let meanings = meanings(body)
        #expect(meanings.count == 6)
        #expect(events(body).map(\.key) == ["one.wav", "four.wav"])
        let words = meanings.map { meaning in
            switch meaning {
            case .appeared: "appeared"
            case .ignored: "ignored"
            case .unreadable: "unreadable"
            }
        }
        #expect(
            words
                == ["appeared", "ignored", "unreadable", "appeared", "unreadable", "unreadable"])
    }

    @Test func `a record goes on alone with every field it came with`() {
        let body = records(
            record(key: "one.wav"),
            record(
                key: "two%2Bthree.wav",
                more: #","big":18446744073709551615,"small":-9,"half":0.5,"t":true"#))
        let rest = Announcement.body(of: Announcement(body).records.dropFirst())
        #expect(events(rest) == Array(events(body).dropFirst()))
        for text in [
            #""glacierEventData":{"deep":[1,2]}"#, "18446744073709551615", #""half":0.5"#,
            #""small":-9"#, #""t":true"#, "two%2Bthree.wav",
        ] {
            #expect(rest.contains(text))
        }
        #expect(!rest.contains("one.wav"))
    }

    @Test func `what XML has no place for is escaped in a rest`() {
        let body = "{\"Records\":[\(record(more: ",\"odd\":\"\\u0001 \u{FFFF} \u{FFFE} 🎵\""))]}"
        let rest = Announcement.body(of: Announcement(body).records)
        #expect(
            rest.unicodeScalars.allSatisfy {
                $0.value >= 0x20 && $0.value != 0xFFFE && $0.value != 0xFFFF
            })
        #expect(rest.contains("\\uffff"))
        #expect(rest.contains("🎵"))
        #expect(Announcement(rest) == Announcement(body))
    }

    @Test(arguments: [
        "my song.wav", "a+b%20.wav", "für/🎵.mp3", "e\u{301}", "-i", "\u{FFFF}", "a\nb", "日本 語+",
    ])
    func `an event of ours is read as it was written`(_ key: String) {
        let event = ObjectEvent(
            bucket: "/srv/music", key: key, size: .max, etag: "e-1", versionID: "v",
            sequencer: Sequencer("0A"))
        #expect(events(event.body) == [event])
    }

    @Test func `a key by hand is taken as it stands`() {
        #expect(events(#"{"file":"a+b%20.wav"}"#) == [ObjectEvent(bucket: nil, key: "a+b%20.wav")])
        let track = #"{"bucket":"b","key":"k","etag":"e","size":3,"version_id":"v"}"#
        #expect(
            events(track) == [
                ObjectEvent(bucket: "b", key: "k", size: 3, etag: "e", versionID: "v")
            ])
    }

    @Test(arguments: [
        "", " ", "hello", "null", "7", "\"text\"", "[]", "{}", "[{}]", "{\"Records\":[]}",
        "{\"Records\":{}}", "{\"Records\":null}", "{\"Records\":[{}]}", "{\"Records\":[[]]}",
        "{\"file\":\"\"}", "{\"file\":7}", "{\"bucket\":7,\"key\":\"k\"}",
        "{\"bucket\":\"\",\"key\":\"k\"}", "{\"Records\":[", "\u{FEFF}x", "{\"Type\":\"Notification\"}",
        "{\"Type\":\"Notification\",\"Message\":7}", "{\"key\":{\"key\":\"k\"}}",
        "{\"detail-type\":\"Object Created\",\"source\":\"aws.s3\"}",
        "{\"Records\":[{\"eventVersion\":2.1,\"eventName\":7}]}",
    ])
    func `what is no announcement says so and stops nothing`(_ body: String) {
        #expect(isUnreadable(body))
    }

    @Test func `deep, long and repeated input is refused, not followed`() {
        let deep = String(repeating: "[", count: 100_000)
        #expect(isUnreadable(deep))
        #expect(isUnreadable(deep + String(repeating: "]", count: 100_000)))
        #expect(isUnreadable(String(repeating: "{\"a\":", count: 10_000)))
        let many = Array(repeating: "{}", count: 1001).joined(separator: ",")
        #expect(meanings("{\"Records\":[\(many)]}").count == 1)
        #expect(isUnreadable("{\"Records\":[\(many)]}"))
        #expect(!meanings(#"{"key":"a","key":"b"}"#).isEmpty)
        #expect(events(#"{"key":"a","size":-1}"#).first?.size == nil)
        #expect(events(#"{"key":"a","size":1e400}"#).first?.size == nil)
        #expect(events(#"{"key":"a","size":"12"}"#).first?.size == 12)
        #expect(events(#"{"key":"\ud83c\udfb5"}"#).first?.key == "🎵")
    }

    @Test func `random cuts and flips of real bodies never stop the reader`() {
        var random = SystemRandomNumberGenerator()
        let bodies = [records(record(), record()), envelope(records(record())), bridge()]
        for round in 0..<2000 {
            var bytes = Array(bodies[round % bodies.count].utf8)
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: bytes.indices, using: &random)] = UInt8.random(
                    in: 0...255, using: &random)
            }
            if round % 2 == 0 { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random)) }
            #expect(!Announcement(String(decoding: bytes, as: UTF8.self)).records.isEmpty)
        }
    }
}

@Suite struct `Sequencers` {
    @Test(arguments: [
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6", true),
        ("55AED6DCD90281E5", "0055AED6DCD90281E6", true),
        ("FF", "0100", true),
        ("9", "A", true), ("a", "B", true), ("1", "01", false), ("10", "9", false),
        ("", "1", true), ("0", "", false),
    ])
    func `the shorter one gets zeros in front`(_ left: String, _ right: String, _ isBefore: Bool) {
        #expect((Sequencer(left) < Sequencer(right)) == isBefore)
        if isBefore { #expect(!(Sequencer(right) < Sequencer(left))) }
    }
}
