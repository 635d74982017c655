// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// Watches a store where nobody announces what appears: lists it, pauses, lists it again.
///
/// It costs one request for every 1,000 keys and pass, and finds a new object a pause later: for
/// anything large let the store announce.
public struct S3ListSource: MessageSource {
    private let source: ListSource

    /// `bucket` is how announcements name the store.
    public init(
        _ store: any ObjectStore, bucket: String, prefix: String = "",
        options: ListSourceOptions = ListSourceOptions(interval: .seconds(30)),
        time: any TimeSource = SystemTime()
    ) {
        source = ListSource(
            name: store.name, bucket: bucket, looks: 1, options: options, time: time
        ) { after throws(StoreError) in
            try await store.list(prefix, after: after, limit: 1000)
        }
    }

    public var name: String { source.name }

    public func run(
        concurrency: Int, _ handle: @escaping @Sendable (SourceMessage) async -> SourceVerdict
    ) async throws {
        try await source.run(concurrency: concurrency, handle)
    }
}
