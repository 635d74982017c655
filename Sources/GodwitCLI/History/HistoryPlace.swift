// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitMonitor
import Synchronization

/// The history beside a store, opened at the first use.
final class HistoryPlace: Sendable {
    /// Nil: none is configured.
    let url: String?
    /// It was named, and not only looked for beside the store.
    let isNamed: Bool
    private let opened = Mutex<(any HistoryStore)?>(nil)

    init(_ url: String?, isNamed: Bool = false) {
        self.url = url
        self.isNamed = isNamed
    }

    /// Without credentials.
    var name: String { url.map(Contexts.Context.shown) ?? "no history" }

    /// A file that nobody has made yet holds nothing, and a look must not make it.
    var isThere: Bool {
        guard let url else { return false }
        guard url.hasPrefix("sqlite:") else { return true }
        return FileManager.default.fileExists(atPath: String(url.dropFirst("sqlite:".count)))
    }

    /// - Throws: `configuration` without one, `noInput` for a file that is not there yet.
    func store() async throws -> any HistoryStore {
        if let store = opened.withLock({ $0 }) { return store }
        guard let url else {
            throw Failure(
                .configuration,
                """
                there is no history beside this store. Give --history sqlite:PATH or \
                clickhouse+https://user@host:port/database, set GODWIT_HISTORY, or name it in a context.
                """)
        }
        guard isThere else {
            throw Failure(
                .noInput,
                """
                there is no history at \(name): nothing has archived into it yet. An Archiver fills \
                it; check the path, or give --history.
                """)
        }
        return try await open(url, creates: false)
    }

    /// For a note of the audit: nil where there is no history, or nobody has named or made its file.
    func storeForWriting() async throws -> (any HistoryStore)? {
        if let store = opened.withLock({ $0 }) { return store }
        guard let url, isNamed || isThere else { return nil }
        return try await open(url, creates: true)
    }

    /// For an archiver, which makes what is not there; nil where none is configured.
    func storeForArchiving() async throws -> (any HistoryStore)? {
        if let store = opened.withLock({ $0 }) { return store }
        guard let url else { return nil }
        return try await open(url, creates: true)
    }

    private func open(_ url: String, creates: Bool) async throws -> any HistoryStore {
        let store = try await History.open(url, creates: creates)
        opened.withLock { $0 = store }
        return store
    }

    func close() async {
        let store = opened.withLock { store in
            defer { store = nil }
            return store
        }
        await store?.shutdown()
    }

    static func holdsPassword(_ url: String) -> Bool {
        guard let colon = url.firstRange(of: "://") else { return false }
        let rest = url[colon.upperBound...]
        let host = rest[..<(rest.firstIndex(of: "/") ?? rest.endIndex)]
        guard let at = host.lastIndex(of: "@") else {
            return url.contains("password=")
        }
        return host[..<at].contains(":") || url.contains("password=")
    }
}
