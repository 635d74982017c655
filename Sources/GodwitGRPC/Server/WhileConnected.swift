// SPDX-License-Identifier: Apache-2.0
package import GRPCCore

/// Runs what may take long, and cancels it when its client is gone or the call's deadline has passed: nobody waits for it.
package func whileConnected<Value: Sendable>(
    _ context: ServerContext, _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { tasks in
        tasks.addTask { try await body() }
        tasks.addTask {
            try? await context.cancellation.cancelled
            return nil
        }
        defer { tasks.cancelAll() }
        while let first = try await tasks.next() {
            if let value = first { return value }
            tasks.cancelAll()
        }
        throw RPCError(code: .cancelled, message: "the call was cancelled")
    }
}
