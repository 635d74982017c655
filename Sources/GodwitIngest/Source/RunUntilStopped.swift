// SPDX-License-Identifier: Apache-2.0
import ServiceLifecycle

/// Runs `body` in a task of its own and returns at its end. A graceful shutdown or a cancellation of the
/// caller only tells `stop`, which is handed what cancels `body` after all.
///
/// Why a task of its own: what is in hand must be settled after a cancel, and a cancelled task can't send.
func runUntilStopped(
    by stop: @escaping @Sendable (_ cancel: @escaping @Sendable () -> Void) -> Void,
    _ body: @escaping @Sendable () async throws -> Void
) async throws {
    let work = Task { try await body() }
    let end: @Sendable () -> Void = { stop { work.cancel() } }
    try await withTaskCancellationHandler {
        try await withGracefulShutdownHandler {
            try await work.value
        } onGracefulShutdown: {
            end()
        }
    } onCancel: {
        end()
    }
}
