// SPDX-License-Identifier: Apache-2.0
import Dispatch
import Foundation

/// Reads a file in chunks on a thread of its own: reading blocks, and the cooperative pool must not.
final class ChunkReader: Sendable {
    private static let look: Int32 = 100

    private let source: Source
    private let size: Int
    private let isStopping: @Sendable () -> Bool
    private let thread = DispatchQueue(label: "print-fleet.intake")

    init(_ source: Source, size: Int, until isStopping: @escaping @Sendable () -> Bool) {
        self.source = source
        self.size = size
        self.isStopping = isStopping
    }

    /// The next bytes, some at least; nil at the end, and within 100 ms of a stop, whatever the other
    /// end of a pipe does.
    func next() async throws -> [UInt8]? {
        try await withCheckedThrowingContinuation { continuation in
            thread.async { [self] in
                continuation.resume(with: Result { try read() })
            }
        }
    }

    private func read() throws -> [UInt8]? {
        while !isStopping() {
            var wait = pollfd(fd: source.descriptor, events: Int16(POLLIN), revents: 0)
            // Why poll: a read of a silent pipe would hold up the end for as long as it is silent.
            if poll(&wait, 1, Self.look) == 0 { continue }
            var failure: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
                let got = Foundation.read(source.descriptor, buffer.baseAddress, size)
                failure = got < 0 ? errno : 0
                count = max(0, got)
            }
            if failure == EINTR || failure == EAGAIN { continue }
            guard failure == 0 else {
                throw Unreadable(
                    what: "can't read on in \(source.name): \(String(cString: strerror(failure)))")
            }
            return bytes.isEmpty ? nil : bytes
        }
        return nil
    }
}
