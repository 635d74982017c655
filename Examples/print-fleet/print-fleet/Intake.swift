// SPDX-License-Identifier: Apache-2.0
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

    private let stream: FleetStream
    private let rejects: Rejects?
    let progress: FleetProgress
    private let isStopping: @Sendable () -> Bool
    private var batch: [PackedReading] = []
    private var sinceLook = 0
    /// Points that wait and nobody takes: those of keys that are parked or blocked.
    private var pinned = 0

    init(
        _ stream: FleetStream, rejects: Rejects?, progress: FleetProgress,
        until isStopping: @escaping @Sendable () -> Bool
    ) {
        self.stream = stream
        self.rejects = rejects
        self.progress = progress
        self.isStopping = isStopping
    }

    /// Takes a whole input, or what was read of it before a stop: then false. A line that is none is
    /// never fatal; a store that fails is.
    func take(_ source: Source) async throws -> Bool {
        var splitter = LineSplitter()
        let reader = ChunkReader(source, size: Self.chunk, until: isStopping)
        while let bytes = try await reader.next() {
            // Why in pieces: a chunk may hold thousands of lines, and a batch is a few hundred.
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, start + (64 << 10))
                try bytes.withUnsafeBytes { raw in
                    try splitter.feed(UnsafeRawBufferPointer(rebasing: raw[start..<end])) {
                        try line($0, source.name)
                    }
                }
                start = end
                if batch.count >= Self.batch { try await flush() }
            }
            // Why after each chunk: what comes slowly must not wait for a batch to be full.
            try await flush()
        }
        guard !isStopping() else {
            progress.warn(
                "stopped after line \(splitter.number) of \(source.name); given again, it goes on there"
            )
            return false
        }
        try splitter.finish { try line($0, source.name) }
        try await flush()
        return true
    }

    private func line(_ line: LineSplitter.Line, _ source: String) throws {
        do throws(RejectReason) {
            if line.length > Reading.maxLine { throw .tooLong(bytes: line.length) }
            let now = Instant(ms: Int64(Date().timeIntervalSince1970 * 1000))
            let reading = try ReadingParser.parse(line.bytes, arrivedAt: now)
            batch.append(PackedReading(reading))
            progress.accepted()
        } catch {
            let isFirst = progress.rejected(error.code)
            if let rejects {
                try rejects.add(line, source, error)
            } else if isFirst {
                progress.warn("\(source):\(line.number): \(error.code): \(error.text)")
            }
        }
    }

    /// Puts what is rejected into its file and what was read into the store. Why in this order: after
    /// a crash between them the input is given again, and a line is rejected twice, not never.
    private func flush() async throws {
        try rejects?.flush()
        if !batch.isEmpty {
            let part = batch
            batch.removeAll(keepingCapacity: true)
            try await stream.append(contentsOf: part)
            progress.appended(part.count)
            sinceLook += part.count
        }
        guard sinceLook >= 4096 else { return }
        sinceLook = 0
        try await makeRoom()
    }

    /// Waits until not too much waits in the store.
    private func makeRoom() async throws {
        let inspector = stream.broker.streamInspector
        while !isStopping() {
            let counts = try await inspector.counts(ofStream: stream.name)
            pinned = min(pinned, counts.pending)
            if counts.pending <= Self.ahead + pinned { return }
            if counts.ready == 0, counts.leased == 0 {
                // Why not wait: no worker may take them, and other devices' readings must go on.
                pinned = counts.pending
                return
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }
}
