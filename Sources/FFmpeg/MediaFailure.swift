// SPDX-License-Identifier: Apache-2.0

/// Why a file was not decoded, by what is to be done next.
public enum MediaFailure: Error, Sendable, Hashable {
    /// `media-invalid`: no audio, broken, empty, not a format that is let in. Trying again ends the same.
    case invalid(MediaFault)
    /// `media-limit`: longer, larger or slower than allowed. Trying again ends the same.
    case limit(MediaFault)
    /// The machine failed, not the file: disk full, killed from outside. Try again.
    case retry(MediaFault)
    /// The machine lacks something: no ffmpeg, no encoder. Try again slowly, and tell somebody.
    case config(MediaFault)

    public var fault: MediaFault {
        switch self {
        case .invalid(let fault), .limit(let fault), .retry(let fault), .config(let fault): fault
        }
    }
}

/// What a tool said when it failed.
public struct MediaFault: Sendable, Hashable {
    /// One sentence for the reader.
    public var reason: String
    /// Nil when it was killed or never ran.
    public var exitCode: Int32?
    /// The last 4 KiB of what it wrote to standard error; hostile text.
    public var errorText: String

    public init(_ reason: String, exitCode: Int32? = nil, errorText: String = "") {
        self.reason = reason
        self.exitCode = exitCode
        self.errorText = errorText
    }
}
