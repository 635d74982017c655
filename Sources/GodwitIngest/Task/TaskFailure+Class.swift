// SPDX-License-Identifier: Apache-2.0
import FFmpeg
import Godwit

extension TaskFailure: CustomStringConvertible {
    /// The class by the design's word, and the sentence.
    public var description: String { "\(word): \(reason)" }

    public var word: String {
        switch self {
        case .mediaInvalid: "media-invalid"
        case .mediaLimit: "media-limit"
        case .gone: "gone"
        case .retry: "retry"
        case .config: "config"
        }
    }

    public var reason: String {
        switch self {
        case .mediaInvalid(let text), .mediaLimit(let text), .gone(let text), .retry(let text),
            .config(let text):
            text
        }
    }

    /// The class of what a task threw; nil for what no class is known for, which is tried again.
    package init?(classifying error: any Error) {
        switch error {
        case let failure as TaskFailure: self = failure
        case let failure as MediaFailure:
            let text = Self.text(failure.fault)
            switch failure {
            case .invalid: self = .mediaInvalid(text)
            case .limit: self = .mediaLimit(text)
            case .retry: self = .retry(text)
            case .config: self = .config(text)
            }
        case let error as StoreError:
            switch error {
            case .config(let text): self = .config(text)
            // Why not gone: the input's own absence was told as that where it was fetched.
            case .gone(let text), .changed(let text), .unavailable(let text): self = .retry(text)
            case .invalid(let text): self = .config(text)
            }
        default: return nil
        }
    }

    /// One sentence, the exit code, and the end of what the tool said, made harmless to show.
    private static func text(_ fault: MediaFault) -> String {
        var text = fault.reason
        if let code = fault.exitCode { text += " (exit code \(code))" }
        if !fault.errorText.isEmpty { text += "; it said: \(fault.errorText.escapedForDisplay)" }
        return text
    }
}
