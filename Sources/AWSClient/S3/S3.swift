// SPDX-License-Identifier: Apache-2.0
import SigV4

/// Objects in S3, or in what speaks its REST protocol.
///
/// Follows the S3 API reference. With an endpoint of an operator's, buckets stand in the path; else in
/// the host, but for those with a point in their name, which no certificate covers. No checksum headers
/// and no trailers are sent: some compatible stores refuse them; bodies are covered by the signature.
public struct S3: Sendable {
    public let client: ServiceClient
    /// Of an upload in parts, in bytes: from 5 MiB.
    public var partSize: UInt64 = 8 << 20
    /// How many parts are under way at once.
    public var parallel = 3
    /// Of one request, without the body of a GET.
    public var timeout: Duration = .seconds(60)

    public init(_ client: ServiceClient) { self.client = client }

    /// A client with credentials by the usual chain.
    public init(_ options: AWSOptions, _ pool: HTTPPool) throws(AWSError) {
        client = try ServiceClient(
            "s3", options, .chain(options, pool), pool, signing: .s3)
    }

    func request(
        _ operation: String, _ method: String, _ bucket: String, _ key: String = "",
        query: [Field] = [], headers: [Field] = [], body: ServiceRequest.Body = .bytes([]),
        mayFailInside: Bool = false
    ) throws(AWSError) -> ServiceRequest {
        guard Self.isBucket(bucket) else {
            throw AWSError(
                .refused,
                "'\(shown(bucket, 80))' is no name of a bucket: 3 to 63 small letters, digits, points and "
                    + "hyphens")
        }
        guard key.utf8.count <= 1024 else {
            throw AWSError(
                .refused, "a key of \(key.utf8.count) bytes: S3 takes up to 1,024")
        }
        guard !key.utf8.contains(0) else {
            throw AWSError(.refused, "a key with a null byte: '\(shown(key, 80))'")
        }
        let inPath = client.endpoint.isCustom || bucket.contains(".")
        let path = PercentEncoding.path(key)
        return ServiceRequest(
            "\(operation) s3://\(bucket)/\(shown(key))", method: method,
            path: inPath ? "/\(bucket)" + (key.isEmpty ? "" : "/" + path) : "/" + path,
            query: query, headers: headers, body: body, hostPrefix: inPath ? nil : bucket,
            place: bucket, mayFailInside: mayFailInside)
    }

    /// It becomes part of a path or of a host name.
    private static func isBucket(_ name: String) -> Bool {
        (3...63).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
            }
            && name.first != "." && name.first != "-" && name.last != "." && name.last != "-"
            && !name.contains("..")
    }
}

/// What is known of an object without its bytes.
public struct S3Object: Sendable, Hashable {
    public var key: String
    public var size: UInt64
    /// As the server writes it, with its quotes: sent back as it is.
    public var etag: String
    public var versionID: String?
    public var contentType: String?

    public init(
        key: String, size: UInt64, etag: String, versionID: String? = nil,
        contentType: String? = nil
    ) {
        self.key = key
        self.size = size
        self.etag = etag
        self.versionID = versionID
        self.contentType = contentType
    }

    /// From an answer's head, where `size` is already known.
    init(_ key: String, size: UInt64, _ answer: ServiceAnswer) {
        self.init(
            key: key, size: size, etag: answer.header("etag") ?? "",
            versionID: answer.header("x-amz-version-id"),
            contentType: answer.header("content-type"))
    }
}

/// On what a PUT depends, and what goes along with it.
public struct S3PutOptions: Sendable, Hashable {
    public var contentType: String?
    /// Only where nothing lies: else ``S3PutResult/exists``.
    public var ifAbsent: Bool

    public init(contentType: String? = nil, ifAbsent: Bool = false) {
        self.contentType = contentType
        self.ifAbsent = ifAbsent
    }

    var headers: [Field] {
        (contentType.map { [Field("content-type", $0)] } ?? []) + condition
    }

    var condition: [Field] { ifAbsent ? [Field("if-none-match", "*")] : [] }
}

public enum S3PutResult: Sendable, Hashable {
    case stored(etag: String)
    /// Something lies there. After a lost answer that may be what this very call has stored.
    case exists
}
