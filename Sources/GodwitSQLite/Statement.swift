// SPDX-License-Identifier: Apache-2.0
import CGodwitSQLite

/// A prepared statement that lives as long as its connection; ready to be bound after each run.
///
/// Why: GRDB's statements box every argument and value. The words that move messages use SQLite's
/// own calls on GRDB's connection, the reads of the Inspector use GRDB.
struct Statement {
    let handle: OpaquePointer

    init(_ sql: String, in database: OpaquePointer) throws(StoreFault) {
        var handle: OpaquePointer?
        let code = sqlite3_prepare_v3(
            database, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
        guard code == SQLITE_OK, let handle else { throw StoreFault(code, in: database) }
        self.handle = handle
    }

    func finalize() { sqlite3_finalize(handle) }

    // MARK: Binding, from 1

    @inline(__always)
    func bind(_ index: Int32, _ value: Int64) { sqlite3_bind_int64(handle, index, value) }

    @inline(__always)
    func bind(_ index: Int32, _ value: Int) { sqlite3_bind_int64(handle, index, Int64(value)) }

    @inline(__always)
    func bind(_ index: Int32, id: (Int64, Int64)) {
        sqlite3_bind_int64(handle, index, id.0)
        sqlite3_bind_int64(handle, index + 1, id.1)
    }

    func bindNull(_ index: Int32) { sqlite3_bind_null(handle, index) }

    /// Binds bytes that stay where they are until the statement has run.
    @inline(__always)
    func bind(_ index: Int32, pinned bytes: UnsafeRawBufferPointer) {
        sqlite3_bind_blob(handle, index, bytes.baseAddress, Int32(bytes.count), nil)
    }

    /// Binds a copy.
    func bind(_ index: Int32, copy bytes: [UInt8]) {
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        bytes.withUnsafeBytes { bytes in
            // A NULL pointer would bind NULL; an empty blob needs its own call.
            if let base = bytes.baseAddress, !bytes.isEmpty {
                _ = sqlite3_bind_blob(handle, index, base, Int32(bytes.count), transient)
            } else {
                _ = sqlite3_bind_zeroblob(handle, index, 0)
            }
        }
    }

    func bind(_ index: Int32, text: String?) {
        guard var text else { return bindNull(index) }
        let transient = unsafeBitCast(-1, to: sqlite3_destructor_type.self)
        text.withUTF8 {
            let base = UnsafeRawPointer($0.baseAddress)?.assumingMemoryBound(to: CChar.self)
            _ = sqlite3_bind_text(handle, index, base, Int32($0.count), transient)
        }
    }

    /// Binds the bytes of text that may hold anything, also a NUL.
    func bind(_ index: Int32, utf8 text: String?) {
        guard let text else { return bindNull(index) }
        bind(index, copy: [UInt8](text.utf8))
    }

    // MARK: Running

    /// One row further; false at the end. After a fault the statement is reset.
    @inline(__always)
    func step() throws(StoreFault) -> Bool {
        let code = sqlite3_step(handle)
        if code == SQLITE_ROW { return true }
        if code == SQLITE_DONE { return false }
        let fault = StoreFault(code, in: sqlite3_db_handle(handle))
        sqlite3_reset(handle)
        throw fault
    }

    @inline(__always)
    func reset() { sqlite3_reset(handle) }

    /// Runs to the end and resets.
    @inline(__always)
    func run() throws(StoreFault) {
        while try step() {}
        reset()
    }

    // MARK: Columns, from 0

    @inline(__always)
    func int(_ column: Int32) -> Int64 { sqlite3_column_int64(handle, column) }

    func isNull(_ column: Int32) -> Bool { sqlite3_column_type(handle, column) == SQLITE_NULL }

    func isInteger(_ column: Int32) -> Bool {
        sqlite3_column_type(handle, column) == SQLITE_INTEGER
    }

    /// The bytes of a column, good until the next step.
    @inline(__always)
    func raw(_ column: Int32) -> UnsafeRawBufferPointer {
        let base = sqlite3_column_blob(handle, column)
        return UnsafeRawBufferPointer(
            start: base, count: Int(sqlite3_column_bytes(handle, column)))
    }

    func bytes(_ column: Int32) -> [UInt8] { [UInt8](raw(column)) }

    /// The text bound with ``bind(_:utf8:)``; nil for NULL.
    func utf8(_ column: Int32) -> String? {
        isNull(column) ? nil : String(decoding: raw(column), as: UTF8.self)
    }

    func text(_ column: Int32) -> String? {
        guard let text = sqlite3_column_text(handle, column) else { return nil }
        return String(cString: text)
    }
}
