// SPDX-License-Identifier: Apache-2.0

/// What a query can ask about, beside `args.path`, `has:` and bare words.
package enum QueryField: String, Sendable, Hashable, CaseIterable {
    case id, queue, kind, state, worker, key, unique, tag, verdict, fingerprint, trace
    case error
    case attempt, count, lost, generation, size, progress
    case age, wait, run
    case inserted, due, executed, finished

    /// How its values are written.
    package enum Form: Sendable { case text, reason, number, duration, time }

    package var form: Form {
        switch self {
        case .id, .queue, .kind, .state, .worker, .key, .unique, .tag, .verdict, .fingerprint,
            .trace:
            .text
        case .error: .reason
        case .attempt, .count, .lost, .generation, .size, .progress: .number
        case .age, .wait, .run: .duration
        case .inserted, .due, .executed, .finished: .time
        }
    }

    /// A field by its name or the alias of it, in any case.
    init?(named name: String) {
        let name = name.asciiLowercased
        self.init(rawValue: name == "name" ? "kind" : name)
    }

    /// All that may stand before a colon, for the reader of an error.
    static let names = allCases.map(\.rawValue) + ["args.…", "has"]
}

extension String {
    /// A–Z become a–z, all else stays: ids, states and names of fields are ASCII.
    var asciiLowercased: String {
        guard utf8.contains(where: { (0x41...0x5A).contains($0) }) else { return self }
        return String(
            decoding: utf8.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    /// The one of these that was probably meant: at most two letters away, or its beginning.
    func nearest(of names: [String]) -> String? {
        guard utf8.count <= 64, !isEmpty else { return nil }
        var best: (name: String, distance: Int)?
        for name in names {
            let distance = distance(to: name)
            if distance < best?.distance ?? .max { best = (name, distance) }
        }
        guard let best, best.distance <= (utf8.count < 4 ? 1 : 2) else {
            return names.first { $0.hasPrefix(self) }
        }
        return best.name
    }

    /// How many letters must be added, left out or changed (Levenshtein).
    private func distance(to other: String) -> Int {
        let other = Array(other.utf8)
        var row = Array(0...other.count)
        for (line, letter) in utf8.enumerated() {
            var corner = row[0]
            row[0] = line + 1
            for (column, theirs) in other.enumerated() {
                let kept = corner + (letter == theirs ? 0 : 1)
                corner = row[column + 1]
                row[column + 1] = Swift.min(kept, corner + 1, row[column] + 1)
            }
        }
        return row[other.count]
    }
}
