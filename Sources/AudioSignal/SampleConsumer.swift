// SPDX-License-Identifier: Apache-2.0

/// What listens to decoded sound: fed in pieces of any length, in order, then asked once for what it found.
///
/// A pure value: it opens nothing and waits for nothing, so one decode can feed many of them in turn,
/// and its memory does not grow with the length of the sound unless its result does.
public protocol SampleConsumer {
    associatedtype Result
    /// Takes whole frames, interleaved: the count is a multiple of the channels.
    mutating func add(_ samples: Span<Float>)
    /// What was found in all that was added. Nothing is added after it.
    mutating func finish() -> Result
}
