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
    package func text(of word: String) -> String {
        var flag = ""
        var rest = word
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

    private static func names(after label: String, in line: Substring) -> [Substring] {
        guard let range = line.firstRange(of: label) else { return [] }
        return line[range.upperBound...].split(separator: " ")
    }
}

/// The scripts of one clock, one for each word.
package struct Scripts: Sendable {
    let enqueue, reserve, ack, settle, renew, checkpoint: RedisScript
    let reclaim, redrive, promote, cancel, purge, prune: RedisScript

    /// `isVirtual`: the time is the last argument of every call, instead of the server's own.
    package init(isVirtual: Bool) {
        let clock = isVirtual ? PackageResources.clock_virtual_lua : PackageResources.clock_lua
        let assembly = ScriptText(
            clock: String(decoding: clock, as: UTF8.self),
            prelude: String(decoding: PackageResources.prelude_lua, as: UTF8.self))
        func script(_ name: String, _ word: [UInt8]) -> RedisScript {
            RedisScript(
                name: name, source: assembly.text(of: String(decoding: word, as: UTF8.self)))
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
    }

    package var all: [RedisScript] {
        [
            enqueue, reserve, ack, settle, renew, checkpoint, reclaim, redrive, promote, cancel,
            purge, prune,
        ]
    }
}
