// SPDX-License-Identifier: Apache-2.0
import Foundation
import SigV4

extension S3 {
    /// PutObject of bytes in memory.
    ///
    /// - Repeated: puts the same bytes again; with ``S3PutOptions/ifAbsent`` nothing happens.
    /// - Crash half way: nothing is there, or all of it.
    public func put(
        _ bytes: [UInt8], _ bucket: String, _ key: String,
        _ options: S3PutOptions = S3PutOptions()
    ) async throws(AWSError) -> S3PutResult {
        try await putWhole(.bytes(bytes), bucket, key, options)
    }

    /// A file of any size, up to 5 TiB: in one request when it is no longer than a part, else in parts.
    ///
    /// Memory: some 256 KiB for each part under way. If it fails the upload is given up, so that no
    /// parts lie about; a crash leaves them, and a rule of the bucket (AbortIncompleteMultipartUpload)
    /// should clear them. The file must not change meanwhile: that fails, for its hash is signed.
    public func put(
        file path: String, _ bucket: String, _ key: String,
        _ options: S3PutOptions = S3PutOptions()
    ) async throws(AWSError) -> S3PutResult {
        let file = try OpenFile(path)
        guard file.size > max(partSize, 5 << 20) else {
            return try await putWhole(
                .file(FileSlice(file, 0, file.size)), bucket, key, options)
        }
        // Why looked at first: gigabytes would be sent in vain. The condition still decides.
        if options.ifAbsent, try await head(bucket, key) != nil { return .exists }
        var failures = 0
        while true {
            do throws(AWSError) {
                return try await putParts(file, bucket, key, options)
            } catch {
                if options.ifAbsent, error.kind == .precondition { return .exists }
                // A 409 at the end means that two uploads met: this one begins again (S3 API reference,
                // CompleteMultipartUpload); so does one that somebody else has given up.
                failures += 1
                guard error.kind == .conflict || error.code == "NoSuchUpload",
                    case .again(let wait) = client.decide(broken: failures), failures < 3
                else { throw error }
                try await client.pause(wait, "PutObject s3://\(bucket)/\(shown(key))")
            }
        }
    }

    private func putWhole(
        _ body: ServiceRequest.Body, _ bucket: String, _ key: String, _ options: S3PutOptions
    ) async throws(AWSError) -> S3PutResult {
        let request = try request(
            "PutObject", "PUT", bucket, key, headers: options.headers, body: body)
        do throws(AWSError) {
            let answer = try await client.send(request, timeout: timeout)
            return .stored(etag: answer.header("etag") ?? "")
        } catch {
            if options.ifAbsent, error.kind == .precondition { return .exists }
            throw error
        }
    }

    /// CopyObject, up to 5 GiB, within what one client reaches.
    public func copy(
        _ bucket: String, _ key: String, to other: String, _ newKey: String,
        ifMatch: String? = nil
    ) async throws(AWSError) -> String {
        var headers = [Field("x-amz-copy-source", PercentEncoding.path("\(bucket)/\(key)"))]
        if let ifMatch { headers.append(Field("x-amz-copy-source-if-match", ifMatch)) }
        let request = try request(
            "CopyObject", "PUT", other, newKey, headers: headers, mayFailInside: true)
        let answer = try await client.send(request, timeout: timeout)
        return try XMLTree.parse(answer.body)["ETag"]?.text ?? ""
    }
}
