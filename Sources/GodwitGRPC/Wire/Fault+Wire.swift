// SPDX-License-Identifier: Apache-2.0
package import Godwit
package import GodwitProtos

extension Fault {
    package init(_ wire: Godwit_V1_Fault, in queue: QueueName) throws(WireError) {
        guard let kind = Kind(rawValue: wire.kind) else {
            throw WireError(
                "read a fault of '\(queue)'",
                "its kind is '\(wire.kind.cut(to: 60).escapedForDisplay)', which is none",
                "Send a fault back as Faults gave it.")
        }
        self.init(
            kind, in: queue,
            message: wire.message.isEmpty ? nil : try MessageID(wire: wire.message),
            place: wire.place, wire.sentence)
    }

    package var wire: Godwit_V1_Fault {
        var wire = Godwit_V1_Fault()
        wire.kind = kind.rawValue
        wire.queue = queue.text
        if let message { wire.message = message.wire }
        wire.place = place
        wire.sentence = sentence
        return wire
    }
}

extension RepairOutcome {
    /// Nil for a word of a newer server.
    package init?(_ wire: Godwit_V1_RepairResponse) {
        switch wire.result {
        case .mended: self = .mended(wire.sentence)
        case .gone: self = .gone
        case .refused: self = .refused(wire.sentence)
        case .unspecified, .UNRECOGNIZED: return nil
        }
    }

    package var wire: Godwit_V1_RepairResponse {
        var wire = Godwit_V1_RepairResponse()
        switch self {
        case .mended(let sentence):
            wire.result = .mended
            wire.sentence = sentence
        case .gone: wire.result = .gone
        case .refused(let sentence):
            wire.result = .refused
            wire.sentence = sentence
        }
        return wire
    }
}

extension Diagnosis {
    /// A grade of a newer server is a note.
    package init(_ wire: Godwit_V1_Diagnosis) {
        self.init(
            Grade(rawValue: wire.grade) ?? .note, wire.subject.escapedForDisplay,
            wire.finding.escapedForDisplay, wire.sentence.escapedForDisplay)
    }

    package var wire: Godwit_V1_Diagnosis {
        var wire = Godwit_V1_Diagnosis()
        wire.grade = grade.rawValue
        wire.subject = subject
        wire.finding = finding
        wire.sentence = sentence
        return wire
    }
}
