// SPDX-License-Identifier: Apache-2.0
import SigV4
import Testing

/// The examples that the S3 API reference publishes with their signatures.
private let keys = SigningKeys(
    accessKeyID: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
private let signer = Signer(keys, region: "us-east-1", service: "s3", options: .s3)
private let time = SigningTime(seconds: 1_369_353_600)
private let host = Field("Host", "examplebucket.s3.amazonaws.com")

private let chunked = SigningRequest(
    method: "PUT", path: "/examplebucket/chunkObject.txt",
    headers: [
        Field("Host", "s3.amazonaws.com"), Field("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        Field("Content-Encoding", "aws-chunked"), Field("Content-Length", "66824"),
        Field("x-amz-decoded-content-length", "66560"),
    ])

@Suite struct `Published vectors` {
    @Test func `a GET of a range`() {
        let request = SigningRequest(
            method: "GET", path: "/test.txt", headers: [host, Field("Range", "bytes=0-9")])
        let signed = signer.sign(request, payload: .empty, at: time)
        #expect(
            signed.signature == "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
        #expect(
            signed.headers.last
                == Field(
                    "authorization",
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                        + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                        + "Signature=\(signed.signature)"))
    }

    @Test(arguments: ["/test%24file.text", "/test$file.text"])
    func `a PUT whose key needs encoding`(_ path: String) {
        let request = SigningRequest(
            method: "PUT", path: path,
            headers: [
                host, Field("Date", "Fri, 24 May 2013 00:00:00 GMT"),
                Field("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ])
        let signed = signer.sign(
            request, payload: .bytes("Welcome to Amazon S3.".utf8), at: time)
        #expect(
            signed.signature == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    }

    @Test(arguments: [["max-keys", "prefix"], ["prefix", "max-keys"]])
    func `a list`(_ order: [String]) {
        let values = ["max-keys": "2", "prefix": "J"]
        let request = SigningRequest(
            method: "GET", path: "/", query: order.map { Field($0, values[$0] ?? "") },
            headers: [host])
        #expect(
            signer.sign(request, payload: .empty, at: time).signature
                == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test func `a presigned GET`() {
        let request = SigningRequest(method: "GET", path: "/test.txt", headers: [host])
        let signed = signer.presign(request, seconds: 86_400, at: time)
        #expect(
            signed.query
                == "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
                + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
                + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        )
    }

    @Test func `a body in chunks`() {
        let signed = signer.sign(chunked, payload: .streaming, at: time)
        #expect(
            signed.signature == "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")
        var chunks = ChunkSigner(after: signed)
        let a = UInt8(ascii: "a")
        #expect(
            chunks.sign(Array(repeating: a, count: 65_536))
                == "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648")
        #expect(
            chunks.sign(Array(repeating: a, count: 1_024))
                == "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497")
        #expect(
            chunks.sign([]) == "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9")
    }

    @Test func `the frames of a body in chunks have the published length`() {
        var chunks = ChunkSigner(after: signer.sign(chunked, payload: .streaming, at: time))
        let sizes = [65_536, 1_024, 0]
        let bytes = sizes.reduce(0) { $0 + chunks.frame(Array(repeating: 97, count: $1)).count }
        #expect(bytes == 66_824)
    }
}

/// The rest of the rules, by signatures that botocore 1.43 made for the same requests.
@Suite struct `Vectors of another client` {
    private static let pair = "AKIDEXAMPLE"
    private static let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
    private static let token = "AQoDYXdzEPT//////////wEXAMPLE"
    private let time = SigningTime(seconds: 1_440_938_160)
    private let host = Field("host", "example.amazonaws.com")

    private func standard(_ token: String? = nil) -> Signer {
        Signer(
            SigningKeys(
                accessKeyID: Self.pair, secretAccessKey: Self.secret, sessionToken: token),
            region: "us-east-1", service: "service", options: .standard)
    }

    @Test(arguments: [
        ("/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("/example/..", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "/example1/example2/../..",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
        ),
        ("//example//", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
        ("/./", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("/./example", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
        ("/a%20b", "08c33fd523b5dc18699a2c38863929f12203a282c033d442d45b59a096458aa6"),
        ("/%E1%88%B4", "697b34846207a3f72246f99d74ae1ee4fe54f44bb06730c58a0d339eb079596d"),
        ("/a/b/..", "e7dfad111cdad6139e285ddec7592de69207ee936e9af6cffa906e281325f76a"),
        ("/a%2Fb/", "604610b5d069f9c185c0c356f085bb971f6e57f21eab7e0ae5eb3ccd51bd890b"),
    ])
    func `paths of other services are normal and encoded twice`(_ path: String, _ wanted: String) {
        let request = SigningRequest(method: "GET", path: path, headers: [host])
        #expect(standard().sign(request, payload: .empty, at: time).signature == wanted)
    }

    @Test func `a name that comes twice is in order of its values`() {
        let request = SigningRequest(
            method: "GET", path: "/",
            query: [
                Field("Param2", "value2"), Field("Param1", "value1"), Field("Param1", "a b"),
            ], headers: [host])
        #expect(
            standard().sign(request, payload: .empty, at: time).signature
                == "cfb7bc6022571aff570c203e0b6e68cfc6d4018fbd56b41d9d66bd0dc38dd69f")
    }

    @Test func `spaces in headers are signed as one`() {
        let request = SigningRequest(
            method: "POST", path: "/",
            headers: [
                host, Field("My-Header1", "  a   b  c "),
                Field("Content-Type", "application/x-amz-json-1.0"),
            ])
        #expect(
            standard().sign(request, payload: .bytes(#"{"a":1}"#.utf8), at: time).signature
                == "149eddd651aae69447c6e6b45c3c04ef9f8910d9b1dc626ac69bfd826eb8c9c9")
    }

    @Test func `a session token is signed`() {
        let request = SigningRequest(method: "POST", path: "/", headers: [host])
        let signed = standard(Self.token).sign(request, payload: .bytes("{}".utf8), at: time)
        #expect(
            signed.signature == "4a48dac929643662936c7939138557a0dc60907a10a3c0acb3ac85ac3cc64913")
        #expect(signed.headers.contains(Field("x-amz-security-token", Self.token)))
    }

    @Test func `or added after`() {
        var signer = standard(Self.token)
        signer.options.signsToken = false
        let request = SigningRequest(method: "GET", path: "/", headers: [host])
        let signed = signer.sign(request, payload: .empty, at: time)
        #expect(
            signed.signature == "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")
        #expect(signed.headers.contains(Field("x-amz-security-token", Self.token)))
        let url = signer.presign(request, seconds: 60, at: time)
        #expect(!url.canonicalRequest.lowercased().contains("security-token"))
        #expect(url.query.contains("&X-Amz-Security-Token=AQoDYXdzEPT%2F"))
    }

    @Test(arguments: [
        ("/a//b", "a35866443d38ffe7ee006318ee002bf39e7c419985fc3a547b10ba0dad72ba01"),
        ("/a/../b", "adfaeb83569c25364d4e306da800c2b565d01e1f01c18188296556346adb93a6"),
        ("/a%20b%2Bc", "58cda1254aa48db220a1144f52fb7170c41df064b60e8f7ee5bb43d585a9a1e0"),
        ("/%C3%A9%E2%82%AC/x", "c1c255581e1c271a0f1107cb677b636382e23fb88bc658d872b459fe43b55542"),
    ])
    func `keys of S3 are signed as they are sent`(_ path: String, _ wanted: String) {
        let signer = Signer(
            SigningKeys(
                accessKeyID: Self.pair, secretAccessKey: Self.secret, sessionToken: Self.token),
            region: "us-east-1", service: "s3", options: .s3)
        let request = SigningRequest(
            method: "PUT", path: path,
            query: [
                Field("start-after", "é"), Field("prefix", "a/b"), Field("list-type", "2"),
            ], headers: [host, Field("X-Amz-Meta-A", "x")])
        #expect(
            signer.sign(request, payload: .bytes("hello".utf8), at: time).signature == wanted)
    }
}
