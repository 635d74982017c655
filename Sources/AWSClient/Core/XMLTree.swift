// SPDX-License-Identifier: Apache-2.0
import Foundation

#if canImport(FoundationXML)
import FoundationXML
#endif

/// A small document, read whole: elements by name, text, no attributes, no namespaces.
///
/// What came from outside is held to bounds: ``bytes``, ``depth``, ``elements``. A document type is
/// refused before the parser sees it, and with it every entity but the five of XML.
struct XMLTree: Sendable, Hashable {
    static let bytes = 8 << 20
    static let depth = 16
    static let elements = 100_000

    var name: String
    var text = ""
    var children: [XMLTree] = []

    /// The first child of that name.
    subscript(name: String) -> XMLTree? { children.first { $0.name == name } }

    func all(_ name: String) -> [XMLTree] { children.filter { $0.name == name } }

    /// Reads a document; throws for what is none, and for what is too large or too deep.
    static func parse(_ bytes: [UInt8]) throws(AWSError) -> XMLTree {
        func refuse(_ reason: String) -> AWSError {
            AWSError(.badAnswer, "an answer of XML can't be read: \(reason)")
        }
        guard bytes.count <= Self.bytes else { throw refuse("more than \(Self.bytes) bytes") }
        // Why whole text first: in UTF-16 a document type would not be found below.
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw refuse("not UTF-8")
        }
        guard !text.contains("<!DOCTYPE"), !text.contains("<!ENTITY") else {
            throw refuse("it has a document type, which is not accepted")
        }
        let reader = Reader()
        let parser = XMLParser(data: Data(bytes))
        parser.shouldResolveExternalEntities = false
        parser.delegate = reader
        let isWhole = parser.parse()
        guard isWhole, reader.open.isEmpty, let root = reader.root else {
            throw refuse(reader.reason ?? "broken, or cut off")
        }
        return root
    }

    private final class Reader: NSObject, XMLParserDelegate {
        var open: [XMLTree] = []
        var root: XMLTree?
        var reason: String?
        private var count = 0

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
            qualifiedName: String?, attributes: [String: String]
        ) {
            count += 1
            if open.count >= XMLTree.depth || count > XMLTree.elements {
                reason = "too deep, or too many elements"
                return parser.abortParsing()
            }
            open.append(XMLTree(name: name))
        }

        func parser(_ parser: XMLParser, foundCharacters text: String) {
            guard !open.isEmpty else { return }
            open[open.count - 1].text += text
        }

        func parser(_ parser: XMLParser, foundCDATA block: Data) {
            guard !open.isEmpty else { return }
            open[open.count - 1].text += String(decoding: block, as: UTF8.self)
        }

        func parser(
            _ parser: XMLParser, didEndElement name: String, namespaceURI: String?,
            qualifiedName: String?
        ) {
            guard let last = open.popLast() else { return }
            if open.isEmpty { root = last } else { open[open.count - 1].children.append(last) }
        }
    }
}

/// Text as it stands in XML: what is not a character there (XML 1.0 §2.2) becomes a question mark.
func xml(_ text: String) -> String {
    var out = ""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "&": out += "&amp;"
        case "<": out += "&lt;"
        case ">": out += "&gt;"
        case "\"": out += "&quot;"
        case "\r": out += "&#13;"
        case "\n", "\t": out.unicodeScalars.append(scalar)
        case "\u{0}"..."\u{1f}", "\u{fffe}", "\u{ffff}": out += "?"
        default: out.unicodeScalars.append(scalar)
        }
    }
    return out
}
