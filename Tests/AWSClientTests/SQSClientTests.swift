// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Foundation
import Synchronization
import Testing

/// Answers in line, and what was asked.
private final class Script: SQSTransport {
    private let state: Mutex<(replies: [SQSReply], calls: [SQSCall])>

    init(_ replies: SQSReply...) { state = Mutex((replies, [])) }

    convenience init(_ json: String) { self.init(SQSReply(status: 200, body: Array(json.utf8))) }

    var calls: [SQSCall] { state.withLock { $0.calls } }

    func body(_ index: Int = 0) -> [String: Any] {
        let body = calls.indices.contains(index) ? calls[index].body : []
        return (try? JSONSerialization.jsonObject(with: Data(body)) as? [String: Any]) ?? [:]
    }

    func send(_ call: SQSCall) async throws(SQSError) -> SQSReply {
        let reply = state.withLock { state -> SQSReply? in
            state.calls.append(call)
            return state.replies.isEmpty ? nil : state.replies.removeFirst()
        }
        guard let reply else { throw .unavailable("no answer") }
        return reply
    }
}

@Suite struct `SQS client` {
    let url = "https://sqs.eu-west-1.amazonaws.com/1/q"

    @Test func `digests are those of the developer guide's recipe`() {
        #expect(SQSDigest.md5(of: "") == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(SQSDigest.md5(of: "This is a test message") == "fafb00f5732ab283681e124bf8747ed1")
        let attributes: [String: SQSAttribute] = [
            "timestamp": SQSAttribute(type: "Number", .text("1493147359900")),
            "name": .text("Zoë 🎵"), "raw": SQSAttribute(type: "Binary.png", .binary([0, 255])),
            "Z": SQSAttribute(type: "String.label", .text("x")),
        ]
        #expect(SQSDigest.md5(of: attributes) == "28dc6b9685727fcd2ede080a47c5d98b")
        #expect(
            SQSDigest.md5(of: ["timestamp": SQSAttribute(type: "Number", .text("1493147359900"))])
                == "235c5c510d26fb653d073faed50ae77c")
    }

    @Test(arguments: [
        ("plain\t\r\n", true), ("\u{20}\u{D7FF}\u{E000}\u{FFFD}\u{10000}\u{10FFFF}", true),
        ("\0", false), ("\u{1}", false), ("\u{B}", false), ("\u{1F}", false), ("\u{FFFE}", false),
        ("\u{FFFF}", false), ("a\u{8}b", false),
    ])
    func `only characters of XML 1 0 are sent`(_ text: String, _ isAllowed: Bool) async {
        #expect(SQSText.allows(text) == isAllowed)
        #expect(SQSText.allows(SQSText.allowed(text)))
        let script = Script(
            #"{"MessageId":"m","MD5OfMessageBody":"\#(SQSDigest.md5(of: text))"}"#)
        let sent = try? await SQSClient(script).send(SQSNewMessage(text), to: url)
        #expect((sent != nil) == isAllowed)
        #expect(script.calls.isEmpty != isAllowed)
    }

    @Test func `an empty answer has no messages`() async throws {
        for body in ["{}", "", #"{"Messages":null}"#, #"{"Messages":[]}"#] {
            let script = Script(body)
            let received = try await SQSClient(script).receive(upTo: 99, from: url)
            #expect(received.messages.isEmpty)
            #expect(script.body()["MaxNumberOfMessages"] as? Int == 10)
            #expect(script.body()["WaitTimeSeconds"] as? Int == 20)
        }
    }

    @Test func `a poll may take its wait and the usual time on top`() async throws {
        let script = Script("{}")
        _ = try await SQSClient(script, timeout: .seconds(5)).receive(
            upTo: 1, from: url, wait: .seconds(20))
        #expect(script.calls.first?.timeout == .seconds(25))
        #expect(
            script.calls.first?.headers.map(\.value) == [
                "application/x-amz-json-1.0", "AmazonSQS.ReceiveMessage", "true",
            ])
    }

    @Test func `bytes that differ from their digest are not handed out`() async throws {
        func message(_ body: String, _ md5: String, _ more: String = "") -> String {
            #"{"MessageId":"m","ReceiptHandle":"r","Body":"\#(body)","MD5OfBody":"\#(md5)"\#(more)}"#
        }
        let good = SQSDigest.md5(of: "good")
        let attribute = #","MessageAttributes":{"a":{"DataType":"String","StringValue":"x"}}"#
        let right = SQSDigest.md5(of: ["a": .text("x")])
        let script = Script(
            """
            {"Messages":[\(message("good", good)),\(message("bad", good)),
            \(message("good", good, attribute + ",\"MD5OfMessageAttributes\":\"\(right)\"")),
            \(message("good", good, attribute + ",\"MD5OfMessageAttributes\":\"\(good)\"")),
            {"MessageId":"m"}]}
            """)
        let received = try await SQSClient(script).receive(upTo: 10, from: url)
        #expect(received.messages.count == 2)
        #expect(received.broken.count == 3)
        #expect(received.messages.last?.attributes == ["a": .text("x")])
    }

    @Test func `a send that SQS took in otherwise is not done`() async {
        let script = Script(#"{"MessageId":"m","MD5OfMessageBody":"0"}"#)
        await #expect { try await SQSClient(script).send(SQSNewMessage("x"), to: url) } throws: {
            if case .corrupt? = $0 as? SQSError { true } else { false }
        }
    }

    @Test func `both lists of a batch are read, and who stands in none is unknown`() async throws {
        let script = Script(
            """
            {"Successful":[{"Id":"0"},{"Id":"9"}],"Failed":[
             {"Id":"1","Code":"ReceiptHandleIsInvalid","SenderFault":true,"Message":"old"},
             {"Id":"2","Code":"InternalError","SenderFault":false},{"Id":"x","Code":"?"}]}
            """)
        let outcomes = try await SQSClient(script).delete(["a", "b", "c", "d"], from: url)
        #expect(outcomes.count == 4)
        #expect(outcomes[0] == .done)
        if case .failed(.receiptLost) = outcomes[1] {} else { Issue.record("\(outcomes[1])") }
        if case .failed(.unavailable) = outcomes[2] {} else { Issue.record("\(outcomes[2])") }
        if case .failed(.unavailable) = outcomes[3] {} else { Issue.record("\(outcomes[3])") }
    }

    @Test func `limits are refused before anything is sent`() async {
        let script = Script()
        let client = SQSClient(script)
        let big = SQSNewMessage(String(repeating: "x", count: SQSClient.batchBytes / 2 + 1))
        await #expect(throws: SQSError.self) {
            _ = try await client.delete(Array(repeating: "r", count: 11), from: url)
        }
        await #expect(throws: SQSError.self) { _ = try await client.send([big, big], to: url) }
        await #expect(throws: SQSError.self) {
            _ = try await client.send(SQSNewMessage(big.body + big.body), to: url)
        }
        await #expect(throws: SQSError.self) { _ = try await client.send(SQSNewMessage(""), to: url) }
        #expect(script.calls.isEmpty)
    }

    @Test func `durations become whole seconds within the limits, never too early`() async throws {
        let script = Script(#"{"Successful":[{"Id":"0"}]}"#)
        _ = try await SQSClient(script).changeVisibility(
            [("a", .milliseconds(1500)), ("b", .seconds(99_999)), ("c", .seconds(-1)), ("d", .zero)],
            in: url)
        let entries = script.body()["Entries"] as? [[String: Any]]
        #expect(entries?.compactMap { $0["VisibilityTimeout"] as? Int } == [2, 43_200, 0, 0])
    }

    enum Next: Sendable {
        case receiptLost, config, unavailable, invalid, corrupt
    }

    private func next(_ error: SQSError) -> Next {
        switch error {
        case .receiptLost: .receiptLost
        case .config: .config
        case .unavailable: .unavailable
        case .invalid: .invalid
        case .corrupt: .corrupt
        }
    }

    @Test(arguments: [
        (400, "AWS.SimpleQueueService.NonExistentQueue;Sender", "{}", Next.config),
        (400, "", #"{"__type":"com.amazonaws.sqs#QueueDoesNotExist","message":"no"}"#, .config),
        (400, "", #"{"__type":"QueueDoesNotExist"}"#, .config),
        (400, "AWS.SimpleQueueService.MessageNotInflight;Sender", "{}", .receiptLost),
        (400, "ReceiptHandleIsInvalid;Sender", "{}", .receiptLost),
        (403, "AccessDenied;Sender", "", .config), (403, "", "", .config),
        (400, "RequestThrottled;Sender", "", .unavailable), (503, "", "<html>", .unavailable),
        (500, "InternalError;Receiver", "", .unavailable), (429, "", "", .unavailable),
        (400, "InvalidMessageContents;Sender", "", .invalid), (404, "", "", .invalid),
        (301, "", "", .corrupt), (204, "", "", .corrupt), (200, "", "<html>", .corrupt),
    ])
    func `an error says what to do next`(
        _ status: Int, _ query: String, _ body: String, _ expected: Next
    ) async {
        let script = Script(
            SQSReply(
                status: status, queryError: query.isEmpty ? nil : query, body: Array(body.utf8)))
        do throws(SQSError) {
            _ = try await SQSClient(script).receive(upTo: 1, from: url)
            Issue.record("no error")
        } catch {
            #expect(next(error) == expected)
        }
    }

    @Test func `what a stranger answers can't write to the terminal`() async {
        let script = Script(
            SQSReply(
                status: 400, queryError: "A\u{1B}[2J;Sender",
                body: Array("{\"message\":\"\\u001b[31m\\u202e\(String(repeating: "x", count: 5000))\"}".utf8)))
        do throws(SQSError) {
            _ = try await SQSClient(script).url(of: "q")
        } catch {
            #expect(!error.description.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x202E })
            #expect(error.description.utf8.count < 1000)
        }
    }

    @Test(arguments: [
        (#"{"deadLetterTargetArn":"arn:aws:sqs:r:1:d","maxReceiveCount":"3"}"#, 3),
        (#"{"deadLetterTargetArn":"arn:aws:sqs:r:1:d","maxReceiveCount":3}"#, 3),
        (#"{"deadLetterTargetArn":"arn:aws:sqs:r:1:d","maxReceiveCount":"x"}"#, nil),
        (#"{"maxReceiveCount":3}"#, nil), ("", nil), ("[]", nil),
    ])
    func `a redrive policy counts in numbers and in text`(_ text: String, _ count: Int?) {
        #expect(RedrivePolicy(text)?.maxReceiveCount == count)
        if let policy = RedrivePolicy(text) { #expect(RedrivePolicy(policy.text) == policy) }
    }

    @Test func `dead letters are moved back by three calls`() async throws {
        let script = Script(
            SQSReply(status: 200, body: Array(#"{"TaskHandle":"h"}"#.utf8)),
            SQSReply(
                status: 200,
                body: Array(
                    #"{"Results":[{"Status":"RUNNING","TaskHandle":"h","ApproximateNumberOfMessagesMoved":2,"ApproximateNumberOfMessagesToMove":5,"StartedTimestamp":1}]}"#
                        .utf8)),
            SQSReply(status: 200, body: Array(#"{"ApproximateNumberOfMessagesMoved":4}"#.utf8)))
        let client = SQSClient(script)
        #expect(try await client.startMoveTask(from: "arn:aws:sqs:r:1:d", rate: 900) == "h")
        #expect(script.body()["MaxNumberOfMessagesPerSecond"] as? Int == 500)
        let tasks = try await client.moveTasks(from: "arn:aws:sqs:r:1:d")
        #expect(tasks.first?.moved == 2)
        #expect(tasks.first?.outOf == 5)
        #expect(try await client.cancelMoveTask("h") == 4)
        #expect(
            script.calls.map(\.operation) == [
                "StartMessageMoveTask", "ListMessageMoveTasks", "CancelMessageMoveTask",
            ])
    }
}
