// SPDX-License-Identifier: Apache-2.0
import Foundation
import SigV4

/// Keys that are given in the settings.
struct GivenCredentials: CredentialSource {
    let name = "the settings"
    let credentials: Credentials?

    func fetch() async throws(AWSError) -> Credentials? { credentials }
}

/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`.
struct EnvironmentCredentials: CredentialSource {
    let name = "the environment"
    let options: AWSOptions

    func fetch() async throws(AWSError) -> Credentials? {
        switch (options.variable("AWS_ACCESS_KEY_ID"), options.variable("AWS_SECRET_ACCESS_KEY")) {
        case (nil, nil): return nil
        case (let id?, let secret?):
            return Credentials(
                accessKeyID: id, secretAccessKey: secret,
                sessionToken: options.variable("AWS_SESSION_TOKEN"))
        default:
            throw AWSError(
                .denied,
                "the environment has one half of a pair of keys: set both AWS_ACCESS_KEY_ID and "
                    + "AWS_SECRET_ACCESS_KEY")
        }
    }
}

/// A role for the bearer of a token in a file, as Kubernetes gives it: `AWS_WEB_IDENTITY_TOKEN_FILE` and
/// `AWS_ROLE_ARN`, exchanged at STS (AssumeRoleWithWebIdentity, which is not signed).
struct WebIdentityCredentials: CredentialSource {
    let name = "a web identity"
    let options: AWSOptions
    let pool: HTTPPool

    func fetch() async throws(AWSError) -> Credentials? {
        guard let path = options.variable("AWS_WEB_IDENTITY_TOKEN_FILE"),
            let role = options.variable("AWS_ROLE_ARN")
        else { return nil }
        let token = try secretText(in: path, "AWS_WEB_IDENTITY_TOKEN_FILE")
        // Why no endpoint of the settings: that one is the store's.
        var forSTS = options
        forSTS.endpoint = nil
        let client = try ServiceClient(
            "sts", forSTS, CredentialProvider([]), pool, signing: .standard)
        let form = PercentEncoding.query([
            Field("Action", "AssumeRoleWithWebIdentity"), Field("Version", "2011-06-15"),
            Field("RoleArn", role), Field("WebIdentityToken", token),
            Field("RoleSessionName", options.variable("AWS_ROLE_SESSION_NAME") ?? "godwit"),
        ])
        let answer = try await client.send(
            ServiceRequest(
                "AssumeRoleWithWebIdentity", method: "POST",
                headers: [Field("content-type", "application/x-www-form-urlencoded")],
                body: .bytes(Array(form.utf8)), isSigned: false), timeout: .seconds(10))
        let found = try XMLTree.parse(answer.body)["AssumeRoleWithWebIdentityResult"]?[
            "Credentials"]
        guard let id = found?["AccessKeyId"]?.text, let secret = found?["SecretAccessKey"]?.text,
            let token = found?["SessionToken"]?.text,
            let end = (found?["Expiration"]?.text).flatMap(instant)
        else { throw AWSError(.badAnswer, "STS answered without credentials") }
        return Credentials(
            accessKeyID: id, secretAccessKey: secret, sessionToken: token, expiration: end)
    }
}

/// The keys of a container's role, from an address in the environment.
struct ContainerCredentials: CredentialSource {
    let name = "the container"
    let options: AWSOptions
    let pool: HTTPPool

    func fetch() async throws(AWSError) -> Credentials? {
        let url: String
        if let path = options.variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            guard path.hasPrefix("/") else {
                throw AWSError(
                    .denied, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must begin with a slash")
            }
            url = "http://169.254.170.2" + path
        } else if let full = options.variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
            url = full
        } else {
            return nil
        }
        guard let parts = URLComponents(string: url), let host = parts.host,
            parts.scheme == "https" || (parts.scheme == "http" && Self.mayBePlain(host))
        else {
            throw AWSError(
                .denied,
                "the address for the container's credentials must be https, or on this machine")
        }
        var headers: [Field] = []
        if let path = options.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
            let token = try secretText(in: path, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
            headers = [Field("authorization", token)]
        } else if let token = options.variable("AWS_CONTAINER_AUTHORIZATION_TOKEN") {
            headers = [Field("authorization", token)]
        }
        guard headers.allSatisfy({ !$0.value.utf8.contains { $0 < 0x20 || $0 == 0x7f } }) else {
            throw AWSError(.denied, "the container's authorization token holds a line break")
        }
        let answer = try await PlainGet(options, pool, timeout: .seconds(2)).get(
            url, headers: headers, from: name)
        return try RoleDocument.credentials(in: answer, from: name)
    }

    /// Loopback, and where ECS and EKS answer.
    private static func mayBePlain(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host == "[::1]" || host.hasPrefix("127.")
            || ["169.254.170.2", "169.254.170.23", "fd00:ec2::23", "[fd00:ec2::23]"].contains(host)
    }
}

/// The keys of this machine's role, by version 2 of EC2's metadata service: a token first.
struct MachineCredentials: CredentialSource {
    let name = "this machine's role"
    let options: AWSOptions
    let pool: HTTPPool

    func fetch() async throws(AWSError) -> Credentials? {
        if options.variable("AWS_EC2_METADATA_DISABLED")?.lowercased() == "true" { return nil }
        var base =
            options.variable("AWS_EC2_METADATA_SERVICE_ENDPOINT") ?? "http://169.254.169.254"
        if base.hasSuffix("/") { base.removeLast() }
        let get = PlainGet(options, pool, timeout: .seconds(1))
        let token: [UInt8]
        do throws(AWSError) {
            token = try await get.get(
                base + "/latest/api/token", method: "PUT",
                headers: [Field("x-aws-ec2-metadata-token-ttl-seconds", "21600")], from: name)
        } catch {
            // Nobody answers where there is no such service.
            if error.kind == .cancelled { throw error }
            return nil
        }
        let headers = [
            Field("x-aws-ec2-metadata-token", String(decoding: token, as: UTF8.self))
        ]
        guard headers[0].value.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        let folder = base + "/latest/meta-data/iam/security-credentials/"
        let roles: [UInt8]
        do throws(AWSError) {
            roles = try await get.get(folder, headers: headers, from: name)
        } catch {
            if error.kind == .missing { return nil }
            throw error
        }
        let role = String(decoding: roles, as: UTF8.self).split(whereSeparator: \.isNewline)
        guard let role = role.first else { return nil }
        let answer = try await get.get(
            folder + PercentEncoding.part(String(role)), headers: headers, from: name)
        return try RoleDocument.credentials(in: answer, from: name)
    }
}

extension CredentialProvider {
    /// The usual places in the usual order: settings, environment, web identity, shared files,
    /// container, this machine's role.
    public static func chain(_ options: AWSOptions, _ pool: HTTPPool) -> CredentialProvider {
        CredentialProvider(
            [
                GivenCredentials(credentials: options.credentials),
                EnvironmentCredentials(options: options),
                WebIdentityCredentials(options: options, pool: pool),
                SharedFiles(options),
                ContainerCredentials(options: options, pool: pool),
                MachineCredentials(options: options, pool: pool),
            ], options.surroundings)
    }
}
