// SPDX-License-Identifier: Apache-2.0

/// A server of a test, which ends when it is told to.
public protocol StoppableServer {
    func stop() async
}

extension StoppableServer {
    /// Stops it at the end of `body`, however that comes.
    func serve<Result>(_ body: (Self) async throws -> Result) async throws -> Result {
        do {
            let result = try await body(self)
            await stop()
            return result
        } catch {
            await stop()
            throw error
        }
    }
}
