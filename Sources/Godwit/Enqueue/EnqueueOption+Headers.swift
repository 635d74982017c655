// SPDX-License-Identifier: Apache-2.0

extension EnqueueOption {
    /// Marks the message, so that people can look for `tag:eu`; a comma in a tag makes two of it.
    public static func tags(_ tags: [String]) -> EnqueueOption {
        EnqueueOption { options in
            let all = options.headers[HeaderName.tags].map { [$0] + tags } ?? tags
            options.headers[HeaderName.tags] = HeaderName.joined(all)
        }
    }

    /// Says what the message is about, so that people can look for `key:HP1234`. Nothing is kept
    /// apart or in order by it: that is ``unique(by:)`` and streams.
    public static func key(_ key: String) -> EnqueueOption {
        EnqueueOption { $0.headers[HeaderName.key] = key }
    }
}
