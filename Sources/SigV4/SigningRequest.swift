// SPDX-License-Identifier: Apache-2.0

/// A name and a value: of a header, or of a query.
public struct Field: Sendable, Hashable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// What is signed of a request: everything but its body, of which only a hash counts.
public struct SigningRequest: Sendable, Hashable {
    public var method: String
    /// As it goes over the wire, percent-encoded, without the query: ``PercentEncoding/path(_:)``.
    public var path: String
    /// Names and values as text; encoded and put in order by the signer.
    public var query: [Field]
    /// All of these are signed but those that change on the way (`user-agent`, `connection`, …).
    /// `host` must be among them.
    public var headers: [Field]

    public init(
        method: String, path: String, query: [Field] = [], headers: [Field]
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
    }
}

/// What a signature says of the body.
public enum Payload: Sendable, Hashable {
    /// Its SHA-256 in hex: ``bytes(_:)`` makes it.
    case hash(String)
    /// Nothing: only over TLS, where something else keeps the bytes whole.
    case unsigned
    /// It goes in chunks that are signed one by one: ``ChunkSigner``.
    case streaming

    /// The hash of no bytes.
    public static let empty = Payload.hash(
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

    /// The hash of `bytes`.
    public static func bytes(_ bytes: some Sequence<UInt8>) -> Payload {
        .hash(Hash.digest(Array(bytes)))
    }

    /// As it stands in the header `x-amz-content-sha256` and in the canonical request.
    public var text: String {
        switch self {
        case .hash(let hex): hex
        case .unsigned: "UNSIGNED-PAYLOAD"
        case .streaming: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
        }
    }
}

/// Where services differ in what they expect to be signed.
public struct SigningOptions: Sendable, Hashable {
    /// `.`, `..` and empty parts of the path are resolved before it is signed.
    public var normalizesPath: Bool
    /// The path is encoded once more before it is signed.
    public var encodesTwice: Bool
    /// The hash of the body goes along as a signed header `x-amz-content-sha256`.
    public var sendsPayloadHash: Bool
    /// The session token is among what is signed; else it is added after.
    public var signsToken: Bool

    public init(
        normalizesPath: Bool, encodesTwice: Bool, sendsPayloadHash: Bool, signsToken: Bool = true
    ) {
        self.normalizesPath = normalizesPath
        self.encodesTwice = encodesTwice
        self.sendsPayloadHash = sendsPayloadHash
        self.signsToken = signsToken
    }

    /// S3: the path is signed as it is sent, for `a//b` and `a/../b` are keys there.
    public static let s3 = SigningOptions(
        normalizesPath: false, encodesTwice: false, sendsPayloadHash: true)
    /// Every other service.
    public static let standard = SigningOptions(
        normalizesPath: true, encodesTwice: true, sendsPayloadHash: false)
}

/// The pair of keys that signs, and the token that goes along with a temporary pair.
public struct SigningKeys: Sendable, Hashable {
    public var accessKeyID: String
    package var secretAccessKey: String
    package var sessionToken: String?

    public init(accessKeyID: String, secretAccessKey: String, sessionToken: String? = nil) {
        self.accessKeyID = accessKeyID
        self.secretAccessKey = secretAccessKey
        self.sessionToken = sessionToken
    }
}

extension SigningKeys: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Names the pair and hides what is secret of it.
    public var description: String { "\(accessKeyID.prefix(4))…:<redacted>" }
    public var debugDescription: String { description }
    /// Hides the secrets from `dump`.
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
