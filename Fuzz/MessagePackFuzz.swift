// SPDX-License-Identifier: Apache-2.0
import Foundation

// Built by run.sh in one module with the sources of MessagePack, so that libFuzzer sees every branch.
// A broken property ends in fatalError, which libFuzzer reports with the input that did it.

private final class Node: Codable {
    var next: Node?
    var items: [Node]?
}

private enum Shape: Codable {
    case point
    case circle(radius: Double)
    case pair(Int, name: String?)
}

private struct Mixed: Codable {
    var a: Int
    var b: String?
    var c: [Double]
    var d: [String: Int8]
    var e: Date?
    var f: Data
    var g: [UInt8]?
    var h: MessagePackValue?
    enum CodingKeys: Int, CodingKey { case a, b, c, d, e, f, g, h }
}

/// Decodes as `T`; what was taken must be written, read again, and written the same.
private func check<T: Codable>(_ type: T.Type, _ bytes: UnsafeRawBufferPointer) {
    guard let value = try? MessagePackDecoder().decode(type, from: bytes) else { return }
    do {
        let once = try MessagePackEncoder().encode(value)
        let again = try MessagePackDecoder().decode(type, from: once)
        // Sets and dictionaries have no order, so lengths are compared and not bytes.
        guard try MessagePackEncoder().encode(again).count == once.count else {
            fatalError("\(type) changed its length on a round trip")
        }
    } catch {
        fatalError("\(type) was decoded and could not make the round trip: \(error)")
    }
}

/// Nodes of a tree and bytes it holds: neither may exceed what the input paid for.
private func weight(_ value: MessagePackValue) -> Int {
    switch value {
    case .array(let values): 1 + values.reduce(0) { $0 + weight($1) }
    case .map(let entries): 1 + entries.reduce(0) { $0 + weight($1.key) + weight($1.value) }
    case .string(let text): 1 + text.utf8.count
    case .binary(let bytes): 1 + bytes.count
    case .extension(let value): 1 + value.bytes.count
    default: 1
    }
}

private func checkValue(_ bytes: UnsafeRawBufferPointer) {
    guard let value = try? MessagePackDecoder().decode(MessagePackValue.self, from: bytes) else {
        return
    }
    guard weight(value) <= bytes.count else { fatalError("more in the tree than in the bytes") }
    guard let once = try? value.encoded(), once.count <= bytes.count else {
        fatalError("a tree that was read is not written, or longer than it was")
    }
    guard let again = try? MessagePackValue(decoding: once), again == value else {
        fatalError("a tree is not read back equal")
    }
    guard let codable = try? MessagePackEncoder().encode(value), codable == once else {
        fatalError("Codable and writeValue disagree")
    }
}

/// Whatever is read one by one must end where skipping ends.
private func checkReader(_ bytes: UnsafeRawBufferPointer) {
    var skipping = MessagePackReader(bytes)
    var reading = skipping
    while true {
        guard (try? skipping.skip()) != nil, (try? reading.readValue()) != nil else { return }
        guard skipping.offset == reading.offset, skipping.offset <= bytes.count else {
            fatalError("skip() and readValue() end in different places")
        }
        if skipping.isAtEnd { return }
    }
}

/// Called by libFuzzer with one input after the other.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafeRawPointer?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    checkValue(bytes)
    checkReader(bytes)
    check(Mixed.self, bytes)
    check(Node.self, bytes)
    // One type an input keeps the rate up; the length decides, which libFuzzer varies by itself.
    switch count % 8 {
    case 0: check([Mixed?].self, bytes)
    case 1: check([String: [Int]].self, bytes)
    case 2: check([Int: Shape].self, bytes)
    case 3: check([UInt8].self, bytes)
    case 4: check([Date].self, bytes)
    case 5: check([String: MessagePackValue].self, bytes)
    case 6: check([Shape].self, bytes)
    default: check([Float].self, bytes)
    }
    return 0
}
