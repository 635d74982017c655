// SPDX-License-Identifier: Apache-2.0

/// Signs requests after AWS Signature Version 4: the same input gives the same signature.
///
/// Follows "Authenticating Requests (AWS Signature Version 4)" of the S3 API reference and "Create a
/// signed AWS API request" of the IAM user guide. Nothing is sent or read here.
public struct Signer: Sendable {
    public var keys: SigningKeys
    public var region: String
    /// As in the scope: `s3`, `sqs`.
    public var service: String
    public var options: SigningOptions

    public init(_ keys: SigningKeys, region: String, service: String, options: SigningOptions) {
        self.keys = keys
        self.region = region
        self.service = service
        self.options = options
    }

    /// Signs by headers: ``SignedRequest/headers`` are all that go out, `Authorization` among them.
    public func sign(
        _ request: SigningRequest, payload: Payload, at time: SigningTime
    ) -> SignedRequest {
        var signed = request
        signed.headers.append(Field("x-amz-date", time.text))
        if options.sendsPayloadHash {
            signed.headers.append(Field("x-amz-content-sha256", payload.text))
        }
        let token = keys.sessionToken.map { Field("x-amz-security-token", $0) }
        if options.signsToken, let token { signed.headers.append(token) }
        let canonical = CanonicalRequest(signed, payload: payload, options)
        var result = finish(canonical, signed, at: time)
        if !options.signsToken, let token { result.headers.append(token) }
        result.headers.append(
            Field(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=\(keys.accessKeyID)/\(result.scope),"
                    + "SignedHeaders=\(canonical.signedHeaders),Signature=\(result.signature)"))
        return result
    }

    /// Signs by the query: whoever has path and ``SignedRequest/query`` may send the request, until
    /// `seconds` after `time` (at most a week, 604,800). Treat it as a secret.
    public func presign(
        _ request: SigningRequest, payload: Payload = .unsigned, seconds: Int,
        at time: SigningTime
    ) -> SignedRequest {
        var signed = request
        signed.query += [
            Field("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            Field("X-Amz-Credential", "\(keys.accessKeyID)/\(scope(at: time))"),
            Field("X-Amz-Date", time.text),
            Field("X-Amz-Expires", "\(seconds)"),
            Field("X-Amz-SignedHeaders", CanonicalRequest.names(of: request.headers)),
        ]
        let token = keys.sessionToken.map { Field("X-Amz-Security-Token", $0) }
        if options.signsToken, let token { signed.query.append(token) }
        let canonical = CanonicalRequest(signed, payload: payload, options)
        var result = finish(canonical, signed, at: time)
        if !options.signsToken, let token {
            result.query += "&" + PercentEncoding.query([token])
        }
        result.query += "&X-Amz-Signature=" + result.signature
        return result
    }

    private func scope(at time: SigningTime) -> String {
        "\(time.day)/\(region)/\(service)/aws4_request"
    }

    private func finish(
        _ canonical: CanonicalRequest, _ request: SigningRequest, at time: SigningTime
    ) -> SignedRequest {
        let scope = scope(at: time)
        let words =
            "AWS4-HMAC-SHA256\n\(time.text)\n\(scope)\n\(Hash.digest(Array(canonical.text.utf8)))"
        var key = Array("AWS4\(keys.secretAccessKey)".utf8)
        for word in [time.day, region, service, "aws4_request"] { key = Hash.hmac(word, key: key) }
        return SignedRequest(
            canonicalRequest: canonical.text, stringToSign: words,
            signature: Hash.hex(Hash.hmac(words, key: key)), scope: scope, time: time,
            headers: request.headers, query: PercentEncoding.query(request.query), key: key)
    }
}

/// A signature with what it was made of, and what goes out with it.
public struct SignedRequest: Sendable {
    public let canonicalRequest: String
    public let stringToSign: String
    /// Hex of 32 bytes.
    public let signature: String
    /// `20130524/us-east-1/s3/aws4_request`
    public let scope: String
    public let time: SigningTime
    /// All headers, the given ones and those that signing adds.
    public internal(set) var headers: [Field]
    /// The whole query as it goes over the wire, encoded and in order.
    public internal(set) var query: String
    let key: [UInt8]
}

extension SignedRequest: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Hides the headers and the query: they are as good as a key while they hold.
    public var description: String { "<signed request, redacted>" }
    public var debugDescription: String { description }
    /// Hides the key from `dump`.
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// Signs the chunks of a body one after the other, each over the signature before it.
public struct ChunkSigner: Sendable {
    private let request: SignedRequest
    private var last: String

    /// `request` was signed with ``Payload/streaming``.
    public init(after request: SignedRequest) {
        self.request = request
        last = request.signature
    }

    /// Signs the next chunk; the last one is empty.
    public mutating func sign(_ chunk: [UInt8]) -> String {
        let words = [
            "AWS4-HMAC-SHA256-PAYLOAD", request.time.text, request.scope, last, Hash.digest([]),
            Hash.digest(chunk),
        ].joined(separator: "\n")
        last = Hash.hex(Hash.hmac(words, key: request.key))
        return last
    }

    /// A chunk as it goes over the wire: its length in hex, its signature, its bytes.
    public mutating func frame(_ chunk: [UInt8]) -> [UInt8] {
        let head = "\(String(chunk.count, radix: 16));chunk-signature=\(sign(chunk))\r\n"
        return Array(head.utf8) + chunk + Array("\r\n".utf8)
    }
}
