// SPDX-License-Identifier: Apache-2.0
import Godwit
import GodwitProtos
import GRPCCore

extension QueueService {
    func work(
        request: StreamingServerRequest<Godwit_V1_WorkRequest>, context: ServerContext
    ) async throws -> StreamingServerResponse<Godwit_V1_WorkResponse> {
        throw RPCError(code: .unimplemented, message: "Work is not here yet")
    }
}
