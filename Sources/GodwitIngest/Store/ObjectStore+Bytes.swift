// SPDX-License-Identifier: Apache-2.0
import Godwit
import Synchronization

extension ObjectStore {
    /// The bytes of a small object; nil when there is none. Throws ``StoreError/invalid(_:)`` past `limit`.
    package func bytes(
        at key: String, limit: Int = 16 << 20
    ) async throws -> [UInt8]? {
        let sink = Mutex<[UInt8]>([])
        do {
            _ = try await read(key, nil, ifMatch: nil) { piece in
                let count = sink.withLock { bytes in
                    bytes.append(contentsOf: piece)
                    return bytes.count
                }
                guard count <= limit else {
                    throw StoreError.invalid(
                        "\(key.escapedForDisplay) in \(name) is over \(limit) bytes, too large for what it should be"
                    )
                }
            }
        } catch StoreError.gone {
            return nil
        }
        return sink.withLock { $0 }
    }
}
