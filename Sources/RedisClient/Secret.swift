// SPDX-License-Identifier: Apache-2.0

/// A text that no log, error or dump shows.
public struct Secret: Sendable, Hashable {
    /// The text itself: for the wire only.
    package let value: String

    /// Hides `value`.
    public init(_ value: String) { self.value = value }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Hides the text.
    public var description: String { "<redacted>" }
    /// Hides the text.
    public var debugDescription: String { "<redacted>" }
    /// Hides the text from `dump`.
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}
