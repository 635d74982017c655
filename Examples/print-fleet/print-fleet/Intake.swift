// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Foundation
import Godwit
import GodwitStreams
import PrintFleet

/// Reads lines, puts what is wrong aside with its number and reason, and appends the rest.
///
///     file, stdin or folder ─► lines ─► readings ─► stream
///                                  └──► rejects
final class Intake {
    private static let chunk = 1 << 20
    private static let batch = 256
    /// So many readings may wait in the store before the intake waits for the workers.
    private static let ahead = 20_000
    private static let skew: Int64 = 3_600_000

    private let stream: FleetStream
    private let rejects: Rejects?
    private let progress: FleetProgress
    private var batch: [PackedReading] = []
    private var sinceLook = 0

    init(_ stream: FleetStream, rejects: Rejects?, progress: FleetProgress) {
        self.stream = stream
        self.rejects = rejects
        self.progress = progress
    }

    /// Takes a whole input. A line that is none is never fatal; a store that fails is.
    func take(_ descriptor: Int32, named source: String) async throws {
        var splitter = LineSplitter()
        let reader = ChunkReader(descriptor, size: Self.chunk)
        while let bytes = try await reader.next() {
            // Why in pieces: a chunk may hold thousands of lines, and a batch is a few hundred.
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, start + (64 << 10))
                try bytes.withUnsafeBytes { raw in
                    try splitter.feed(UnsafeRawBufferPointer(rebasing: raw[start..<end])) {
                        try line($0, source)
                    }
                }
                start = end
                if batch.count >= Self.batch { try await flush() }
            }
        }
        try splitter.finish { try line($0, source) }
        try await flush()
        try rejects?.flush()
    }

    private func line(_ line: LineSplitter.Line, _ source: String) throws {
        do throws(RejectReason) {
            if line.length > Reading.maxLine { throw .tooLong(bytes: line.length) }
            let reading = try ReadingParser.parse(line.bytes)
            batch.append(PackedReading(reading))
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            progress.accepted(isSkewed: reading.time.ms > now + Self.skew)
        } catch {
            progress.rejected(error.code)
            try rejects?.add(line, source, error)
        }
    }

    private func flush() async throws {
        if batch.isEmpty { return }
        let part = batch
        batch.removeAll(keepingCapacity: true)
        try await stream.append(contentsOf: part)
        progress.appended(part.count)
        sinceLook += part.count
        guard sinceLook >= 4096 else { return }
        sinceLook = 0
        let inspector = stream.broker.streamInspector
        while try await inspector.counts(ofStream: stream.name).pending > Self.ahead {
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}

/// Reads a file in chunks on a thread of its own: reading blocks, and the cooperative pool must not.
private final class ChunkReader: Sendable {
    private let descriptor: Int32
    private let size: Int
    private let thread = DispatchQueue(label: "print-fleet.intake")

    init(_ descriptor: Int32, size: Int) {
        self.descriptor = descriptor
        self.size = size
    }

    /// The next bytes, some at least; nil at the end.
    func next() async throws -> [UInt8]? {
        try await withCheckedThrowingContinuation { continuation in
            thread.async { [descriptor, size] in
                var failure: Int32 = 0
                let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                    while true {
                        let got = read(descriptor, buffer.baseAddress, size)
                        if got < 0, errno == EINTR { continue }
                        failure = got < 0 ? errno : 0
                        count = max(0, got)
                        return
                    }
                }
                if failure != 0 {
                    continuation.resume(
                        throwing: Wrong(what: "reading failed: \(String(cString: strerror(failure)))"))
                } else {
                    continuation.resume(returning: bytes.isEmpty ? nil : bytes)
                }
            }
        }
    }
}
