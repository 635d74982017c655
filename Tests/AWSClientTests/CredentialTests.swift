// SPDX-License-Identifier: Apache-2.0
import AWSClient
import Foundation
import SigV4
import Synchronization
import TestAWS
import Testing

/// Gives what it is told to, when it is told to.
private final class Source: CredentialSource {
    let name = "a test"
    private struct State {
        var count = 0
        var waiting: [CheckedContinuation<Void, Never>] = []
        var isHeld = false
    }
    private let state = Mutex(State())
    private let give: @Sendable (Int) throws(AWSError) -> Credentials?

    init(_ give: @escaping @Sendable (Int) throws(AWSError) -> Credentials?) { self.give = give }

    var count: Int { state.withLock { $0.count } }
    func hold() { state.withLock { $0.isHeld = true } }
    func release() {
        let waiting = state.withLock { state in
            state.isHeld = false
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    func fetch() async throws(AWSError) -> Credentials? {
        let number = state.withLock { state in
            state.count += 1
            return state.count
        }
        await withCheckedContinuation { continuation in
            let goesOn = state.withLock { state in
                if state.isHeld { state.waiting.append(continuation) }
                return !state.isHeld
            }
            if goesOn { continuation.resume() }
        }
        if Task.isCancelled { throw AWSError(.cancelled, "cancelled") }
        return try give(number)
    }
}

private func pair(_ id: String, _ end: Date? = nil) -> Credentials {
    Credentials(accessKeyID: id, secretAccessKey: "s3cr3t", sessionToken: "t0k3n", expiration: end)
}

@Suite struct `Credential provider` {
    @Test func `keys are kept until five minutes before their end`() async throws {
        let stage = Stage()
        let source = Source { (n) throws(AWSError) in pair("AK\(n)", stage.now + 3_600) }
        let provider = CredentialProvider([source], stage.surroundings)
        #expect(try await provider.get().keys.accessKeyID == "AK1")
        stage.advance(3_299)
        #expect(try await provider.get().keys.accessKeyID == "AK1")
        stage.advance(2)
        #expect(try await provider.get().keys.accessKeyID == "AK2")
        #expect(source.count == 2)
    }

    @Test func `many who ask at once cause one refresh`() async throws {
        let source = Source { (n) throws(AWSError) in pair("AK\(n)") }
        source.hold()
        let provider = CredentialProvider([source])
        try await withThrowingTaskGroup(of: Credentials.self) { group in
            for _ in 0..<50 { group.addTask { try await provider.get() } }
            while source.count == 0 { await Task.yield() }
            for _ in 0..<500 { await Task.yield() }
            source.release()
            for try await found in group { #expect(found.keys.accessKeyID == "AK1") }
        }
        #expect(source.count == 1)
    }

    @Test func `if the one who refreshes is cancelled another goes on`() async throws {
        let source = Source { (n) throws(AWSError) in pair("AK\(n)") }
        source.hold()
        let provider = CredentialProvider([source])
        let first = Task { try await provider.get() }
        while source.count == 0 { await Task.yield() }
        let second = Task { try await provider.get() }
        first.cancel()
        source.release()
        #expect(try await second.value.keys.accessKeyID.hasPrefix("AK") == true)
    }

    @Test func `who waits and is cancelled does not wait on`() async throws {
        let source = Source { (n) throws(AWSError) in pair("AK\(n)") }
        source.hold()
        let provider = CredentialProvider([source])
        let first = Task { try await provider.get() }
        while source.count == 0 { await Task.yield() }
        let second = Task { try await failure { _ = try await provider.get() } }
        second.cancel()
        #expect(try await second.value?.kind == .cancelled)
        source.release()
        _ = try await first.value
    }

    @Test func `a refresh that fails leaves what still holds`() async throws {
        let stage = Stage()
        let end = stage.now + 600
        let source = Source { (n) throws(AWSError) in
            if n > 1 { throw AWSError(.unavailable, "down") }
            return pair("AK\(n)", end)
        }
        let provider = CredentialProvider([source], stage.surroundings)
        _ = try await provider.get()
        stage.advance(400)
        #expect(try await provider.get().keys.accessKeyID == "AK1")
        #expect(source.count == 2)
        // Not asked again at once.
        #expect(try await provider.get().keys.accessKeyID == "AK1")
        #expect(source.count == 2)
        stage.advance(31)
        _ = try await provider.get()
        #expect(source.count == 3)
        stage.advance(600)
        #expect(await kind { _ = try await provider.get() } == .unavailable)
    }

    @Test func `none at all says where was looked`() async throws {
        let error = try await failure {
            _ = try await CredentialProvider([Source { (_) throws(AWSError) in nil }]).get()
        }
        #expect(error?.kind == .denied)
        #expect(error?.text.contains("a test") == true)
    }

    @Test func `a token that a service calls expired is renewed`() async throws {
        try await VerifyingServer.run { server in
            server.put([1], "music", "a")
            server.allow("AKNEW", "s3cr3t", token: "new")
            server.allow("AKOLD", "s3cr3t", token: "other")
            let source = Source { (n) throws(AWSError) in
                Credentials(
                    accessKeyID: n == 1 ? "AKOLD" : "AKNEW", secretAccessKey: "s3cr3t",
                    sessionToken: n == 1 ? "old" : "new")
            }
            let options = AWSOptions(region: "eu-test-1", endpoint: server.url, environment: [:])
            try await withPool { pool in
                let s3 = S3(
                    try ServiceClient(
                        "s3", options, CredentialProvider([source]), pool, signing: .s3))
                #expect(try await s3.read("music", "a") == [1])
                #expect(server.refusals == ["ExpiredToken"])
                #expect(source.count == 2)
            }
        }
    }

    @Test func `nothing secret is printed`() {
        var texts = ["\(pair("AKIDLONG"))", String(reflecting: pair("AKIDLONG"))]
        var dumped = ""
        dump(AWSOptions(credentials: pair("AKIDLONG"), environment: [:]), to: &dumped)
        texts.append(dumped)
        texts.append("\(Optional(pair("AKIDLONG")) as Any)")
        for text in texts {
            #expect(
                !text.contains("s3cr3t") && !text.contains("t0k3n") && !text.contains("AKIDLONG"))
        }
    }
}

@Suite struct `Credential chain` {
    private func get(
        _ environment: [String: String], given: Credentials? = nil, profile: String? = nil
    ) async throws -> Credentials {
        let all = ["AWS_EC2_METADATA_DISABLED": "true", "HOME": "/does/not/exist"]
            .merging(environment) { $1 }
        let options = AWSOptions(
            region: "eu-test-1", credentials: given, profile: profile, environment: all,
            surroundings: Stage(Date(timeIntervalSince1970: 1_700_000_000)).surroundings)
        return try await withPool { pool in try await CredentialProvider.chain(options, pool).get()
        }
    }

    private static let environment = [
        "AWS_ACCESS_KEY_ID": "AKENV", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t",
    ]

    @Test func `settings come before the environment`() async throws {
        #expect(try await get(Self.environment, given: pair("AKSET")).keys.accessKeyID == "AKSET")
        #expect(
            try await get(Self.environment)
                == Credentials(accessKeyID: "AKENV", secretAccessKey: "s", sessionToken: "t"))
    }

    @Test func `half a pair is an error`() async throws {
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            let error = try await failure { _ = try await get([name: "x"]) }
            #expect(error?.kind == .denied)
        }
    }

    @Test func `profiles are read from the shared files`() async throws {
        try await withFolder { folder in
            let secrets = folder.appendingPathComponent("credentials")
            let config = folder.appendingPathComponent("config")
            try """
            # a comment
            [default]
            aws_access_key_id = AKDEFAULT
            aws_secret_access_key=abc/+=def # why
            [other]
            AWS_ACCESS_KEY_ID = AKOTHER
            aws_secret_access_key = x
            aws_session_token = y
            nested =
              aws_access_key_id = AKNESTED
            [half]
            aws_access_key_id = AKHALF
            """.write(to: secrets, atomically: true, encoding: .utf8)
            try """
            [profile third]
            region = eu-south-1
            aws_access_key_id = AKTHIRD
            aws_secret_access_key = z
            [profile role]
            role_arn = arn:aws:iam::1:role/x
            credential_process = /bin/false
            """.write(to: config, atomically: true, encoding: .utf8)
            let files = [
                "AWS_SHARED_CREDENTIALS_FILE": secrets.path, "AWS_CONFIG_FILE": config.path,
            ]
            #expect(
                try await get(files)
                    == Credentials(accessKeyID: "AKDEFAULT", secretAccessKey: "abc/+=def"))
            let other = files.merging(["AWS_PROFILE": "other"]) { $1 }
            #expect(
                try await get(other)
                    == Credentials(accessKeyID: "AKOTHER", secretAccessKey: "x", sessionToken: "y"))
            #expect(try await get(other, profile: "third").keys.accessKeyID == "AKTHIRD")
            for name in ["half", "role", "none"] {
                let error = try await failure { _ = try await get(files, profile: name) }
                #expect(error?.kind == .denied)
                #expect(error?.text.contains(name) == true)
            }
        }
    }

    @Test func `a web identity is exchanged at STS`() async throws {
        try await withFolder { folder in
            let file = folder.appendingPathComponent("token")
            try "web.identity-token\n".write(to: file, atomically: true, encoding: .utf8)
            let bodies = Mutex<[String]>([])
            try await LoopbackServer.run({ request in
                bodies.withLock { $0.append(String(decoding: request.body, as: UTF8.self)) }
                return .init(
                    200,
                    text: """
                        <AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
                        <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKSTS</AccessKeyId>
                        <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken>
                        <Expiration>2030-01-01T00:00:00Z</Expiration></Credentials>
                        </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>
                        """)
            }) { server in
                let found = try await get([
                    "AWS_WEB_IDENTITY_TOKEN_FILE": file.path,
                    "AWS_ROLE_ARN": "arn:aws:iam::1:role/a",
                    "AWS_ENDPOINT_URL_STS": server.url,
                ])
                #expect(found.keys.accessKeyID == "AKSTS")
                #expect(found.expiration == Date(timeIntervalSince1970: 1_893_456_000))
                #expect(server.requests[0].header("authorization") == nil)
                let body = bodies.withLock { $0[0] }
                #expect(body.contains("WebIdentityToken=web.identity-token"))
                #expect(body.contains("RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fa"))
            }
            // A place that is set up and fails is not passed over for another account's keys.
            try await LoopbackServer.run({ _ in
                .init(
                    403,
                    text: "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
            }) { server in
                let error = try await failure {
                    _ = try await get([
                        "AWS_WEB_IDENTITY_TOKEN_FILE": file.path, "AWS_ROLE_ARN": "r",
                        "AWS_ENDPOINT_URL_STS": server.url,
                    ])
                }
                #expect(error?.code == "AccessDenied")
                #expect(error?.text.contains("web.identity-token") == false)
            }
        }
    }

    private static let document =
        #"{"AccessKeyId":"AKROLE","SecretAccessKey":"s","Token":"t","Expiration":"2030-01-01T00:00:00Z"}"#

    @Test func `a container's keys come with its token`() async throws {
        try await withFolder { folder in
            let file = folder.appendingPathComponent("token")
            try "from-file\n".write(to: file, atomically: true, encoding: .utf8)
            try await LoopbackServer.run({ request in
                request.header("authorization") == nil
                    ? .init(401) : .init(200, text: Self.document)
            }) { server in
                let base = ["AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url + "/keys"]
                let found = try await get(
                    base.merging(["AWS_CONTAINER_AUTHORIZATION_TOKEN": "direct"]) { $1 })
                #expect(found.keys.accessKeyID == "AKROLE")
                _ = try await get(
                    base.merging(["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file.path]) { $1 })
                #expect(
                    server.requests.map { $0.header("authorization") } == ["direct", "from-file"])
                let error = try await failure {
                    _ = try await get(
                        base.merging(["AWS_CONTAINER_AUTHORIZATION_TOKEN": "a\r\nb: c"]) { $1 })
                }
                #expect(error?.kind == .denied)
            }
        }
    }

    @Test(arguments: ["http://example.com/keys", "ftp://127.0.0.1/", "nonsense"])
    func `a container's address must be here or over TLS`(_ url: String) async throws {
        let error = try await failure {
            _ = try await get(["AWS_CONTAINER_CREDENTIALS_FULL_URI": url])
        }
        #expect(error?.kind == .denied)
    }

    @Test func `a machine's role is asked for with a session token`() async throws {
        try await LoopbackServer.run({ request in
            switch (request.method, String(request.path)) {
            case ("PUT", "/latest/api/token"):
                request.header("x-aws-ec2-metadata-token-ttl-seconds") == "21600"
                    ? .init(200, text: "imds-token") : .init(400)
            case ("GET", "/latest/meta-data/iam/security-credentials/"):
                request.header("x-aws-ec2-metadata-token") == "imds-token"
                    ? .init(200, text: "my role\n") : .init(401)
            case ("GET", "/latest/meta-data/iam/security-credentials/my%20role"):
                request.header("x-aws-ec2-metadata-token") == "imds-token"
                    ? .init(200, text: Self.document) : .init(401)
            default: .init(404)
            }
        }) { server in
            let found = try await get([
                "AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url,
            ])
            #expect(found.keys.accessKeyID == "AKROLE")
            #expect(found.keys.description.contains("redacted"))
            let error = try await failure {
                _ = try await get([
                    "AWS_EC2_METADATA_DISABLED": "true",
                    "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url,
                ])
            }
            #expect(error?.kind == .denied)
            #expect(server.requests.count == 3)
        }
    }

    @Test(arguments: [
        "{}", "", "nonsense",
        #"{"AccessKeyId":"a","SecretAccessKey":"SECRET","Expiration":"soon"}"#,
    ])
    func `an answer without keys is told without its text`(_ text: String) async throws {
        try await LoopbackServer.run({ _ in .init(200, text: text) }) { server in
            let error = try await failure {
                _ = try await get(["AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url])
            }
            #expect(error?.kind == .badAnswer)
            #expect(error?.text.contains("SECRET") == false)
        }
    }

    @Test func `keys that have run out are told as that`() async throws {
        let text =
            #"{"AccessKeyId":"AK","SecretAccessKey":"s","Token":"t","Expiration":"2020-01-01T00:00:00Z"}"#
        try await LoopbackServer.run({ _ in .init(200, text: text) }) { server in
            let error = try await failure {
                _ = try await get(["AWS_CONTAINER_CREDENTIALS_FULL_URI": server.url])
            }
            #expect(error?.kind == .denied)
            #expect(error?.text.contains("run out") == true)
        }
    }
}
