// SPDX-License-Identifier: Apache-2.0

/// Which messages are meant, in the words of people:
///
///     state:dead queue:mail kind:mail.* error:"timed out" args.user.id:42 attempt>3 age>1h -key:HP1234
///
/// A space is AND, a comma is OR inside one field, `-` negates, and a word without a field is looked
/// for in the reason and in the arguments. The same language is the search bar, `--where` of the
/// command, and the condition of an alert. A query is a pure value: relative times such as `-1h`
/// are resolved when it is matched, against a `now` that the caller names.
///
/// - No brackets, no regular expressions, no OR across fields: what a query costs is bounded.
/// - A field that a message does not have matches nothing; `-field:x` then matches it.
public struct Query: Sendable, Hashable {
    /// The most bytes of a query's text.
    public static let maxBytes = 1024
    /// The most terms of a query.
    public static let maxTerms = 32
    /// The most values of one term.
    public static let maxValues = 32
    /// The most names in a path under `args`.
    public static let maxPath = 16

    /// All of them must hold; none: every message.
    package let terms: [Term]

    /// Reads a query; an empty text is the query that every message matches.
    ///
    /// - Throws: ``QueryError`` with the column of what can't be read and what to write instead.
    public init(_ text: String) throws(QueryError) {
        var parser = QueryParser(text)
        self.init(terms: try parser.parse())
    }

    /// For parts of the program that make terms themselves; the bounds are theirs to keep.
    package init(terms: [Term]) { self.terms = terms }

    /// One condition.
    package struct Term: Sendable, Hashable {
        package var isNegated: Bool
        package var test: Test

        package init(_ test: Test, isNegated: Bool = false) {
            self.isNegated = isNegated
            self.test = test
        }
    }

    /// What a term asks; where there are several values, one of them must fit.
    package enum Test: Sendable, Hashable {
        /// Occurs in the reason or in a text or number of the arguments, whatever the case.
        case word(String)
        /// A field of text is, or begins with, one of these.
        case text(QueryField, [TextPattern])
        /// One of these occurs in the reason, whatever the case.
        case error([String])
        /// The value under a path of the payload.
        case argument([String], [ArgumentPattern])
        case number(QueryField, [Interval<ExactNumber>])
        /// Milliseconds.
        case duration(QueryField, [Interval<Int64>])
        case time(QueryField, [Interval<Moment>])
        /// There is a value at all.
        case has([Presence])
    }

    package enum TextPattern: Sendable, Hashable {
        case exact(String)
        case prefix(String)
    }

    package enum ArgumentPattern: Sendable, Hashable {
        /// This very text.
        case text(String)
        /// Written without quotation marks and to be read as a number, true, false or null: this
        /// text or a value that equals it.
        case literal(String)
        /// A text that begins so.
        case prefix(String)
        case number(Interval<ExactNumber>)
    }

    package enum Presence: Sendable, Hashable {
        case field(QueryField)
        case argument([String])
    }

    /// A moment, or one counted from now.
    package enum Moment: Sendable, Hashable {
        case at(Timestamp)
        /// Milliseconds from now; negative is before it.
        case fromNow(Int64)

        package func resolved(at now: Timestamp) -> Int64 {
            switch self {
            case .at(let moment): moment.milliseconds
            case .fromNow(let distance): (now + .milliseconds(distance)).milliseconds
            }
        }
    }
}

/// Values between bounds.
package enum Interval<Bound: Sendable & Hashable>: Sendable, Hashable {
    case exact(Bound)
    /// Both ends included.
    case range(Bound, Bound)
    case over(Bound)
    case least(Bound)
    case under(Bound)
    case most(Bound)

    package func map<Other>(_ change: (Bound) -> Other) -> Interval<Other> {
        switch self {
        case .exact(let bound): .exact(change(bound))
        case .range(let low, let high): .range(change(low), change(high))
        case .over(let bound): .over(change(bound))
        case .least(let bound): .least(change(bound))
        case .under(let bound): .under(change(bound))
        case .most(let bound): .most(change(bound))
        }
    }
}

extension Interval where Bound: Comparable {
    package func contains(_ value: Bound) -> Bool {
        switch self {
        case .exact(let bound): value == bound
        case .range(let low, let high): value >= low && value <= high
        case .over(let bound): value > bound
        case .least(let bound): value >= bound
        case .under(let bound): value < bound
        case .most(let bound): value <= bound
        }
    }
}

extension Query.TextPattern {
    package func fits(_ text: String) -> Bool {
        // Why bytes: what Unicode calls equal need not be the same key.
        switch self {
        case .exact(let wanted): text.utf8.elementsEqual(wanted.utf8)
        case .prefix(let wanted): text.utf8.starts(with: wanted.utf8)
        }
    }
}
