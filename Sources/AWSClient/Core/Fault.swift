// SPDX-License-Identifier: Apache-2.0
import Foundation

/// What an answer says of an error, in whichever of the protocols it speaks.
struct Fault: Sendable, Hashable {
    var code = ""
    var message = ""
    var region: String?

    /// Reads an answer's error: the header of the JSON protocol in its query mode, a body of JSON
    /// (`__type`) or of XML (`<Error>`, alone or in an `<ErrorResponse>`). What can't be read is empty.
    init(_ answer: ServiceAnswer) {
        if answer.body.first == UInt8(ascii: "{") {
            read(json: answer.body)
        } else if let root = try? XMLTree.parse(answer.body) {
            read(root)
        }
        if let word = answer.header("x-amzn-query-error")?.split(separator: ";").first {
            code = String(word)
        }
        if let named = answer.header("x-amz-bucket-region") { region = named }
        if region == nil, answer.status == 307 || answer.status == 301 {
            region = answer.header("location").flatMap(Self.region(ofLocation:))
        }
        // The other services say it in words.
        if code == "InvalidSignatureException" || code == "SignatureDoesNotMatch",
            message.contains("Signature expired") || message.contains("not yet current")
        {
            code = "RequestExpired"
        }
        code = shown(code, 80)
        message = shown(message)
    }

    private mutating func read(json: [UInt8]) {
        struct Words: Decodable {
            var __type: String?
            var message: String?
            var Message: String?
        }
        guard let words = try? JSONDecoder().decode(Words.self, from: Data(json)) else { return }
        code = words.__type?.split(separator: "#").last.map(String.init) ?? ""
        message = words.message ?? words.Message ?? ""
    }

    private mutating func read(_ root: XMLTree) {
        let error = root.name == "Error" ? root : root["Error"] ?? root["Errors"]?["Error"]
        guard let error else { return }
        code = error["Code"]?.text ?? ""
        message = error["Message"]?.text ?? ""
        region = error["Region"]?.text
    }

    /// The region of an address of S3's own. Nothing else of a redirect is followed: credentials, and
    /// what is signed by them, go to no host that an answer names.
    static func region(ofLocation location: String) -> String? {
        guard let host = URLComponents(string: location)?.host?.lowercased(),
            host.hasSuffix(".amazonaws.com") || host.hasSuffix(".amazonaws.com.cn")
        else { return nil }
        let words = host.split(separator: ".")
        guard let end = words.lastIndex(of: "amazonaws"), end > 0 else { return nil }
        let last = words[end - 1]
        if last.hasPrefix("s3-") { return String(last.dropFirst(3)) }
        return end > 1 && words[end - 2] == "s3" ? String(last) : nil
    }
}
