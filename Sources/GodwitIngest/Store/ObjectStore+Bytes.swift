// SPDX-License-Identifier: Apache-2.0
import Crypto
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

    /// Size and hash of what lies at a key; nil when there is nothing.
    package func digest(of key: String) async throws -> (size: UInt64, sha256: String)? {
        let sum = Mutex((hash: SHA256(), size: UInt64(0)))
        do {
            _ = try await read(key, nil, ifMatch: nil) { piece in
                sum.withLock { sum in
                    sum.hash.update(data: piece)
                    sum.size += UInt64(piece.count)
                }
            }
        } catch StoreError.gone {
            return nil
        }
        return sum.withLock { ($0.size, Hex.string(Array($0.hash.finalize()))) }
    }
}
