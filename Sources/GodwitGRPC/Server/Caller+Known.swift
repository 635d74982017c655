// SPDX-License-Identifier: Apache-2.0
package import GRPCCore

extension Caller {
    /// The caller of this call, whatever it may do; the denial where nobody said who it is.
    package static func known() throws(RPCError) -> Caller {
        guard let current else { throw denial }
        return current
    }
}
