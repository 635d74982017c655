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
                .data, "--where has too many words for this command: \(Query.maxTerms - 2) at most."
            )
        }
        query = Query(terms: terms)
    }

    /// At most `limit` messages behind `after`, with what was looked at for them; ends early, and says
    /// so, when a second is over.
    ///
    /// Relative times count from `now`: one moment for all pages, or what is found would drift.
    func page(
        on open: OpenStore, after: String?, limit: Int, now: Timestamp, upTo upper: MessageID? = nil
    ) async throws -> Page {
        let plan = QueryPlan(query, now: now, upperID: upper)
        var page = Page(found: [], scan: Scan(scanned: 0, isComplete: true))
        var cursor = after.map(PageCursor.init)
        let end = ContinuousClock.now + .seconds(1)
        repeat {
            let part = try await open.broker.inspector.search(
                plan, after: cursor,
                budget: SearchBudget(messages: limit - page.found.count))
            page.found += part.messages
            page.scan.scanned += part.scanned
            cursor = part.next
        } while cursor != nil && page.found.count < limit && .now < end
        page.scan.next = cursor?.text
        page.scan.isComplete = cursor == nil
        return page
    }
}
