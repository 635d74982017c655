// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// What the guides show is what is compiled and run here.
@Suite struct `Guides` {
    private static let package = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let catalogue = "Sources/Godwit/Godwit.docc"

    @Test func `every block of Swift stands line by line in a source that is compiled`() throws {
        let sources = try Self.texts(in: "Tests/GuideTests", ending: ".swift")
            .filter { $0.name != "GuideTests.swift" }.map { Self.lines($0.text) }
        let guides = try Self.texts(in: Self.catalogue, ending: ".md")
        var blocks = 0
        for guide in guides {
            for block in Self.blocks(of: guide.text) {
                blocks += 1
                #expect(
                    sources.contains { Self.holds($0, block) },
                    "\(guide.name) shows what no source has:\n\(block.joined(separator: "\n"))")
            }
        }
        #expect(guides.count == 6)
        #expect(blocks == 22)
    }

    @Test func `every guide is on the first page, and every link leads to a guide`() throws {
        let guides = try Self.texts(in: Self.catalogue, ending: ".md")
        let first = try #require(guides.first { $0.name == "Godwit.md" })
        let linked = Set(first.text.matches(of: /<doc:(\w+)>/).map { "\($0.1).md" })
        #expect(linked == Set(guides.map(\.name)).subtracting(["Godwit.md"]))
    }

    @Test func `a line that differs is found`() {
        let source = Self.lines("    let a = 1\n    f {\n        g()\n    }\n")
        #expect(Self.holds(source, ["f {", "    g()", "}"]))
        #expect(!Self.holds(source, ["f {", "    h()", "}"]))
        #expect(!Self.holds(source, ["let a = 1", "    f {"]))
        #expect(!Self.holds(source, ["let a"]))
    }

    // MARK: Reading

    private static func texts(
        in folder: String, ending: String
    ) throws -> [(name: String, text: String)] {
        let folder = package.appendingPathComponent(folder)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            .filter { $0.hasSuffix(ending) }
            .map { name in
                (name, try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8))
            }
    }

    private static func lines(_ text: String) -> [Substring] {
        text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    private static func blocks(of text: String) -> [[Substring]] {
        var blocks: [[Substring]] = []
        var isInside = false
        for line in lines(text) {
            if line == "```swift" {
                isInside = true
                blocks.append([])
            } else if line == "```" {
                isInside = false
            } else if isInside {
                blocks[blocks.count - 1].append(line)
            }
        }
        return blocks
    }

    /// True when the lines stand one after the other, all of them further in by the same amount.
    private static func holds(_ source: [Substring], _ block: [Substring]) -> Bool {
        guard let first = block.first, source.count >= block.count else { return false }
        return (0...(source.count - block.count)).contains { start in
            let indent = source[start].prefix { $0 == " " }.dropLast(
                first.prefix { $0 == " " }.count)
            return block.indices.allSatisfy { index in
                let line = block[index]
                return source[start + index] == (line.isEmpty ? "" : indent + line)
            }
        }
    }
}
