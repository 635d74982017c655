// SPDX-License-Identifier: Apache-2.0
import AWSClient
import SigV4
import Testing

@Suite struct `Region and endpoint` {
    private func client(
        service: String = "s3", region: String? = nil, endpoint: String? = nil,
        _ environment: [String: String]
    ) async throws -> ServiceClient {
        let all = ["HOME": "/does/not/exist"].merging(environment) { $1 }
        let options = AWSOptions(region: region, endpoint: endpoint, environment: all)
        return try await withPool { pool in
            try ServiceClient(service, options, CredentialProvider([]), pool, signing: .s3)
        }
    }

    @Test func `settings, then the service's variable, then the general one`() async throws {
        let all = [
            "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2",
            "AWS_ENDPOINT_URL_S3": "http://s3.test:9000", "AWS_ENDPOINT_URL": "https://all.test",
        ]
        #expect(try await client(all).endpoint.url == "http://s3.test:9000")
        #expect(try await client(service: "sqs", all).endpoint.url == "https://all.test")
        #expect(
            try await client(endpoint: "http://[::1]:80/", all).endpoint.authority.isEmpty == false)
        #expect(
            try await client(endpoint: "http://given.test", all).endpoint.url == "http://given.test"
        )
        #expect(try await client(all).region == "eu-west-1")
        #expect(try await client(region: "us-west-2", all).region == "us-west-2")
        #expect(try await client(["AWS_DEFAULT_REGION": "eu-west-2"]).region == "eu-west-2")
        #expect(try await client(["AWS_ENDPOINT_URL": "http://a.test"]).region == "us-east-1")
        #expect(
            try await client(["AWS_REGION": "eu-west-1"]).endpoint.url
                == "https://s3.eu-west-1.amazonaws.com")
        #expect(
            try await client(["AWS_REGION": "cn-north-1"]).endpoint.url
                == "https://s3.cn-north-1.amazonaws.com.cn")
        let ignored = all.merging(["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"]) { $1 }
        #expect(try await client(ignored).endpoint.isCustom == false)
    }

    @Test(arguments: [
        "", "s3.test", "ftp://s3.test", "http://", "http://user:pass@s3.test",
        "http://s3.test/path",
        "http://s3.test?x=1", "http://s3.test:99999", "http://s3 test",
    ])
    func `an endpoint that is none is refused, without its text`(_ text: String) async throws {
        let error = try await failure {
            _ = try await client(region: "eu-west-1", endpoint: text, [:])
        }
        #expect(error?.kind == .denied)
        #expect(error?.text.contains("pass") == false)
    }

    @Test(arguments: ["EU", "eu west", "evil.example", "a/b"])
    func `a region that is none is refused`(_ region: String) async throws {
        #expect(await kind { _ = try await client(["AWS_REGION": region]) } == .denied)
    }

    @Test func `no region is told`() async throws {
        let error = try await failure { _ = try await client([:]) }
        #expect(error?.text.contains("AWS_REGION") == true)
    }
}
