// SPDX-License-Identifier: Apache-2.0
import Synchronization

/// What was handed out, joined.
public final class Sink: Sendable {
    private let state = Mutex([UInt8]())

    public init() {}

    public var bytes: [UInt8] { state.withLock { $0 } }
    public func take(_ part: some Sequence<UInt8>) { state.withLock { $0 += part } }
}

/// Bytes that do not repeat soon.
public func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 33)
    }
}
