// SPDX-License-Identifier: Apache-2.0
import SigV4

extension S3 {
    /// What an upload in parts is made of: at most 10,000 parts, each but the last of at least 5 MiB.
    struct PartPlan: Sendable, Hashable {
        let size: UInt64
        let part: UInt64

        init(size: UInt64, wanted: UInt64) {
            self.size = size
            let mebibyte: UInt64 = 1 << 20
            let least = (size + 9_999) / 10_000
            part = max(wanted, 5 * mebibyte, (least + mebibyte - 1) / mebibyte * mebibyte)
        }

        var count: Int { Int((size + part - 1) / part) }

        /// Numbered from 1.
        func range(of number: Int) -> Range<UInt64> {
            let start = UInt64(number - 1) * part
            return start..<min(size, start + part)
        }
    }

    func putParts(
        _ file: OpenFile, _ bucket: String, _ key: String, _ options: S3PutOptions
    ) async throws(AWSError) -> S3PutResult {
        let plan = PartPlan(size: file.size, wanted: partSize)
        let id = try await begin(bucket, key, options)
        do throws(AWSError) {
            let etags = try await send(file, plan, bucket, key, id)
            return try await complete(etags, plan, bucket, key, id, options)
        } catch {
            await giveUp(bucket, key, id)
            throw error
        }
    }

    private func begin(
        _ bucket: String, _ key: String, _ options: S3PutOptions
    ) async throws(AWSError) -> String {
        var unconditional = options
        unconditional.ifAbsent = false
        let request = try request(
            "CreateMultipartUpload", "POST", bucket, key, query: [Field("uploads", "")],
            headers: unconditional.headers)
        let answer = try await client.send(request, timeout: timeout)
        guard let id = try XMLTree.parse(answer.body)["UploadId"]?.text, !id.isEmpty else {
            throw AWSError(.badAnswer, "\(request.name): an answer without an upload's id")
        }
        return id
    }

    /// Sends the parts, some at once; the first failure stops the others.
    private func send(
        _ file: OpenFile, _ plan: PartPlan, _ bucket: String, _ key: String, _ id: String
    ) async throws(AWSError) -> [String] {
        var etags = [String](repeating: "", count: plan.count)
        do {
            try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for number in 1...plan.count {
                    if number > max(1, parallel), let (done, etag) = try await group.next() {
                        etags[done - 1] = etag
                    }
                    group.addTask {
                        (number, try await send(number, file, plan, bucket, key, id))
                    }
                }
                for try await (done, etag) in group { etags[done - 1] = etag }
            }
        } catch {
            throw (error as? AWSError) ?? AWSError(.unavailable, shown("\(error)"))
        }
        return etags
    }

    private func send(
        _ number: Int, _ file: OpenFile, _ plan: PartPlan, _ bucket: String, _ key: String,
        _ id: String
    ) async throws(AWSError) -> String {
        let range = plan.range(of: number)
        let request = try request(
            "UploadPart \(number) of", "PUT", bucket, key,
            query: [Field("partNumber", "\(number)"), Field("uploadId", id)],
            body: .file(FileSlice(file, range.lowerBound, range.upperBound - range.lowerBound)))
        let answer = try await client.send(request, timeout: timeout)
        guard let etag = answer.header("etag"), !etag.isEmpty else {
            throw AWSError(.badAnswer, "\(request.name): an answer without an ETag")
        }
        return etag
    }

    private func complete(
        _ etags: [String], _ plan: PartPlan, _ bucket: String, _ key: String, _ id: String,
        _ options: S3PutOptions
    ) async throws(AWSError) -> S3PutResult {
        var body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        for (index, etag) in etags.enumerated() {
            body += "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(xml(etag))</ETag></Part>"
        }
        body += "</CompleteMultipartUpload>"
        let request = try request(
            "CompleteMultipartUpload", "POST", bucket, key, query: [Field("uploadId", id)],
            headers: options.condition + [Field("content-type", "application/xml")],
            body: .bytes(Array(body.utf8)), mayFailInside: true)
        do throws(AWSError) {
            // Why long: a store may put gigabytes together before it answers.
            let answer = try await client.send(request, timeout: max(timeout, .seconds(300)))
            guard let etag = try XMLTree.parse(answer.body)["ETag"]?.text else {
                throw AWSError(.badAnswer, "\(request.name): an answer without an ETag")
            }
            return .stored(etag: etag)
        } catch {
            // The answer to an earlier attempt may be lost: then the upload is gone, and all is there.
            guard error.code == "NoSuchUpload", let object = try await head(bucket, key),
                object.size == plan.size,
                object.etag.replacing("\"", with: "").hasSuffix("-\(etags.count)")
            else { throw error }
            return .stored(etag: object.etag)
        }
    }

    /// AbortMultipartUpload, as well as it goes: also when this task is cancelled, for what lies about
    /// costs money.
    private func giveUp(_ bucket: String, _ key: String, _ id: String) async {
        guard
            let request = try? request(
                "AbortMultipartUpload", "DELETE", bucket, key, query: [Field("uploadId", id)])
        else { return }
        await client.sendShielded(request)
    }
}
