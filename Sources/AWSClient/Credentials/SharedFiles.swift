// SPDX-License-Identifier: Apache-2.0
import Foundation

/// `~/.aws/credentials` and `~/.aws/config`, as the other tools of AWS write them.
///
/// Static keys only: what would run a program (`credential_process`) or ask a browser is not done.
struct SharedFiles: CredentialSource {
    var name: String { "the shared files (profile \(shown(profile, 60)))" }

    private let options: AWSOptions
    private let profile: String

    init(_ options: AWSOptions) {
        self.options = options
        profile = options.profile ?? options.variable("AWS_PROFILE") ?? "default"
    }

    func fetch() async throws(AWSError) -> Credentials? {
        let isNamed = options.profile != nil || options.variable("AWS_PROFILE") != nil
        let secrets = try section(in: credentialsPath, [profile])
        let settings = try section(in: configPath, configNames)
        for values in [secrets, settings].compactMap({ $0 }) {
            switch (values["aws_access_key_id"], values["aws_secret_access_key"]) {
            case (let id?, let secret?):
                return Credentials(
                    accessKeyID: id, secretAccessKey: secret,
                    sessionToken: values["aws_session_token"])
            case (nil, nil): continue
            default:
                throw AWSError(
                    .denied,
                    "profile \(shown(profile, 60)) has one half of a pair of keys: set both "
                        + "aws_access_key_id and aws_secret_access_key")
            }
        }
        guard isNamed else { return nil }
        throw AWSError(
            .denied,
            "profile \(shown(profile, 60)) has no keys in \(shown(credentialsPath)) or "
                + "\(shown(configPath)); of profiles only static keys are read, no role_arn, no sso, no credential_process"
        )
    }

    /// The region of the profile; nil when there is none.
    func region() throws(AWSError) -> String? {
        try section(in: configPath, configNames)?["region"]
    }

    private var configNames: [String] {
        profile == "default" ? ["default", "profile default"] : ["profile \(profile)"]
    }

    private var credentialsPath: String {
        options.variable("AWS_SHARED_CREDENTIALS_FILE") ?? "\(home)/.aws/credentials"
    }

    private var configPath: String {
        options.variable("AWS_CONFIG_FILE") ?? "\(home)/.aws/config"
    }

    private var home: String { options.variable("HOME") ?? NSHomeDirectory() }

    private func section(
        in path: String, _ names: [String]
    ) throws(AWSError) -> [String: String]? {
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        guard data.count <= 1 << 20, let text = String(data: data, encoding: .utf8) else {
            throw AWSError(
                .denied, "\(shown(path)) is no settings file of AWS: not text, or too large")
        }
        return Self.section(names, of: text)
    }

    /// The values of the first section of one of those names; nested values (indented) are left out.
    static func section(_ names: [String], of text: String) -> [String: String]? {
        var found: [String: String]?
        var isInside = false
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.trimmingCharacters(in: .whitespaces)
            if words.isEmpty || words.hasPrefix("#") || words.hasPrefix(";") { continue }
            if words.hasPrefix("["), let end = words.firstIndex(of: "]") {
                let name = words[words.index(after: words.startIndex)..<end]
                    .split(separator: " ", omittingEmptySubsequences: true)
                    .joined(separator: " ").replacing("\"", with: "")
                isInside = names.contains(name)
                if isInside, found == nil { found = [:] }
                continue
            }
            guard isInside, line.first?.isWhitespace == false,
                let equals = words.firstIndex(of: "=")
            else { continue }
            let key = words[..<equals].trimmingCharacters(in: .whitespaces).lowercased()
            var value = words[words.index(after: equals)...].trimmingCharacters(in: .whitespaces)
            if let comment = value.range(of: " #") {
                value = value[..<comment.lowerBound].trimmingCharacters(in: .whitespaces)
            }
            if !value.isEmpty { found?[key] = value }
        }
        return found
    }
}
