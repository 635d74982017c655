// SPDX-License-Identifier: Apache-2.0
import Foundation
import Godwit
import GodwitSQLite
import Testing

#if canImport(Glibc)
import Glibc
#endif

/// Why alone and in order: the umask is the whole process's.
@Suite("SQLite: umask", .serialized, .timeLimit(.minutes(1))) struct UmaskTests {
    @Test(arguments: [0o000, 0o077] as [mode_t])
    func `the mode of the files does not depend on the umask`(_ mask: mode_t) async throws {
        try await withScene { scene in
            // The files are made while the mask is set; nothing here waits for another test.
            let old = umask(mask)
            defer { umask(old) }
            let broker = try await scene.open()
            try await broker.enqueue(1)
            for suffix in ["", "-wal", "-shm", "-lock"] {
                #expect(try scene.mode(of: suffix) == "600")
            }
            await broker.shutdown()
        }
    }
}
