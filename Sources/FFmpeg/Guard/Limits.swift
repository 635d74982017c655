// SPDX-License-Identifier: Apache-2.0

/// What one run of a tool may take. The kernel holds it to the first four, we to the others.
package struct Limits: Sendable, Hashable {
    /// Address space in bytes.
    package var memory: UInt64
    /// Bytes of one file; 0: it may write none.
    package var fileBytes: UInt64
    /// Seconds of processor time; five more and the kernel kills.
    package var cpu: Int
    package var openFiles = 64
    /// Wall clock, without the time that the reader of its output takes.
    package var wall: Duration
    /// How long nothing may advance.
    package var quiet: Duration
    /// Between SIGTERM and SIGKILL.
    package var grace: Duration

    package init(
        memory: UInt64, fileBytes: UInt64, cpu: Int, wall: Duration, quiet: Duration,
        grace: Duration
    ) {
        self.memory = memory
        self.fileBytes = fileBytes
        self.cpu = cpu
        self.wall = wall
        self.quiet = quiet
        self.grace = grace
    }

    /// A run that may take `time` for anything, and `share` of the file's length besides.
    ///
    /// Why not by the true length: it is not known before the end. The claim of the header is taken,
    /// or the longest allowed where there is none; a file whose header lies low runs out of time.
    package init(
        _ options: FFmpegOptions, time: Duration, duration: Double?, share: Double,
        fileBytes: UInt64 = 0
    ) {
        let longest = options.maxDuration.seconds
        let length = min(max(duration ?? longest, 0), longest)
        let seconds = time.seconds + length * share
        self.init(
            memory: options.maxMemory, fileBytes: fileBytes, cpu: Int(seconds.rounded(.up)),
            wall: .milliseconds(Int64(seconds * 1000)), quiet: options.quiet,
            grace: options.grace)
    }
}

extension Duration {
    /// In seconds, as near as a double comes.
    package var seconds: Double {
        let (seconds, attoseconds) = components
        return Double(seconds) + Double(attoseconds) * 1e-18
    }
}
