// SPDX-License-Identifier: Apache-2.0
package import Godwit
package import GRPCCore

/// Lets a call pass that needs nothing, or has a token that may do such a thing somewhere; says to the
/// services who calls.
///
/// No good token is `UNAUTHENTICATED`, whatever is wrong with it; a good one that may not do this is
/// refused with ``Caller/denial``. While the tokens can't be read, nobody passes. A stream ends when
/// its token does, within ``TokenShelf/longest``.
package struct AccessGuard: ServerInterceptor {
    /// Who may come in.
    package enum Door: Sendable {
        /// Everybody who can reach it, to do everything.
        case open
        /// Holders of tokens of this store.
        case tokens
    }

    private let shelf: TokenShelf?

    package init(_ broker: any Broker, door: Door) {
        shelf = door == .open ? nil : TokenShelf(broker)
    }

    /// Says what it needs of such a call; all others are refused.
    package static func knows(_ method: MethodDescriptor) -> Bool { Policy.of(method) != nil }

    package func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>, context: ServerContext,
        next:
            @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
            StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        let policy = Policy.of(context.descriptor)
        if policy == .nothing { return try await next(request, context) }
        let client = try await client(request.metadata, policy)
        return try await passing(client?.caller ?? .anybody, client, request, context, next)
    }

    /// The same for a call that is answered without interceptors.
    func admit(_ metadata: Metadata, _ context: ServerContext) async throws -> Caller {
        try await client(metadata, Policy.of(context.descriptor))?.caller ?? .anybody
    }

    /// Who calls, if that one may do such a thing somewhere; nil at an open door.
    private func client(
        _ metadata: Metadata, _ policy: Policy?
    ) async throws -> TokenShelf.Client? {
        guard let shelf else {
            guard policy != nil else { throw Caller.denial }
            return nil
        }
        let client = try await answering { try await shelf.client(of: Self.token(in: metadata)) }
        guard let client else { throw Self.unauthenticated }
        switch policy {
        case .nothing, .token: return client
        case .anyOf(let acts) where acts.contains(where: client.record.allowsSomewhere):
            return client
        case .anyOf, nil: throw Caller.denial
        }
    }

    private func passing<Input: Sendable, Output: Sendable>(
        _ caller: Caller, _ client: TokenShelf.Client?, _ request: StreamingServerRequest<Input>,
        _ context: ServerContext,
        _ next:
            @Sendable (StreamingServerRequest<Input>, ServerContext) async throws ->
            StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        var response = try await Caller.$current.withValue(caller) {
            try await next(request, context)
        }
        guard Policy.isLong(context.descriptor), case .success(var contents) = response.accepted
        else { return response }
        // What a stream says is made after `next` has returned.
        let (shelf, produce) = (shelf, contents.producer)
        contents.producer = { writer in
            try await Caller.$current.withValue(caller) {
                guard let shelf, let client else { return try await produce(writer) }
                return try await withThrowingTaskGroup(of: Metadata?.self) { tasks in
                    tasks.addTask { try await produce(writer) }
                    tasks.addTask {
                        await shelf.waitForEnd(of: client)
                        // Why: a stream that the server cancels has a good token still.
                        if Task.isCancelled { return nil }
                        throw Self.unauthenticated
                    }
                    defer { tasks.cancelAll() }
                    while let end = try await tasks.next() { if let end { return end } }
                    return [:]
                }
            }
        }
        response.accepted = .success(contents)
        return response
    }

    private static let unauthenticated = RPCError(
        code: .unauthenticated,
        message: "send a token that is good, as `authorization: Bearer gdw_…`")

    /// Empty for a head without one, with two, or with another scheme.
    private static func token(in metadata: Metadata) -> Substring {
        var values = metadata[stringValues: "authorization"].makeIterator()
        guard let value = values.next(), values.next() == nil,
            value.prefix(7).lowercased() == "bearer "
        else { return "" }
        return value.dropFirst(7)
    }
}
