// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import SigV4

/// A page of a list.
public struct S3Page: Sendable, Hashable {
    public var objects: [S3Object]
    /// For the next page; nil when this is the last.
    public var next: String?
}

extension S3 {
    /// ListObjectsV2: keys that begin with `prefix`, in the order of their UTF-8, up to 1,000 a page.
    ///
    /// Keys come percent-encoded and are decoded here: not every key can stand in XML.
    public func list(
        _ bucket: String, prefix: String = "", after: String? = nil, limit: Int = 1_000,
        next token: String? = nil
    ) async throws(AWSError) -> S3Page {
        var query = [
            Field("list-type", "2"), Field("encoding-type", "url"),
            Field("max-keys", "\(max(1, min(limit, 1_000)))"),
        ]
        if !prefix.isEmpty { query.append(Field("prefix", prefix)) }
        if let after, !after.isEmpty { query.append(Field("start-after", after)) }
        if let token { query.append(Field("continuation-token", token)) }
        let request = try request("ListObjectsV2", "GET", bucket, query: query)
        let answer = try await client.send(request, timeout: timeout, limit: 8 << 20)
        let root = try XMLTree.parse(answer.body)
        guard root.name == "ListBucketResult" else {
            throw AWSError(.badAnswer, "\(request.name): the answer is no list")
        }
        let isEncoded = root["EncodingType"]?.text == "url"
        var page = S3Page(objects: [], next: nil)
        for entry in root.all("Contents") {
            let text = entry["Key"]?.text ?? ""
            guard let key = isEncoded ? Self.decode(text) : text,
                let size = (entry["Size"]?.text).flatMap({ UInt64($0) })
            else { throw AWSError(.badAnswer, "\(request.name): an entry can't be read") }
            page.objects.append(
                S3Object(key: key, size: size, etag: entry["ETag"]?.text ?? ""))
        }
        if root["IsTruncated"]?.text == "true" {
            guard let next = root["NextContinuationToken"]?.text, !next.isEmpty, next != token
            else { throw AWSError(.badAnswer, "\(request.name): a list that goes on nowhere") }
            page.next = next
        }
        return page
    }

    /// A key of a list: a plus is a space there, a plus sign comes as `%2B`.
    static func decode(_ key: String) -> String? {
        PercentEncoding.decode(key.replacing("+", with: "%20"))
    }

    /// DeleteObject. Nothing happens when there is none.
    public func delete(_ bucket: String, _ key: String) async throws(AWSError) {
        do throws(AWSError) {
            _ = try await client.send(
                try request("DeleteObject", "DELETE", bucket, key), timeout: timeout)
        } catch {
            guard error.code == "NoSuchKey" else { throw error }
        }
    }

    /// DeleteObjects, 1,000 to a request. Throws with the first that was not deleted.
    public func delete(_ bucket: String, _ keys: [String]) async throws(AWSError) {
        for start in stride(from: 0, to: keys.count, by: 1_000) {
            var body =
                "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>"
            for key in keys[start..<min(keys.count, start + 1_000)] {
                body += "<Object><Key>\(xml(key))</Key></Object>"
            }
            body += "</Delete>"
            // Why MD5: this request must carry a hash of its body that every store knows.
            let hash = Data(Insecure.MD5.hash(data: Array(body.utf8))).base64EncodedString()
            let request = try request(
                "DeleteObjects", "POST", bucket, query: [Field("delete", "")],
                headers: [Field("content-md5", hash), Field("content-type", "application/xml")],
                body: .bytes(Array(body.utf8)), mayFailInside: true)
            let answer = try await client.send(request, timeout: timeout)
            let root = try XMLTree.parse(answer.body)
            guard let failed = root["Error"] else { continue }
            let code = shown(failed["Code"]?.text ?? "", 80)
            throw AWSError(
                code == "AccessDenied" ? .denied : .unavailable, code: code,
                "\(request.name): '\(shown(failed["Key"]?.text ?? ""))' was not deleted: \(code) "
                    + shown(failed["Message"]?.text ?? ""))
        }
    }

    /// CreateBucket, where the client's region is; nothing happens when it is ours already.
    public func createBucket(_ bucket: String) async throws(AWSError) {
        var body = ""
        if client.region != "us-east-1" {
            body =
                "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
                + "<LocationConstraint>\(client.region)</LocationConstraint></CreateBucketConfiguration>"
        }
        do throws(AWSError) {
            _ = try await client.send(
                try request("CreateBucket", "PUT", bucket, body: .bytes(Array(body.utf8))),
                timeout: timeout)
        } catch {
            guard error.code == "BucketAlreadyOwnedByYou" else { throw error }
        }
    }

    /// A URL with which anybody may GET (or PUT, HEAD, DELETE) the object for `seconds`, at most a week
    /// and no longer than the credentials hold. It is a secret: keep it out of logs.
    public func presign(
        _ method: String = "GET", _ bucket: String, _ key: String, seconds: Int
    ) async throws(AWSError) -> String {
        try await client.presign(
            try request("Presign", method, bucket, key), seconds: seconds)
    }
}
