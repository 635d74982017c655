// SPDX-License-Identifier: Apache-2.0

/// A small reader of both text formats, written from their descriptions and not from our writer.
struct ScrapedText {
    struct Sample: Hashable {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    struct Malformed: Error, CustomStringConvertible {
        let description: String
    }

    private(set) var types: [String: String] = [:]
    private(set) var units: [String: String] = [:]
    private(set) var helps: [String: String] = [:]
    private(set) var samples: [Sample] = []
    private(set) var isEnded = false

    init(_ bytes: [UInt8]) throws {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw Malformed(description: "not UTF-8")
        }
        guard text.utf8.last == UInt8(ascii: "\n") else {
            throw Malformed(description: "the last line has no end")
        }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if isEnded { throw Malformed(description: "more after # EOF") }
            if line == "# EOF" {
                isEnded = true
                continue
            }
            if line.hasPrefix("#") {
                let words = line.split(separator: " ", maxSplits: 3).map(String.init)
                guard words.count == 4 else { throw Malformed(description: String(line)) }
                switch words[1] {
                case "TYPE":
                    if types[words[2]] != nil { throw Malformed(description: "twice: \(line)") }
                    types[words[2]] = words[3]
                case "UNIT": units[words[2]] = words[3]
                case "HELP": helps[words[2]] = words[3]
                default: throw Malformed(description: String(line))
                }
                continue
            }
            samples.append(try Self.sample(line))
        }
        guard
            Set(samples.map { [$0.name: "\($0.labels.sorted { $0.key < $1.key })"] }).count
                == samples.count
        else { throw Malformed(description: "a series is there twice") }
    }

    func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        samples.first { $0.name == name && $0.labels == labels }?.value
    }

    /// The buckets of one series, as pairs of bound and count, in their order.
    func buckets(_ name: String, _ labels: [String: String]) -> [(le: String, count: Double)] {
        samples.compactMap { sample in
            guard sample.name == name + "_bucket", let le = sample.labels["le"] else { return nil }
            var others = sample.labels
            others["le"] = nil
            return others == labels ? (le, sample.value) : nil
        }
    }

    private static func sample(_ line: Substring) throws -> Sample {
        var rest = line.unicodeScalars[...]
        func fail() -> Malformed { Malformed(description: "line: \(line)") }
        func isName(_ scalar: Unicode.Scalar) -> Bool {
            ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar)
                || ("0"..."9").contains(scalar) || scalar == "_" || scalar == ":"
        }
        let name = String(String.UnicodeScalarView(rest.prefix(while: isName)))
        guard !name.isEmpty else { throw fail() }
        rest = rest.dropFirst(name.unicodeScalars.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while rest.first != "}" {
                let key = String(String.UnicodeScalarView(rest.prefix(while: isName)))
                rest = rest.dropFirst(key.unicodeScalars.count)
                guard !key.isEmpty, rest.popFirst() == "=", rest.popFirst() == "\"" else {
                    throw fail()
                }
                var value = String.UnicodeScalarView()
                while true {
                    guard let scalar = rest.popFirst() else { throw fail() }
                    if scalar == "\"" { break }
                    if scalar != "\\" {
                        value.append(scalar)
                        continue
                    }
                    switch rest.popFirst() {
                    case "n": value.append("\n")
                    case "\\": value.append("\\")
                    case "\"": value.append("\"")
                    default: throw fail()
                    }
                }
                guard labels.updateValue(String(value), forKey: key) == nil else { throw fail() }
                if rest.first == "," {
                    rest = rest.dropFirst()
                } else if rest.first != "}" {
                    throw fail()
                }
            }
            rest = rest.dropFirst()
        }
        guard rest.popFirst() == " " else { throw fail() }
        let number = String(String.UnicodeScalarView(rest))
        let known = ["+Inf": Double.infinity, "-Inf": -.infinity, "NaN": .nan]
        guard let value = known[number] ?? Double(number) else { throw fail() }
        return Sample(name: name, labels: labels, value: value)
    }
}
