// SPDX-License-Identifier: Apache-2.0
import Crypto
import Foundation
import Synchronization

/// Objects in memory behind the words of S3's REST protocol that the client uses; buckets in the path.
final class ObjectTable: Sendable {
    private struct Object {
        var bytes: [UInt8]
        var etag: String
        var type: String
    }

    private struct State {
        var buckets: [String: [String: Object]] = [:]
        var uploads: [String: (bucket: String, key: String, type: String, parts: [Int: Object])] =
            [:]
        var next = 0
    }

    private let state = Mutex(State())

    var openUploads: Int { state.withLock { $0.uploads.count } }

    func bytes(_ bucket: String, _ key: String) -> [UInt8]? {
        state.withLock { $0.buckets[bucket]?[key]?.bytes }
    }

    func put(_ bytes: [UInt8], _ bucket: String, _ key: String) {
        state.withLock { $0.buckets[bucket, default: [:]][key] = Self.object(bytes, "") }
    }

    func answer(_ request: LoopbackServer.Request) -> LoopbackServer.Reply {
        var query: [String: String] = [:]
        for pair in SignatureCheck.pairs(request.rawQuery) { query[pair.0] = pair.1 }
        let halves = request.path.dropFirst().split(
            separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let bucket = String(halves[0])
        let key = halves.count > 1 ? SignatureCheck.decode(halves[1]) : ""
        return state.withLock { state in
            if key.isEmpty {
                switch (request.method, query["delete"]) {
                case ("PUT", _):
                    if state.buckets[bucket] == nil { state.buckets[bucket] = [:] }
                    return .init(200)
                case ("POST", _?): return deleteAll(&state, bucket, request)
                case ("GET", _): return list(state, bucket, query)
                default: return Self.error(405, "MethodNotAllowed")
                }
            }
            guard state.buckets[bucket] != nil else { return Self.error(404, "NoSuchBucket") }
            switch (request.method, query["uploadId"], query["uploads"]) {
            case ("POST", _, _?): return begin(&state, bucket, key, request)
            case ("PUT", let id?, _): return part(&state, id, query, request)
            case ("POST", let id?, _): return complete(&state, id, request)
            case ("DELETE", let id?, _):
                return state.uploads.removeValue(forKey: id) == nil
                    ? Self.error(404, "NoSuchUpload") : .init(204)
            case ("PUT", nil, _):
                if request.header("x-amz-copy-source") != nil {
                    return copy(&state, bucket, key, request)
                }
                return put(&state, bucket, key, request)
            case ("GET", _, _), ("HEAD", _, _): return get(state, bucket, key, request)
            case ("DELETE", _, _):
                state.buckets[bucket]?[key] = nil
                return .init(204)
            default: return Self.error(405, "MethodNotAllowed")
            }
        }
    }

    private func put(
        _ state: inout State, _ bucket: String, _ key: String, _ request: LoopbackServer.Request
    ) -> LoopbackServer.Reply {
        if request.header("if-none-match") == "*", state.buckets[bucket]?[key] != nil {
            return Self.error(412, "PreconditionFailed")
        }
        let object = Self.object(request.body, request.header("content-type") ?? "")
        state.buckets[bucket]?[key] = object
        return .init(200, [("ETag", object.etag)])
    }

    private func copy(
        _ state: inout State, _ bucket: String, _ key: String, _ request: LoopbackServer.Request
    ) -> LoopbackServer.Reply {
        let words = (request.header("x-amz-copy-source") ?? "").split(
            separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard words.count == 2,
            let object = state.buckets[String(words[0])]?[SignatureCheck.decode(words[1])]
        else { return Self.error(404, "NoSuchKey") }
        state.buckets[bucket]?[key] = object
        return .init(
            200, text: "<CopyObjectResult><ETag>\(object.etag)</ETag></CopyObjectResult>")
    }

    private func get(
        _ state: State, _ bucket: String, _ key: String, _ request: LoopbackServer.Request
    ) -> LoopbackServer.Reply {
        guard let object = state.buckets[bucket]?[key] else {
            return Self.error(404, "NoSuchKey")
        }
        if let etag = request.header("if-match"), etag != object.etag {
            return Self.error(412, "PreconditionFailed")
        }
        var headers = [("ETag", object.etag), ("Accept-Ranges", "bytes")]
        if !object.type.isEmpty { headers.append(("Content-Type", object.type)) }
        let count = object.bytes.count
        guard let range = request.header("range") else {
            return .init(200, headers + [("Content-Length", "\(count)")], body: object.bytes)
        }
        let ends = range.dropFirst("bytes=".count).split(
            separator: "-", omittingEmptySubsequences: false)
        guard let first = Int(ends[0]), first < count else {
            return Self.error(416, "InvalidRange")
        }
        let last = min(Int(ends[1]) ?? count - 1, count - 1)
        return .init(
            206, headers + [("Content-Range", "bytes \(first)-\(last)/\(count)")],
            body: Array(object.bytes[first...last]))
    }

    private func begin(
        _ state: inout State, _ bucket: String, _ key: String, _ request: LoopbackServer.Request
    ) -> LoopbackServer.Reply {
        state.next += 1
        let id = "upload-\(state.next)+/="
        state.uploads[id] = (bucket, key, request.header("content-type") ?? "", [:])
        return .init(
            200,
            text:
                "<InitiateMultipartUploadResult><UploadId>\(id)</UploadId></InitiateMultipartUploadResult>"
        )
    }

    private func part(
        _ state: inout State, _ id: String, _ query: [String: String],
        _ request: LoopbackServer.Request
    ) -> LoopbackServer.Reply {
        guard state.uploads[id] != nil, let number = query["partNumber"].flatMap({ Int($0) })
        else { return Self.error(404, "NoSuchUpload") }
        let object = Self.object(request.body, "")
        state.uploads[id]?.parts[number] = object
        return .init(200, [("ETag", object.etag)])
    }

    private func complete(
        _ state: inout State, _ id: String, _ request: LoopbackServer.Request
    ) -> LoopbackServer.Reply {
        guard let upload = state.uploads[id] else { return Self.error(404, "NoSuchUpload") }
        let body = String(decoding: request.body, as: UTF8.self)
        var bytes: [UInt8] = []
        let count = body.components(separatedBy: "<Part>").count - 1
        guard count > 0 else { return Self.error(400, "MalformedXML") }
        for number in 1...count {
            guard let part = upload.parts[number],
                body.contains(
                    "<PartNumber>\(number)</PartNumber><ETag>"
                        + part.etag.replacingOccurrences(of: "\"", with: "&quot;") + "</ETag>")
            else { return Self.error(400, "InvalidPart") }
            guard number == count || part.bytes.count >= 5 << 20 else {
                return Self.error(400, "EntityTooSmall")
            }
            bytes += part.bytes
        }
        if request.header("if-none-match") == "*",
            state.buckets[upload.bucket]?[upload.key] != nil
        {
            return Self.error(412, "PreconditionFailed")
        }
        state.uploads[id] = nil
        var object = Self.object(bytes, upload.type)
        object.etag = object.etag.dropLast() + "-\(count)\""
        state.buckets[upload.bucket]?[upload.key] = object
        return .init(
            200,
            text:
                "<CompleteMultipartUploadResult><ETag>\(object.etag)</ETag></CompleteMultipartUploadResult>"
        )
    }

    private func deleteAll(
        _ state: inout State, _ bucket: String, _ request: LoopbackServer.Request
    ) -> LoopbackServer.Reply {
        let hash = Data(Insecure.MD5.hash(data: request.body)).base64EncodedString()
        guard request.header("content-md5") == hash else { return Self.error(400, "BadDigest") }
        let body = String(decoding: request.body, as: UTF8.self)
        for piece in body.components(separatedBy: "<Key>").dropFirst() {
            var key = piece.components(separatedBy: "</Key>")[0]
            for (name, letter) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")] {
                key = key.replacingOccurrences(of: name, with: letter)
            }
            state.buckets[bucket]?[key] = nil
        }
        return .init(200, text: "<DeleteResult></DeleteResult>")
    }

    private func list(
        _ state: State, _ bucket: String, _ query: [String: String]
    ) -> LoopbackServer.Reply {
        guard let objects = state.buckets[bucket] else { return Self.error(404, "NoSuchBucket") }
        let start = query["continuation-token"] ?? query["start-after"] ?? ""
        let limit = query["max-keys"].flatMap { Int($0) } ?? 1_000
        let keys = objects.keys.filter {
            $0.utf8.starts(with: (query["prefix"] ?? "").utf8)
                && start.utf8.lexicographicallyPrecedes($0.utf8)
        }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        var text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?><ListBucketResult>"
        text += "<EncodingType>url</EncodingType><IsTruncated>\(keys.count > limit)</IsTruncated>"
        for key in keys.prefix(limit) {
            // As S3 writes them: a space as a plus.
            let spelled = SignatureCheck.encode(key).replacingOccurrences(of: "%20", with: "+")
            text += "<Contents><Key>\(spelled)</Key><ETag>\(objects[key]?.etag ?? "")</ETag>"
            text += "<Size>\(objects[key]?.bytes.count ?? 0)</Size></Contents>"
        }
        if keys.count > limit {
            text +=
                "<NextContinuationToken>\(Self.escaped(keys[limit - 1]))</NextContinuationToken>"
        }
        return .init(200, text: text + "</ListBucketResult>")
    }

    private static func object(_ bytes: [UInt8], _ type: String) -> Object {
        Object(
            bytes: bytes,
            etag: "\"" + SignatureCheck.hex(Insecure.MD5.hash(data: bytes)) + "\"", type: type)
    }

    private static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(
            of: "<", with: "&lt;")
    }

    static func error(
        _ status: Int, _ code: String, region: String? = nil
    ) -> LoopbackServer.Reply {
        .init(
            status, [("x-amz-request-id", "TEST")],
            text: "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>\(code)</Code>"
                + "<Message>as the test wants it</Message>"
                + (region.map { "<Region>\($0)</Region>" } ?? "") + "</Error>")
    }
}
