// SPDX-License-Identifier: Apache-2.0
public import Foundation

/// How to reach AWS, or what speaks like it. What is not set is looked for in the environment.
public struct AWSOptions: Sendable {
    /// Else `AWS_REGION`, `AWS_DEFAULT_REGION`, the profile's; `us-east-1` where an endpoint is set.
    public var region: String?
    /// Else `AWS_ENDPOINT_URL_S3` (or `_SQS`, `_STS`), `AWS_ENDPOINT_URL`, the service's own.
    public var endpoint: String?
    /// Else the chain: ``CredentialProvider/chain(_:_:)``. They come from a file or the environment,
    /// never from a command line.
    public var credentials: Credentials?
    /// Else `AWS_PROFILE`, `default`.
    public var profile: String?
    public var retry: RetryPolicy
    public var environment: [String: String]
    public var surroundings: Surroundings

    public init(
        region: String? = nil, endpoint: String? = nil, credentials: Credentials? = nil,
        profile: String? = nil, retry: RetryPolicy = RetryPolicy(),
        environment: [String: String] = ProcessInfo.processInfo.environment,
        surroundings: Surroundings = Surroundings()
    ) {
        self.region = region
        self.endpoint = endpoint
        self.credentials = credentials
        self.profile = profile
        self.retry = retry
        self.environment = environment
        self.surroundings = surroundings
    }

    /// A variable that is set and not empty.
    func variable(_ name: String) -> String? {
        guard let value = environment[name], !value.isEmpty else { return nil }
        return value
    }

    /// The region to sign for.
    func region(for service: String) throws(AWSError) -> String {
        var named = region ?? variable("AWS_REGION") ?? variable("AWS_DEFAULT_REGION")
        if named == nil { named = try SharedFiles(self).region() }
        guard let region = named ?? (customEndpoint(service) == nil ? nil : "us-east-1") else {
            throw AWSError(
                .denied,
                "no region is set for \(service): set AWS_REGION, or region in the settings")
        }
        guard isRegion(region) else {
            throw AWSError(
                .denied, "'\(shown(region, 60))' is no region: write one as in eu-west-1")
        }
        return region
    }

    func endpoint(for service: String, region: String) throws(AWSError) -> Endpoint {
        guard let custom = customEndpoint(service) else {
            return Endpoint(service: service, region: region)
        }
        return try Endpoint(custom)
    }

    private func customEndpoint(_ service: String) -> String? {
        if let endpoint { return endpoint }
        if variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")?.lowercased() == "true" { return nil }
        return variable("AWS_ENDPOINT_URL_\(service.uppercased())") ?? variable("AWS_ENDPOINT_URL")
    }
}
