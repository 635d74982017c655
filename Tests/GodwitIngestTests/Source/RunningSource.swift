// SPDX-License-Identifier: Apache-2.0
import GodwitIngest

/// Runs a source while `body` runs, then cancels it and waits for its end.
func run(
    _ source: some MessageSource, concurrency: Int,
    _ handle: @escaping @Sendable (SourceMessage) async -> SourceVerdict,
    while body: () async throws -> Void
) async throws {
    let task = Task { try await source.run(concurrency: concurrency, handle) }
    var failure: (any Error)?
    do { try await body() } catch { failure = error }
    // Why before the throw: a source that is left would run as long as the process.
    task.cancel()
    let end = await task.result
    if let failure { throw failure }
    try end.get()
}
