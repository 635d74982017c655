// SPDX-License-Identifier: Apache-2.0
package import RedisClient

/// Puts a word's script together: its flag line, a clock, the pieces of the prelude that it uses
/// with all that these use, and the word.
///
/// Why: at one message per call, functions that a word does not use are a good part of its cost.
package struct ScriptText {
    private struct Piece {
        var name: Substring
        var uses: [Substring]
        var text: String
    }

    private let clock: String
    private let head: String
    private let pieces: [Piece]

    package init(clock: String, prelude: String) {
        self.clock = clock
        var head = ""
        var pieces: [Piece] = []
        let lines = prelude.split(separator: "\n", omittingEmptySubsequences: false)
        for line in prelude.hasSuffix("\n") ? lines.dropLast() : lines[...] {
            if line.hasPrefix("-- piece: ") {
                let parts = line.dropFirst(10).split(separator: ",", maxSplits: 1)
                let uses = parts.count > 1 ? Self.names(after: "uses:", in: parts[1]) : []
                pieces.append(Piece(name: parts.first ?? "", uses: uses, text: ""))
            } else if pieces.isEmpty {
                head += line + "\n"
            } else {
                pieces[pieces.count - 1].text += line + "\n"
            }
        }
        self.head = head
        self.pieces = pieces
    }

    /// The whole text of a word. A piece that is not in the prelude is the programmer's error.
    ///
    /// A word that can emit has a line `-- emits:`; in the variant that does, `emit` stands there.
    package func text(of word: String, emitting emit: String? = nil) -> String {
        var flag = ""
        var rest = word
        if let emit { rest = Self.replacing("-- emits:", in: word) { _ in emit } }
        let word = rest
        if word.hasPrefix("#!"), let end = word.firstIndex(of: "\n") {
            flag = word[...end].description
            rest = word[word.index(after: end)...].description
        }
        var wanted: Set<Substring> = []
        for line in rest.split(separator: "\n") where line.hasPrefix("-- uses:") {
            wanted.formUnion(Self.names(after: "-- uses:", in: line))
        }
        // A piece uses only earlier ones, so one pass from the end finds all.
        for piece in pieces.reversed() where wanted.contains(piece.name) {
            wanted.formUnion(piece.uses)
        }
        let chosen = pieces.filter { wanted.contains($0.name) }
        precondition(
            chosen.count == wanted.count,
            "a script uses pieces that the prelude lacks, or one behind it: \(wanted.sorted())")
        return flag + clock + head + chosen.map(\.text).joined() + rest
    }

    /// `text`, whose line `-- calls: name` becomes that word as a local function `name_word`: it takes
    /// its keys and arguments as the server would give them, so that no logic is written twice.
    package static func joining(_ name: String, _ word: String, into text: String) -> String {
        replacing("-- calls: \(name)", in: text) { _ in
            "local function \(name)_word(KEYS, ARGV)\n"
                + "local tag, markers = KEYS[1], KEYS[2]\n\(word)end\n"
        }
    }

    private static func replacing(
        _ mark: String, in text: String, _ with: (Substring) -> String
    ) -> String {
        text.split(separator: "\n", omittingEmptySubsequences: false)
            .map { $0.contains(mark) ? with($0) : String($0) }.joined(separator: "\n")
    }

    private static func names(after label: String, in line: Substring) -> [Substring] {
        guard let range = line.firstRange(of: label) else { return [] }
        return line[range.upperBound...].split(separator: " ")
    }
}

/// The scripts of one clock, one for each word.
package struct Scripts: Sendable {
    let enqueue, reserve, ack, settle, renew, checkpoint: RedisScript
    let reclaim, redrive, promote, cancel, purge, prune, repair: RedisScript
    let streamAppend, streamReserve, streamCommit, streamCommitEmit, streamRenew: RedisScript
    let streamReclaim, streamExpire, streamOperate, streamLook: RedisScript
    let noteWrite, noteErase: RedisScript

    /// `isVirtual`: the time is the last argument of every call, instead of the server's own.
    package init(isVirtual: Bool) {
        let clock = isVirtual ? PackageResources.clock_virtual_lua : PackageResources.clock_lua
        let assembly = ScriptText(
            clock: String(decoding: clock, as: UTF8.self),
            prelude: String(decoding: PackageResources.prelude_lua, as: UTF8.self))
        let emit = ScriptText.joining(
            "enqueue", String(decoding: PackageResources.enqueue_lua, as: UTF8.self),
            into: String(decoding: PackageResources.stream_emit_lua, as: UTF8.self))
        func script(_ name: String, _ word: [UInt8], emits: Bool = false) -> RedisScript {
            let word = String(decoding: word, as: UTF8.self)
            return RedisScript(
                name: name, source: assembly.text(of: word, emitting: emits ? emit : nil))
        }
        enqueue = script("enqueue", PackageResources.enqueue_lua)
        reserve = script("reserve", PackageResources.reserve_lua)
        ack = script("ack", PackageResources.ack_lua)
        settle = script("settle", PackageResources.settle_lua)
        renew = script("renew", PackageResources.renew_lua)
        checkpoint = script("checkpoint", PackageResources.checkpoint_lua)
        reclaim = script("reclaim", PackageResources.reclaim_lua)
        redrive = script("redrive", PackageResources.redrive_lua)
        promote = script("promote", PackageResources.promote_lua)
        cancel = script("cancel", PackageResources.cancel_lua)
        purge = script("purge", PackageResources.purge_lua)
        prune = script("prune", PackageResources.prune_lua)
        repair = script("repair", PackageResources.repair_lua)
        streamAppend = script("stream_append", PackageResources.stream_append_lua)
        streamReserve = script("stream_reserve", PackageResources.stream_reserve_lua)
        streamCommit = script("stream_commit", PackageResources.stream_commit_lua)
        // Why two: most commits emit nothing, and need not pay for what could.
        streamCommitEmit = script(
            "stream_commit that emits", PackageResources.stream_commit_lua, emits: true)
        streamRenew = script("stream_renew", PackageResources.stream_renew_lua)
        streamReclaim = script("stream_reclaim", PackageResources.stream_reclaim_lua)
        streamExpire = script("stream_expire", PackageResources.stream_expire_lua)
        streamOperate = script(
            "stream_operate", PackageResources.stream_operate_lua, emits: true)
        streamLook = script("stream_look", PackageResources.stream_look_lua)
        noteWrite = script("note_write", PackageResources.note_write_lua)
        noteErase = script("note_erase", PackageResources.note_erase_lua)
    }

    package var all: [RedisScript] {
        [
            enqueue, reserve, ack, settle, renew, checkpoint, reclaim, redrive, promote, cancel,
            purge, prune, repair, streamAppend, streamReserve, streamCommit, streamCommitEmit,
            streamRenew, streamReclaim, streamExpire, streamOperate, streamLook, noteWrite,
            noteErase,
        ]
    }
}
