// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Godwit

/// Which messages are meant, and how they are found.
struct Search: Sendable {
    struct Page: Sendable {
        var found: [FoundMessage]
        var scan: Scan
    }

    let query: Query

    /// The canonical form.
    var text: String { query.description }

    /// The query of a command: what was typed, narrowed to a queue and to states.
    ///
    /// `states` narrows in any case; `state` is what --state said; where neither it nor the text
    /// names a state, all that has not ended is meant.
    ///
    /// - Throws: `data` for a text that is no query.
    init(
        _ condition: String?, queue: QueueName? = nil, state: MessageState? = nil,
        states: [MessageState]? = nil
    ) throws {
        let typed: Query
        do {
            typed = try Query(condition ?? "")
        } catch {
            throw Failure(.data, "--where, \(error). See `godwit help query`. Nothing was done.")
        }
        var terms = typed.terms
        if let queue { terms.append(Query.Term(.text(.queue, [.exact(queue.text)]))) }
        let namesState = terms.contains { term in
            switch term.test {
            case .text(.state, _), .text(.id, _): true
            default: false
            }
        }
        let open: [MessageState] = [.ready, .scheduled, .leased]
        if let narrow = state.map({ [$0] }) ?? states ?? (namesState ? nil : open) {
            terms.append(Query.Term(.text(.state, narrow.map { .exact($0.rawValue) })))
        }
        guard terms.count <= Query.maxTerms else {
            throw Failure(
                .data, "--where has too many words for this command: \(Query.maxTerms - 2) at most.")
        }
        query = Query(terms: terms)
    }

    /// At most `limit` messages behind `after`, with what was looked at for them.
    func page(on open: OpenStore, after: String?, limit: Int) async throws -> Page {
        let now = open.now
        var page = Page(found: [], scan: Scan(scanned: 0, isComplete: true))
        let parts = after?.split(separator: "/", maxSplits: 2).map(String.init)
        var place = parts?.count == 3 ? parts : nil
        for queue in try await open.broker.inspector.queues() {
            if let place, queue.text < place[0] { continue }
            for state in MessageState.allCases {
                if let place, queue.text == place[0], state.rawValue != place[1] { continue }
                var cursor = place.flatMap { $0[2].isEmpty ? nil : PageCursor($0[2]) }
                place = nil
                repeat {
                    let part = try await open.broker.inspector.messages(
                        state, in: queue, after: cursor, limit: min(64, limit - page.found.count))
                    page.scan.scanned += part.messages.count
                    page.found += part.messages.filter { query.matches($0, in: queue, now: now) }
                        .map { FoundMessage(queue: queue, record: $0) }
                    cursor = part.next
                    if page.found.count >= limit, let cursor {
                        page.scan.next = "\(queue)/\(state.rawValue)/\(cursor.text)"
                        page.scan.isComplete = false
                        return page
                    }
                } while cursor != nil
            }
        }
        return page
    }
}
