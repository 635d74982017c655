// SPDX-License-Identifier: Apache-2.0
import Testing

/// The invariants of ARCHITECTURE.md, so that a failing test names the promise that was broken.
extension Tag {
    /// No loss.
    @Tag static var i1: Self
    /// One state.
    @Tag static var i2: Self
    /// Fencing.
    @Tag static var i3: Self
    /// Lease exclusion.
    @Tag static var i4: Self
    /// Explained duplicates.
    @Tag static var i5: Self
    /// Honest counting.
    @Tag static var i6: Self
    /// Order per key.
    @Tag static var i7: Self
    /// Never early.
    @Tag static var i8: Self
    /// Unique.
    @Tag static var i9: Self
    /// Bounded.
    @Tag static var i10: Self
    /// Unknown is left alone.
    @Tag static var i11: Self
    /// Honest answers.
    @Tag static var i12: Self

    /// First in, first out per kind, and what returns to the head or joins the tail.
    @Tag static var order: Self
    /// 0 before 7.
    @Tag static var priority: Self
}
