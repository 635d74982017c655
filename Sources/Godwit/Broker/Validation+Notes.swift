// SPDX-License-Identifier: Apache-2.0

extension Validation {
    /// A name is 1 to ``BoardLimits/nameBytes`` bytes.
    package func check(
        _ name: String, in folder: NoteFolder, for verb: String
    ) throws(BrokerError) {
        if name.isEmpty || name.utf8.count > BoardLimits.nameBytes {
            throw refusal(
                "\(verb) a note of '\(folder)'", "its name has \(name.utf8.count) bytes",
                "Use 1 to \(BoardLimits.nameBytes) bytes.")
        }
    }

    package func check(
        _ bytes: [UInt8], as name: String, in folder: NoteFolder, for time: Duration?
    ) throws(BrokerError) {
        try check(name, in: folder, for: "write")
        let what = "write the note '\(name.escapedForDisplay)' of '\(folder)'"
        if bytes.count > BoardLimits.noteBytes {
            throw refusal(
                what, "it has \(bytes.count) bytes, \(BoardLimits.noteBytes) are allowed",
                "Keep the data elsewhere and note where it is.")
        }
        if let time, time.milliseconds < 1 {
            throw refusal(
                what, "a note for \(time) is over before it is written",
                "Give it at least a millisecond, or nil to keep it until it is erased.")
        }
    }

    package func full(_ folder: NoteFolder, _ name: String) -> BrokerError {
        .storageFull(
            BrokerError.Problem(
                what: "write the note '\(name.escapedForDisplay)' of '\(folder)'",
                location: location,
                cause: "the folder holds \(BoardLimits.notesPerFolder) live notes",
                advice: "Erase those that nobody needs, or wait until the time of some is over."))
    }
}
