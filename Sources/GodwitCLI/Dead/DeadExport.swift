// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Foundation
import Godwit

extension DeadCommands {
    /// Dead letters with their bytes, into a file of the user's own.
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract:
                "Write dead letters with their payloads into a new file, one JSON object a line.",
            discussion: """
                The file is made for you alone (0600) and must not be there yet; - is stdout. \
                Payloads are base64, and text too where they are text. The file holds what your \
                jobs hold: keep it as you keep them.
                """)
        @Argument(help: "The file; - for stdout.") var file: String
        @Argument(help: "The queue; all of them when left out.", transform: StoreOptions.queue)
        var queue: QueueName?
        @Option(name: .customLong("where"), help: "Which ones: see `godwit help query`.")
        var condition: String?
        @Option(help: "An error group: a fingerprint of `godwit dead groups`.") var group: String?
        @OptionGroup var store: StoreOptions

        func run() async throws {
            let output = try store.output(ExportRow.self)
            let limit = store.limit(1_000_000, most: 1_000_000)
            let search = try Search(
                DeadCommands.condition(condition, group: group), queue: queue, state: .dead)
            try await store.withStore { open in
                if let queue { try await open.requireQueue(queue) }
                let handle =
                    store.isDry ? nil : file == "-" ? .standardOutput : try SafeFile.create(file)
                var row = ExportRow(file: file)
                let now = open.now
                var cursor: String?
                repeat {
                    let page = try await search.page(
                        on: open, after: cursor, limit: min(200, limit - row.exported), now: now)
                    for found in page.found {
                        // A page has no bodies; one that ended meanwhile is not dead any more.
                        guard let whole = try await open.find(found.record.id, in: found.queue),
                            whole.record.state == .dead
                        else { continue }
                        let line = ExportLine(whole).text + "\n"
                        row.exported += 1
                        row.bytes += line.utf8.count
                        try write(line, to: handle)
                    }
                    cursor = page.scan.next
                } while cursor != nil && row.exported < limit
                if file != "-" { try handle?.synchronize() }
                if !store.isDry {
                    await open.audit(
                        "dead export", queue?.text ?? "", search.text, affected: row.exported)
                }
                if file != "-" || store.isDry { try output.one(row) }
                Talk.say(
                    store.isDry
                        ? "\(row.exported) letter(s), \(row.bytes) bytes; nothing was written"
                        : "\(row.exported) letter(s) written; they stay dead: `godwit dead prune` ends them"
                )
            }
        }

        private func write(_ line: String, to handle: FileHandle?) throws {
            do {
                try handle?.write(contentsOf: Data(line.utf8))
            } catch {
                throw Failure(
                    .io,
                    "'\(file)' can't be written to its end: \(error.localizedDescription). What is there is a part; remove it."
                )
            }
        }
    }
}

/// One dead letter as it is exported.
struct ExportLine {
    let text: String

    init(_ found: FoundMessage) {
        let detail = MessageDetail(found)
        var fields = MessageDetail.columns.map { ($0.name, $0.value(detail)) }
        fields.removeAll { ["payload_base64", "command"].contains($0.0) }
        fields.insert(("schema", .text("godwit.export/1")), at: 0)
        fields.append(
            ("payload_base64", .optional(detail.bytes.map { Data($0).base64EncodedString() })))
        text = Value.object(fields).json()
    }
}

struct ExportRow: Row {
    static let schema = "godwit.export.result/1"
    static let columns: [Column<ExportRow>] = [
        .text("file", "where they are") { $0.file },
        .int("exported", "dead letters in it") { $0.exported },
        .int("bytes", "its length") { $0.bytes },
    ]
    let file: String
    var exported = 0
    var bytes = 0

    init(file: String) { self.file = file }
}
