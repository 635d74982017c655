// SPDX-License-Identifier: Apache-2.0

/// A long row of 16-bit values that grows without ever being copied.
///
/// Pieces of 64 KiB, each filled before the next is begun. Why not one array: it doubles as it
/// grows, and a 10-hour waveform of 50 MB would need 100 MB for a moment.
struct PairStorage: Sendable, Hashable {
    static let pieceLength = 32_768
    private(set) var pieces: [[Int16]] = []
    private(set) var count = 0

    subscript(index: Int) -> Int16 {
        pieces[index / Self.pieceLength][index % Self.pieceLength]
    }

    mutating func append(_ value: Int16) {
        if count % Self.pieceLength == 0 {
            var fresh: [Int16] = []
            fresh.reserveCapacity(Self.pieceLength)
            pieces.append(fresh)
        }
        pieces[pieces.count - 1].append(value)
        count += 1
    }

    /// Replaces each value, in place.
    mutating func transform(_ change: (Int16) -> Int16) {
        for piece in pieces.indices {
            for index in pieces[piece].indices {
                pieces[piece][index] = change(pieces[piece][index])
            }
        }
    }

    /// Puts a value where one is. A piece that is shared with another copy is copied first, alone.
    mutating func set(_ index: Int, to value: Int16) {
        pieces[index / Self.pieceLength][index % Self.pieceLength] = value
    }

    /// Drops all from an index on.
    mutating func cut(to length: Int) {
        let kept = (length + Self.pieceLength - 1) / Self.pieceLength
        pieces.removeLast(pieces.count - kept)
        if let last = pieces.indices.last {
            pieces[last].removeLast(pieces[last].count - (length - last * Self.pieceLength))
        }
        count = length
    }
}
