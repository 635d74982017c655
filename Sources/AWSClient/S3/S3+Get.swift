// SPDX-License-Identifier: Apache-2.0
import AsyncHTTPClient
public import NIOCore
import SigV4

extension S3 {
    /// HeadObject; nil when there is none.
    public func head(
        _ bucket: String, _ key: String, versionID: String? = nil, ifMatch: String? = nil
    ) async throws(AWSError) -> S3Object? {
        let request = try request(
            "HeadObject", "HEAD", bucket, key, query: version(versionID),
            headers: condition(ifMatch))
        let answer: ServiceAnswer
        do throws(AWSError) {
            answer = try await client.send(request, timeout: timeout)
        } catch {
            // Why no look at the code: the 404 to a HEAD has no body.
            if error.kind == .missing { return nil }
            throw error
        }
        guard let size = answer.header("content-length").flatMap({ UInt64($0) }) else {
            throw AWSError(.badAnswer, "\(request.name): an answer without a length")
        }
        return S3Object(key, size: size, answer)
    }

    /// GetObject: hands the bytes to `consume` piece by piece, the next not before it took the last.
    ///
    /// - Parameter range: of positions; what lies beyond the end is left out, and a range that begins
    ///   there is ``AWSError/Kind/refused`` (416).
    /// - Returns: what it is, with the size of the whole object.
    ///
    /// Broken off on the way, it asks for the rest, pinned by `If-Match` to what it began with: nobody
    /// gets the halves of two objects. Another one by then is ``AWSError/Kind/precondition``.
    public func get(
        _ bucket: String, _ key: String, _ range: Range<UInt64>? = nil, ifMatch: String? = nil,
        versionID: String? = nil, _ consume: (ByteBuffer) async throws -> Void
    ) async throws -> S3Object {
        var reading = Reading(range: range, pin: ifMatch)
        var failures = 0
        if let range, range.isEmpty {
            throw AWSError(.refused, "GetObject s3://\(bucket)/\(shown(key)): an empty range")
        }
        while true {
            var headers = condition(reading.pin)
            if let text = reading.header { headers.append(Field("range", text)) }
            let request = try request(
                "GetObject", "GET", bucket, key, query: version(versionID), headers: headers)
            let (head, body) = try await client.open(request, timeout: timeout)
            let object = try reading.begin(head, key, request.name)
            let before = reading.done
            var parts = body.makeAsyncIterator()
            var reason = "the body ended early"
            while reading.left > 0 {
                let next: ByteBuffer?
                do {
                    next = try await parts.next()
                } catch {
                    if Task.isCancelled {
                        throw AWSError(.cancelled, "\(request.name) was cancelled")
                    }
                    reason = shown("\(error)")
                    break
                }
                guard var part = next else { break }
                // Why cut: a server that sends more than it said gets no more than that believed.
                if UInt64(part.readableBytes) > reading.left {
                    part = part.readSlice(length: Int(reading.left)) ?? part
                }
                try await consume(part)
                reading.done += UInt64(part.readableBytes)
            }
            if reading.left == 0 { return object }
            // Why counted anew after progress: a long body may break more often than a request fails.
            failures = reading.done > before ? 1 : failures + 1
            let decision = client.decide(broken: failures)
            guard case .again(let wait) = decision else {
                throw AWSError(
                    .unavailable,
                    "\(request.name): the body broke off \(failures) times at byte \(reading.done): \(reason)"
                )
            }
            try await client.pause(wait, request.name)
        }
    }

    /// DownloadObject: the object's bytes into a new file of that path, on disk when this returns.
    ///
    /// The file must not be there. It is removed again when this throws; a crash leaves it, so give it a
    /// name that says that it is temporary.
    public func download(
        _ bucket: String, _ key: String, to path: String, ifMatch: String? = nil,
        versionID: String? = nil
    ) async throws -> S3Object {
        let file = try NewFile(path)
        do {
            let object = try await get(
                bucket, key, nil, ifMatch: ifMatch, versionID: versionID
            ) { try await file.write($0) }
            try await file.finish()
            return object
        } catch {
            file.remove()
            throw error
        }
    }

    private func version(_ id: String?) -> [Field] { id.map { [Field("versionId", $0)] } ?? [] }

    private func condition(_ etag: String?) -> [Field] {
        etag.map { [Field("if-match", $0)] } ?? []
    }
}

/// How far a GET is, over all its answers: pure.
struct Reading: Sendable, Hashable {
    private let range: Range<UInt64>?
    /// What every further request asks for.
    private(set) var pin: String?
    /// Of the object; known with the first answer.
    private var end: UInt64?
    private var start: UInt64
    var done: UInt64 = 0

    init(range: Range<UInt64>?, pin: String?) {
        self.range = range
        self.pin = pin
        start = range?.lowerBound ?? 0
    }

    /// Bytes still to come; more than nothing before the first answer.
    var left: UInt64 { end.map { $0 - start - done } ?? .max }

    /// The header `Range`; nil for the whole object from its beginning.
    var header: String? {
        if let end { return "bytes=\(start + done)-\(end - 1)" }
        return range.map { "bytes=\($0.lowerBound)-\($0.upperBound - 1)" }
    }

    /// Takes the head of an answer: what it begins with must be what was asked for.
    mutating func begin(
        _ head: ServiceAnswer, _ key: String, _ name: String
    ) throws(AWSError) -> S3Object {
        func wrong(_ reason: String) -> AWSError {
            AWSError(.badAnswer, status: head.status, "\(name): \(reason)")
        }
        let size: UInt64
        if header != nil {
            guard head.status == 206,
                let told = head.header("content-range").flatMap(Self.contentRange)
            else { throw wrong("asked for a range, the answer is \(head.status) without one") }
            guard told.first == start + done else {
                throw wrong("asked for bytes from \(start + done), got them from \(told.first)")
            }
            size = told.size
            if let end {
                guard told.last == end - 1 else { throw wrong("the range has another end") }
            } else {
                guard let range, told.last == min(range.upperBound, size) - 1 else {
                    throw wrong("asked for a range, got another one")
                }
                end = told.last + 1
            }
        } else {
            guard head.status == 200,
                let length = head.header("content-length").flatMap({ UInt64($0) })
            else { throw wrong("an answer \(head.status) without a length") }
            size = length
            end = length
        }
        let object = S3Object(key, size: size, head)
        guard let pin else {
            guard !object.etag.isEmpty else { throw wrong("an answer without an ETag") }
            self.pin = object.etag
            return object
        }
        // Why looked at too: a store that does not know If-Match would mix two objects.
        guard object.etag == pin else {
            throw AWSError(
                .precondition, status: head.status,
                "\(name): another object lies there by now (\(shown(object.etag, 80)))")
        }
        return object
    }

    /// `bytes 0-9/100`
    static func contentRange(_ text: String) -> (first: UInt64, last: UInt64, size: UInt64)? {
        guard text.hasPrefix("bytes ") else { return nil }
        let parts = text.dropFirst(6).split(separator: "/")
        guard parts.count == 2, let size = UInt64(parts[1]) else { return nil }
        let ends = parts[0].split(separator: "-")
        guard ends.count == 2, let first = UInt64(ends[0]), let last = UInt64(ends[1]),
            first <= last, last < size
        else { return nil }
        return (first, last, size)
    }
}
