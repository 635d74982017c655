// SPDX-License-Identifier: Apache-2.0
import SigV4
import Testing

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for the same seed.
private struct Numbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    mutating func text(_ most: Int = 12) -> String {
        let letters = Array("ab/+ %=&?#~.-_é€😀\n\t\"'*!$,:;<>|\\^`{}[]()@AZ09\u{7f}\u{0}")
        return String(
            (0..<Int.random(in: 0...most, using: &self)).map { _ in
                letters[Int.random(in: 0..<letters.count, using: &self)]
            })
    }
}

private let keys = SigningKeys(accessKeyID: "AKID", secretAccessKey: "secret")
private let signer = Signer(keys, region: "eu-west-1", service: "s3", options: .s3)
private let time = SigningTime(seconds: 1_700_000_000)

@Suite struct `Properties` {
    @Test func `what is encoded decodes to itself and needs nothing more`() {
        var numbers = Numbers(state: 1)
        for _ in 0..<2_000 {
            let text = numbers.text()
            #expect(PercentEncoding.decode(PercentEncoding.part(text)) == text)
            let path = PercentEncoding.path(text)
            #expect(PercentEncoding.decode(path) == text)
            // The signer spells a path that is already right as it is.
            let request = SigningRequest(method: "GET", path: "/" + path, headers: [])
            let signed = signer.sign(request, payload: .empty, at: time)
            #expect(signed.canonicalRequest.split(separator: "\n")[1] == "/" + path)
        }
    }

    @Test(arguments: ["%", "a%", "%4", "%zz", "%ff", "%e9x", "%c3"])
    func `broken encoding does not decode`(_ text: String) {
        #expect(PercentEncoding.decode(text) == nil)
    }

    @Test func `order and case of headers and order of the query change nothing`() {
        var numbers = Numbers(state: 2)
        for _ in 0..<300 {
            var request = SigningRequest(method: "GET", path: "/k", headers: [Field("host", "h")])
            for index in 0..<5 {
                request.headers.append(Field("X-Amz-Meta-\(index)", numbers.text()))
                request.query.append(Field(numbers.text(3), numbers.text()))
            }
            let first = signer.sign(request, payload: .empty, at: time).signature
            request.headers.shuffle(using: &numbers)
            request.query.shuffle(using: &numbers)
            request.headers = request.headers.map { Field($0.name.uppercased(), $0.value) }
            #expect(signer.sign(request, payload: .empty, at: time).signature == first)
        }
    }

    @Test func `each part of a request changes its signature`() {
        let request = SigningRequest(
            method: "GET", path: "/a", query: [Field("b", "c")], headers: [Field("host", "h")])
        let first = signer.sign(request, payload: .empty, at: time).signature
        var others: Set<String> = [first]
        func add(
            _ change: (inout Signer, inout SigningRequest, inout Payload, inout SigningTime) -> Void
        ) {
            var (signer, request, payload, time) = (signer, request, Payload.empty, time)
            change(&signer, &request, &payload, &time)
            others.insert(signer.sign(request, payload: payload, at: time).signature)
        }
        add { _, request, _, _ in request.method = "PUT" }
        add { _, request, _, _ in request.path = "/A" }
        add { _, request, _, _ in request.query = [Field("b", "d")] }
        add { _, request, _, _ in request.query = [Field("bc", "")] }
        add { _, request, _, _ in request.headers = [Field("host", "i")] }
        add { _, request, _, _ in request.headers.append(Field("range", "bytes=0-1")) }
        add { _, _, payload, _ in payload = .bytes([0]) }
        add { _, _, payload, _ in payload = .unsigned }
        add { _, _, _, time in time.seconds += 1 }
        add { _, _, _, time in time.seconds += 86_400 }
        add { signer, _, _, _ in signer.region = "eu-west-2" }
        add { signer, _, _, _ in signer.service = "sqs" }
        add { signer, _, _, _ in
            signer.keys = SigningKeys(accessKeyID: "AKID", secretAccessKey: "Secret")
        }
        add { signer, _, _, _ in
            signer.keys = SigningKeys(
                accessKeyID: "AKID", secretAccessKey: "secret", sessionToken: "t")
        }
        #expect(others.count == 15)
    }

    @Test func `what proxies change is not signed`() {
        var request = SigningRequest(method: "GET", path: "/a", headers: [Field("host", "h")])
        let first = signer.sign(request, payload: .empty, at: time).signature
        request.headers += [Field("User-Agent", "x"), Field("Connection", "close")]
        #expect(signer.sign(request, payload: .empty, at: time).signature == first)
    }

    @Test func `a chunk depends on all before it`() {
        let request = SigningRequest(method: "PUT", path: "/a", headers: [Field("host", "h")])
        let signed = signer.sign(request, payload: .streaming, at: time)
        var one = ChunkSigner(after: signed)
        var other = ChunkSigner(after: signed)
        #expect(one.sign([1]) == other.sign([1]))
        #expect(one.sign([2]) != other.sign([3]))
        #expect(one.sign([]) != other.sign([]))
    }

    @Test func `nothing secret is printed`() {
        let keys = SigningKeys(
            accessKeyID: "AKIDLONGER", secretAccessKey: "verysecret", sessionToken: "verytoken")
        let signed = Signer(keys, region: "r", service: "s", options: .s3)
            .sign(
                SigningRequest(method: "GET", path: "/", headers: []), payload: .empty, at: time)
        var dumped = ""
        dump(keys, to: &dumped)
        dump(signed, to: &dumped)
        for text in ["\(keys)", String(reflecting: keys), "\(signed)", "\([keys])", dumped] {
            #expect(!text.contains("verysecret"))
            #expect(!text.contains("verytoken"))
            #expect(!text.contains("AKIDLONGER"))
        }
    }
}

@Suite struct `Signing time` {
    @Test(
        arguments: [
            (0, "19700101T000000Z"), (951_782_399, "20000228T235959Z"),
            (951_782_400, "20000229T000000Z"), (1_369_353_600, "20130524T000000Z"),
            (4_107_542_399, "21000228T235959Z"), (4_107_542_400, "21000301T000000Z"),
            (1_735_689_599, "20241231T235959Z"),
        ] as [(Int64, String)])
    func `is a date of the calendar both ways`(_ seconds: Int64, _ text: String) {
        #expect(SigningTime(seconds: seconds).text == text)
        #expect(SigningTime(text)?.seconds == seconds)
    }

    @Test func `every day of 400 years comes back`() {
        for day in stride(from: 0, to: Int64(146_097), by: 1) {
            let time = SigningTime(seconds: day * 86_400 + day % 86_400)
            #expect(SigningTime(time.text) == time)
        }
    }

    @Test(arguments: [
        "", "20130524", "20130524T000000", "20131324T000000Z", "20130631T000000Z",
        "20130229T000000Z", "20130524T240000Z", "2013052aT000000Z", "20130524 000000Z",
    ])
    func `refuses what is none`(_ text: String) { #expect(SigningTime(text) == nil) }
}
