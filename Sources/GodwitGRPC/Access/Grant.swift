// SPDX-License-Identifier: Apache-2.0
package import Godwit

/// What one token may do in some queues, written `mail*:produce,work`.
package struct Grant: Sendable, Hashable, Codable, CustomStringConvertible {
    /// A name of a queue or a stream; with `*` at its end all that begin so, and `*` alone is every one.
    package let queues: String
    package let acts: Set<Act>

    /// Reads `QUEUES:ACT,ACT`; throws what is wrong as a sentence.
    package init(_ text: String) throws(GrantError) {
        // Why the last colon: a queue's name may hold some.
        guard let colon = text.lastIndex(of: ":") else {
            throw GrantError(text, "it has no ':' between queues and acts")
        }
        let queues = String(text[..<colon])
        let stem = queues.hasSuffix("*") ? String(queues.dropLast()) : queues
        if !(queues == "*" || (try? QueueName(stem)) != nil) {
            throw GrantError(
                text,
                "'\(queues.escapedForDisplay)' is no name of a queue, nor the start of one with a *"
            )
        }
        var acts: Set<Act> = []
        for name in text[text.index(after: colon)...].split(
            separator: ",", omittingEmptySubsequences: false)
        {
            guard let act = Act(rawValue: String(name)) else {
                throw GrantError(text, "'\(String(name).escapedForDisplay)' is no act")
            }
            acts.insert(act)
        }
        self.queues = queues
        self.acts = acts
    }

    /// Nil asks for every queue, which only `*` grants.
    package func allows(_ act: Act, on queue: QueueName?) -> Bool {
        guard acts.contains(act) else { return false }
        if queues == "*" { return true }
        guard let queue else { return false }
        return queues.hasSuffix("*")
            ? queue.text.utf8.starts(with: queues.utf8.dropLast()) : queue.text == queues
    }

    package var description: String {
        queues + ":" + Act.allCases.filter(acts.contains).map(\.rawValue).joined(separator: ",")
    }
}

/// Says which grant was refused, and why.
package struct GrantError: Error, Sendable, Hashable, CustomStringConvertible {
    let text: String
    let reason: String

    init(_ text: String, _ reason: String) {
        self.text = text
        self.reason = reason
    }

    package var description: String {
        """
        '\(String(text.prefix(60)).escapedForDisplay)' can't be granted: \(reason). Write queues and acts, \
        such as 'mail*:produce,work'; the acts are \
        \(Act.allCases.map(\.rawValue).joined(separator: ", ")).
        """
    }
}

extension Act: Codable {}
