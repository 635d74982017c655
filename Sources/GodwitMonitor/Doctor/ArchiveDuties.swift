// SPDX-License-Identifier: Apache-2.0
import Godwit

/// Who moves the events of which queue into the history.
struct ArchiveDuties {
    private var held: [QueueName] = []
    /// Queues whose events wait, and nobody comes.
    private var orphans: [QueueName] = []

    /// Other duties on the board (alerts, pruning) say nothing about this one.
    mutating func look(
        at queue: QueueName, _ backlog: EventBacklog, on board: any Board
    ) async throws(BrokerError) {
        if try await board.note(QueueArchive.duty(of: queue), in: .duties) != nil {
            held.append(queue)
        } else if backlog.waiting > 0 {
            orphans.append(queue)
        }
    }

    var finding: Diagnosis? {
        func list(_ queues: [QueueName]) -> String {
            queues.prefix(5).map(\.text).joined(separator: ", ")
                + (queues.count > 5 ? " and \(queues.count - 5) more" : "")
        }
        if !orphans.isEmpty {
            return Diagnosis(
                .note, "archiver", "nobody for \(list(orphans))",
                "Events wait and no process has the duty to move them into the history. Run an archiver, "
                    + "or read the log of the one that runs.")
        }
        guard !held.isEmpty else { return nil }
        return Diagnosis(.good, "archiver", list(held), "somebody has the duty")
    }
}

extension Checkup.Report {
    mutating func add(_ duties: ArchiveDuties) {
        if let finding = duties.finding { findings.append(finding) }
    }
}
