// SPDX-License-Identifier: Apache-2.0

/// The statements of a list of texts, prepared one after the other and ended together.
struct StatementList {
    private let texts: [(name: String, sql: String)]
    private let database: OpaquePointer
    private var made: [Statement] = []

    init(of texts: [(name: String, sql: String)], in database: OpaquePointer) {
        self.texts = texts
        self.database = database
    }

    /// The next statement of the list; the name is its caller's proof that it is the one it wants.
    mutating func prepare(_ name: String) throws(StoreFault) -> Statement {
        precondition(texts[made.count].name == name, "statements are prepared in their order")
        let statement = try Statement(texts[made.count].sql, in: database)
        made.append(statement)
        return statement
    }

    func finalize() {
        for statement in made { statement.finalize() }
    }
}
