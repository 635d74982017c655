// SPDX-License-Identifier: Apache-2.0
import Foundation
import FoundationNetworking
import TestAWS

/// A bucket that announces to a queue, on moto, spoken to by plain requests: what our own client gets
/// wrong in both directions would not show otherwise.
struct Bed: Sendable {
    let server: String
    let bucket: String
    let queue: String
    private let queueURL: String
    private let deadURL: String

    struct Refused: Error { let text: String }

    /// What a command needs to find it.
    var environment: [String: String] {
        [
            "AWS_ENDPOINT_URL": server, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        ]
    }

    init() async throws {
        server = try await MotoServer.shared().url
        let name = "t\(UInt32.random(in: 0 ... .max))"
        (bucket, queue) = (name, name)
        deadURL = try await Self.make(name + "-dead", [:], server)
        let dead = try await Self.attributes(deadURL, server)["QueueArn"] ?? ""
        queueURL = try await Self.make(
            name,
            ["RedrivePolicy": #"{"deadLetterTargetArn":"\#(dead)","maxReceiveCount":"5"}"#], server)
        let arn = try await Self.attributes(queueURL, server)["QueueArn"] ?? ""
        try await send("PUT", "/\(bucket)")
        try await send(
            "PUT", "/\(bucket)?notification",
            Data(
                """
                <NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">\
                <QueueConfiguration><Id>a</Id><Queue>\(arn)</Queue><Event>s3:ObjectCreated:*</Event>\
                </QueueConfiguration></NotificationConfiguration>
                """.utf8))
    }

    // MARK: Objects

    func put(_ file: String, _ key: String) async throws {
        try await put(try Data(contentsOf: URL(fileURLWithPath: file)), key)
    }

    func put(_ bytes: Data, _ key: String) async throws {
        try await send("PUT", "/\(bucket)/\(Self.encoded(key))", bytes)
    }

    func delete(_ key: String) async throws {
        try await send("DELETE", "/\(bucket)/\(Self.encoded(key))")
    }

    func get(_ key: String) async throws -> Data {
        try await send("GET", "/\(bucket)/\(Self.encoded(key))")
    }

    /// Every object under a prefix, with its time and etag.
    func list(_ prefix: String) async throws -> [String: String] {
        let text = String(
            decoding: try await send("GET", "/\(bucket)?list-type=2&prefix=\(prefix)"),
            as: UTF8.self)
        var found: [String: String] = [:]
        for piece in text.components(separatedBy: "<Contents>").dropFirst() {
            let key = piece.components(separatedBy: "<Key>").last?
                .components(separatedBy: "</Key>").first
            let rest = piece.components(separatedBy: "</Key>").last?
                .components(separatedBy: "</Contents>").first
            if let key, let rest { found[key] = rest }
        }
        return found
    }

    // MARK: Messages

    func announce(_ body: String) async throws {
        _ = try await Self.ask(
            "SendMessage", ["QueueUrl": queueURL, "MessageBody": body], server)
    }

    /// Messages that wait, and those that somebody holds.
    func waiting() async throws -> Int { try await count(queueURL) }
    func dead() async throws -> Int { try await count(deadURL) }

    func deadBodies() async throws -> [String] {
        let answer = try await Self.ask(
            "ReceiveMessage", ["QueueUrl": deadURL, "MaxNumberOfMessages": 10], server)
        let messages = answer["Messages"] as? [[String: Any]] ?? []
        return messages.compactMap { $0["Body"] as? String }
    }

    private func count(_ url: String) async throws -> Int {
        let attributes = try await Self.attributes(url, server)
        return ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            .compactMap { attributes[$0].flatMap { Int($0) } }.reduce(0, +)
    }

    // MARK: Requests

    private static func make(
        _ name: String, _ attributes: [String: String], _ server: String
    ) async throws -> String {
        let answer = try await ask(
            "CreateQueue", ["QueueName": name, "Attributes": attributes], server)
        guard let url = answer["QueueUrl"] as? String else {
            throw Refused(text: "CreateQueue: \(answer)")
        }
        return url
    }

    private static func attributes(_ url: String, _ server: String) async throws -> [String: String]
    {
        let answer = try await ask(
            "GetQueueAttributes", ["QueueUrl": url, "AttributeNames": ["All"]], server)
        return answer["Attributes"] as? [String: String] ?? [:]
    }

    private static func ask(
        _ word: String, _ input: [String: Any], _ server: String
    ) async throws -> [String: Any] {
        let body = try JSONSerialization.data(withJSONObject: input)
        let answer = try await send(
            "POST", server + "/", body, "sqs",
            ["X-Amz-Target": "AmazonSQS.\(word)", "Content-Type": "application/x-amz-json-1.0"])
        return try JSONSerialization.jsonObject(with: answer) as? [String: Any] ?? [:]
    }

    @discardableResult
    private func send(_ method: String, _ path: String, _ body: Data? = nil) async throws -> Data {
        try await Self.send(
            method, server + path, body, "s3", ["Content-Type": "application/octet-stream"])
    }

    private static func send(
        _ method: String, _ url: String, _ body: Data?, _ service: String,
        _ headers: [String: String]
    ) async throws -> Data {
        guard let address = URL(string: url) else { throw Refused(text: url) }
        var request = URLRequest(url: address)
        request.httpMethod = method
        request.httpBody = body
        // moto looks for the service in the scope, and checks no signature.
        request.setValue(
            "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/\(service)/aws4_request, "
                + "SignedHeaders=host, Signature=0", forHTTPHeaderField: "Authorization")
        for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
        let (data, response) = try await URLSession.shared.data(for: request)
        let status = (response as? HTTPURLResponse)?.statusCode ?? 0
        guard (200..<300).contains(status) else {
            throw Refused(
                text: "\(method) \(url): \(status) \(String(decoding: data, as: UTF8.self))")
        }
        return data
    }

    private static func encoded(_ key: String) -> String {
        let plain = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/")
        return key.addingPercentEncoding(withAllowedCharacters: plain) ?? key
    }
}

/// Looks again and again until something is so; false when the time is over first.
func holds(
    within limit: Duration = .seconds(30), _ isSo: () async throws -> Bool
) async throws -> Bool {
    let end = ContinuousClock.now + limit
    while ContinuousClock.now < end {
        if try await isSo() { return true }
        // Why a pause: moto answers on the processor that the command needs.
        try await Task.sleep(for: .milliseconds(100))
    }
    return try await isSo()
}
