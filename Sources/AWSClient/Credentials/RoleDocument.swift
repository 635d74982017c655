// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import SigV4

/// What a container's or a machine's service says of a role, in JSON.
struct RoleDocument: Decodable {
    var AccessKeyId: String
    var SecretAccessKey: String
    var Token: String?
    var Expiration: String?

    /// Why no text of the document in the error: it may hold the secret.
    static func credentials(
        in body: [UInt8], from name: String
    ) throws(AWSError) -> Credentials {
        guard let document = try? JSONDecoder().decode(RoleDocument.self, from: Data(body)) else {
            throw AWSError(.badAnswer, "the service for \(name) answered without credentials")
        }
        let end = document.Expiration.flatMap(instant)
        guard document.Expiration == nil || end != nil else {
            throw AWSError(
                .badAnswer, "the service for \(name) answered with an end that is no time")
        }
        return Credentials(
            accessKeyID: document.AccessKeyId, secretAccessKey: document.SecretAccessKey,
            sessionToken: document.Token, expiration: end)
    }
}

/// A small request to a service of this machine: not signed, three attempts, 64 KiB at most.
struct PlainGet {
    private let surroundings: Surroundings
    private let pool: HTTPPool
    private let timeout: Duration

    init(_ options: AWSOptions, _ pool: HTTPPool, timeout: Duration) {
        surroundings = options.surroundings
        self.pool = pool
        self.timeout = timeout
    }

    func get(
        _ url: String, method: String = "GET", headers: [Field] = [], from name: String
    ) async throws(AWSError) -> [UInt8] {
        let policy = RetryPolicy(attempts: 3)
        var tries = RetryDecision.Tries()
        while true {
            let outcome: Outcome
            switch await once(url, method, headers) {
            case .success(let (status, body)):
                if (200..<300).contains(status) { return body }
                outcome = .answered(status: status, code: "")
            case .failure: outcome = .broken
            }
            if Task.isCancelled { throw AWSError(.cancelled, "cancelled") }
            tries.failures += 1
            switch RetryDecision.decide(outcome, tries, policy, random: surroundings.random()) {
            case .again(let wait):
                do {
                    try await surroundings.sleep(wait)
                } catch {
                    throw AWSError(.cancelled, "cancelled")
                }
            case .refuse(let kind):
                throw AWSError(kind, "the service for \(name) gave no credentials: \(outcome)")
            default:
                throw AWSError(
                    .badAnswer, "the service for \(name) gave no credentials: \(outcome)")
            }
        }
    }

    private func once(
        _ url: String, _ method: String, _ headers: [Field]
    ) async -> Result<(Int, [UInt8]), any Error> {
        var request = HTTPClientRequest(url: url)
        request.method = HTTPMethod(rawValue: method)
        for field in headers { request.headers.add(name: field.name, value: field.value) }
        do {
            let response = try await pool.client.execute(
                request, deadline: .now() + TimeAmount(timeout))
            let body = try await response.body.collect(upTo: 64 << 10)
            return .success((Int(response.status.code), Array(body.readableBytesView)))
        } catch {
            return .failure(error)
        }
    }
}

/// A time as services write it: `2026-05-24T01:02:03Z`, with or without parts of a second.
func instant(_ text: String) -> Date? {
    if let date = try? Date(text, strategy: .iso8601) { return date }
    return try? Date(text, strategy: Date.ISO8601FormatStyle(includingFractionalSeconds: true))
}

/// A token in a file; its text is in no error.
func secretText(in path: String, _ variable: String) throws(AWSError) -> String {
    guard let data = FileManager.default.contents(atPath: path), data.count <= 64 << 10,
        let text = String(data: data, encoding: .utf8)
    else {
        throw AWSError(
            .denied, "\(variable) names '\(shown(path))', which can't be read as a token")
    }
    return text.trimmingCharacters(in: .whitespacesAndNewlines)
}
