// SPDX-License-Identifier: Apache-2.0

/// Why no waveform was made, in a sentence for the reader.
public enum WaveformError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The options fit neither the format nor each other: change them.
    case options(String)
    /// The bytes are no waveform file, or one that breaks the format's rules: make the file anew.
    case file(String)

    public var description: String {
        switch self {
        case .options(let reason), .file(let reason): reason
        }
    }
}
