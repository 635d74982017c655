// SPDX-License-Identifier: Apache-2.0
public import SigV4

/// One request to a service, before it is signed.
public struct ServiceRequest: Sendable {
    public enum Body: Sendable {
        case bytes([UInt8])
        /// A part of a file: read once for its hash, and again for each attempt.
        case file(FileSlice)
    }

    public var method: String
    /// Percent-encoded: ``PercentEncoding/path(_:)``.
    public var path: String
    public var query: [Field]
    /// Without `host` and `content-length`.
    public var headers: [Field]
    public var body: Body
    /// Stands before the endpoint's host, with a point: a bucket.
    public var hostPrefix: String?
    /// For whom a learned region is remembered: a bucket.
    public var place: String
    /// Whether a 200 may hold an error, so that its body must be looked at.
    public var mayFailInside: Bool
    public var isSigned: Bool
    /// For error messages: `PutObject s3://music/a.wav`.
    public var name: String

    public init(
        _ name: String, method: String, path: String = "/", query: [Field] = [],
        headers: [Field] = [], body: Body = .bytes([]), hostPrefix: String? = nil,
        place: String = "", mayFailInside: Bool = false, isSigned: Bool = true
    ) {
        self.name = name
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.hostPrefix = hostPrefix
        self.place = place
        self.mayFailInside = mayFailInside
        self.isSigned = isSigned
    }
}

/// What a service answered: a 2xx, read whole.
public struct ServiceAnswer: Sendable {
    public var status: Int
    public var headers: [Field]
    public var body: [UInt8]

    /// The first header of that name, in any case.
    public func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}
