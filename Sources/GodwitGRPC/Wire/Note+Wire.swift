// SPDX-License-Identifier: Apache-2.0
package import Foundation
package import Godwit
package import GodwitProtos

extension Note {
    package init(_ wire: Godwit_V1_Note) {
        self.init(
            name: wire.name, bytes: wire.bytes.array, version: wire.version,
            writtenAt: Timestamp(wire: wire.writtenAtMs),
            expiresAt: wire.hasExpiresAtMs ? Timestamp(wire: wire.expiresAtMs) : nil)
    }

    package var wire: Godwit_V1_Note {
        var wire = Godwit_V1_Note()
        wire.name = name
        wire.bytes = Data(wire: bytes)
        wire.version = version
        wire.writtenAtMs = writtenAt.wire
        if let expiresAt { wire.expiresAtMs = expiresAt.wire }
        return wire
    }

    /// About how many bytes it takes on its way.
    package var wireSize: Int { bytes.count + name.utf8.count + 48 }
}

extension NoteExpectation {
    /// Why nothing is not `any`: who forgot it would overwrite what others wrote.
    package init(_ wire: Godwit_V1_NoteExpectation, _ what: String) throws(WireError) {
        switch wire.expectation {
        case .any(true): self = .any
        case .absent(true): self = .absent
        case .version(let version): self = .version(version)
        case .any(false), .absent(false), nil:
            throw WireError(
                what, "it does not say how the note must stand",
                "Send `any`, `absent` or a `version` in the field `expected`.")
        }
    }

    package var wire: Godwit_V1_NoteExpectation {
        var wire = Godwit_V1_NoteExpectation()
        switch self {
        case .any: wire.any = true
        case .absent: wire.absent = true
        case .version(let version): wire.version = version
        }
        return wire
    }
}
