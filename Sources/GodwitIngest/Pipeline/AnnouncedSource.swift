// SPDX-License-Identifier: Apache-2.0
public import Godwit

/// Feeds a pipeline from a source of announcements: each is looked up and becomes a track.
public struct AnnouncedSource: IngestSource {
    private let source: any MessageSource
    private let rules: IntakeRules
    private let home: String
    private let concurrency: Int
    private let store: @Sendable (String) -> (any ObjectStore)?

    /// `home`: the bucket of announcements that name none.
    public init(
        _ source: any MessageSource, rules: IntakeRules, home: String, concurrency: Int = 8,
        store: @escaping @Sendable (String) -> (any ObjectStore)?
    ) {
        self.source = source
        self.rules = rules
        self.home = home
        self.concurrency = concurrency
        self.store = store
    }

    public func run(into queue: Queue) async throws {
        let intake = Intake(into: queue, rules: rules, home: home, store: store)
        try await source.run(concurrency: concurrency) { await intake.handle($0) }
    }
}

extension Pipeline {
    /// Puts a track into the first queue; false when it is there, or was within the time that records
    /// are kept.
    @discardableResult
    public func enqueue(_ track: Track) async throws -> Bool {
        guard let entrance else { return false }
        return try await entrance.enqueue(track, named: Intake.id(of: track)).isNew
    }

    /// The result document of a track and its key; nil while there is none.
    public func result(of track: Track) async throws -> (document: ResultDocument, key: String)? {
        guard let note = try await shop.output.bytes(at: InputNote.place(of: track)) else {
            return nil
        }
        let hash = try StableJSON.decode(InputNote.self, from: note).sha256
        let key = Publication.resultKey(of: track, inputHash: hash, chain: shop.chain)
        guard let bytes = try await shop.output.bytes(at: key) else { return nil }
        return (try StableJSON.decode(ResultDocument.self, from: bytes), key)
    }
}
